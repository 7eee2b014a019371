/** Where one looks at a drawing: a point of the drawing at the view's left upper corner, and how large it is drawn. */

export interface Camera {
  x: number;
  y: number;
  scale: number;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const CLOSEST = 2.5;
export const FARTHEST = 0.002; // at which a chain of 5,000 is seen whole

export function fitting(content: Box, view: { width: number; height: number }, margin = 28): Camera {
  const scale = Math.min(
    1.15,
    Math.max(
      FARTHEST,
      Math.min(
        (view.width - 2 * margin) / Math.max(content.width, 1),
        (view.height - 2 * margin) / Math.max(content.height, 1),
      ),
    ),
  );
  return {
    x: content.x - (view.width / scale - content.width) / 2,
    y: content.y - (view.height / scale - content.height) / 2,
    scale,
  };
}

const READABLE = 0.62;

/** A box in the middle of the view, at its full size. */
export function centred(box: Box, view: { width: number; height: number }): Camera {
  return { x: box.x + (box.width - view.width) / 2, y: box.y + (box.height - view.height) / 2, scale: 1 };
}

/** The first look at a drawing: all of it if it is no smaller than `least` then, else its beginning, or that of the box
 * `first`, at a size to read. Of what is higher than the view, the part around `start` is seen. */
export function opening(content: Box, view: { width: number; height: number }, first: Box | null = null, start: Box | null = null, least = READABLE): Camera {
  const all = fitting(content, view);
  if (all.scale >= least) return all;
  const scale = Math.max(READABLE, Math.min(0.8, (view.height - 56) / Math.max(content.height, 1)));
  const at = first ?? content;
  const left = first ? Math.max(0, (view.width / scale - first.width) / 2 - 28 / scale) : 0; // a box is seen in the middle
  const begin = content.x - 28 / scale;
  const x = Math.max(begin, Math.min(at.x - left - 28 / scale, content.x + content.width - (view.width - 28) / scale));
  const seen = view.height / scale;
  const spare = Math.max(0, at.height - seen + 56 / scale);
  const wanted = start ? start.y + start.height / 2 - seen / 2 : at.y;
  const y = spare ? Math.min(Math.max(wanted, at.y - 28 / scale), at.y - 28 / scale + spare) : at.y + at.height / 2 - seen / 2;
  if (content.height * scale <= view.height - 56) return { x, y: content.y - (view.height / scale - content.height) / 2, scale };
  return { x, y, scale };
}

/** Whether all of a drawing is in view. */
export function holds({ x, y, scale }: Camera, content: Box, view: { width: number; height: number }): boolean {
  return x <= content.x && y <= content.y && x + view.width / scale >= content.x + content.width && y + view.height / scale >= content.y + content.height;
}

/** The camera after the drawing or the view has changed: all is in view where it can be read so, else the box that one
 * looks at, as large as it was. */
export function settled(camera: Camera, content: Box, view: { width: number; height: number }, box: Box): Camera {
  const all = fitting(content, view);
  if (all.scale >= READABLE) return holds(camera, content, view) ? camera : all;
  const width = Math.min(box.width, view.width / camera.scale - 80);
  return showing(camera, { ...box, width, height: Math.min(box.height, view.height / camera.scale - 80) }, view);
}

/** The camera zoomed by `factor` around a point of the view, in pixels. */
export function zoom(camera: Camera, factor: number, px: number, py: number): Camera {
  const scale = Math.min(CLOSEST, Math.max(FARTHEST, camera.scale * factor));
  return {
    x: camera.x + px / camera.scale - px / scale,
    y: camera.y + py / camera.scale - py / scale,
    scale,
  };
}

export function pan(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale };
}

/** The camera moved so that the middle of the view is in the drawing: nobody gets lost beside it. */
export function within(camera: Camera, content: Box, view: { width: number; height: number }): Camera {
  const [w, h] = [view.width / camera.scale / 2, view.height / camera.scale / 2];
  return {
    ...camera,
    x: Math.min(Math.max(camera.x, content.x - w), content.x + content.width - w),
    y: Math.min(Math.max(camera.y, content.y - h), content.y + content.height - h),
  };
}

/** What part of the drawing is seen, with a margin in pixels. */
export function seen(camera: Camera, view: { width: number; height: number }, margin = 80): Box {
  return {
    x: camera.x - margin / camera.scale,
    y: camera.y - margin / camera.scale,
    width: (view.width + 2 * margin) / camera.scale,
    height: (view.height + 2 * margin) / camera.scale,
  };
}

export function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The camera moved as little as needed for a box to be in view. */
export function showing(camera: Camera, box: Box, view: { width: number; height: number }, margin = 40): Camera {
  const w = view.width / camera.scale;
  const h = view.height / camera.scale;
  const m = margin / camera.scale;
  let { x, y } = camera;
  if (box.x - m < x) x = box.x - m;
  else if (box.x + box.width + m > x + w) x = Math.min(box.x - m, box.x + box.width + m - w);
  if (box.y - m < y) y = box.y - m;
  else if (box.y + box.height + m > y + h) y = Math.min(box.y - m, box.y + box.height + m - h);
  return { ...camera, x, y };
}

export type Direction = "left" | "right" | "up" | "down";

/** The box to go to from another with an arrow key: the nearest that lies more that way than aside, else the nearest that way. */
export function neighbour<T extends Box>(from: Box, boxes: readonly T[], way: Direction): T | null {
  const cx = from.x + from.width / 2;
  const cy = from.y + from.height / 2;
  let best: T | null = null;
  let least = Infinity;
  for (const box of boxes) {
    const dx = box.x + box.width / 2 - cx;
    const dy = box.y + box.height / 2 - cy;
    const along = way === "left" ? -dx : way === "right" ? dx : way === "up" ? -dy : dy;
    if (along <= 1) continue;
    const across = Math.abs(way === "left" || way === "right" ? dy : dx);
    const cost = along + 2 * across + (across > along ? 1e9 : 0);
    if (cost < least) {
      least = cost;
      best = box;
    }
  }
  return best;
}
