import type { Camera } from "../logic/camera";
import { type Box, overlap, seen } from "../logic/camera";
import { type PlacedNode, trace } from "../logic/picture";
import type { Tone } from "../logic/status";
import { type Scene, type Wire, visible } from "./scene";

export type Palette = Record<Tone | "line-2" | "wire" | "fan" | "card" | "ink" | "ink-2" | "ink-3" | "accent" | "sunk" | "paper", string>;

const NAMES = ["ok", "run", "bad", "stale", "reuse", "idle", "line-2", "wire", "fan", "card", "ink", "ink-2", "ink-3", "accent", "sunk", "paper"] as const;

/** The sheet's colours as they are just now: a canvas cannot read variables. */
export function readPalette(beside: HTMLElement): Palette {
  const probe = document.createElement("span");
  beside.append(probe);
  const found = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return found as Palette;
}

const BARE = 0.16; // the scale below which a box is a spot
const MOST_NAMES = 120; // of boxes that hold others, at once
const NAMED = 0.55; // the scale from which on the names on lines can be read

export interface Ink {
  palette: Palette;
  /** The ids that an edge must touch to be drawn strongly; null: none is picked. */
  lit: Set<string> | null;
  picked: string | null;
  tone: (id: string) => Tone;
  /** The lines that one points at. */
  told: readonly Wire[];
  /** Draw boxes too: they are too many or too small to be elements of the page. */
  boxes: boolean;
}

export function paint(canvas: HTMLCanvasElement, scene: Scene, camera: Camera, view: { width: number; height: number }, ink: Ink): void {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(view.width * ratio);
  const height = Math.round(view.height * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  const k = camera.scale * ratio;
  pen.setTransform(k, 0, 0, k, -camera.x * k, -camera.y * k);
  const window_ = seen(camera, view);
  const { palette } = ink;
  if (ink.boxes) {
    for (const box of visible(scene.holders, window_)) {
      pen.fillStyle = palette.sunk;
      pen.strokeStyle = palette["line-2"];
      pen.lineWidth = Math.max(1, 0.7 / camera.scale);
      pen.beginPath();
      pen.roundRect(box.x, box.y, box.width, box.height, 10);
      pen.fill();
      pen.stroke();
    }
  }
  const { points } = scene.drawing.edges;
  const wires = visible(scene.wires, window_);
  const thin = thinAt(camera.scale);
  const others = wires.filter((w) => !isLit(w, ink));
  const faint = ink.lit ? 0.5 : 1;
  stroke(pen, points, others.filter((w) => !fans(w)), palette.wire, thin, camera.scale, faint);
  stroke(pen, points, others.filter(fans), palette.fan, thin * 1.3, camera.scale, faint);
  if (ink.lit) stroke(pen, points, wires.filter((w) => isLit(w, ink)), palette.accent, thin * 1.4, camera.scale, 1);
  if (ink.told.length) stroke(pen, points, [...ink.told], palette.accent, thin * 1.8, camera.scale, 1);
  if (camera.scale > NAMED) {
    for (const wire of wires) {
      const own = wire.source === ink.picked || wire.target === ink.picked;
      if (!wire.label || (wire.at < 0 && !own)) continue;
      pen.globalAlpha = !ink.lit || isLit(wire, ink) ? 1 : 0.35;
      name(pen, wire, points, palette);
    }
    pen.globalAlpha = 1;
  }
  if (!ink.boxes) return;
  if (camera.scale < BARE) dots(pen, visible(scene.leaves, window_), camera.scale, ink);
  else cards(pen, visible(scene.leaves, window_), camera.scale, ink);
  holders(pen, visible(scene.holders, window_), camera, ratio, palette);
}

/** How thick a line is: never too thin to be seen. */
function thinAt(scale: number): number {
  return Math.max(1.25, 0.7 / scale);
}

/** Boxes as they are, each with its name where that can be guessed at least. */
function cards(pen: CanvasRenderingContext2D, boxes: readonly PlacedNode[], scale: number, { palette, lit, tone: toneOf }: Ink): void {
  pen.font = "600 13px Inter, system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (const box of boxes) {
    const tone = toneOf(box.id);
    pen.globalAlpha = lit !== null && !lit.has(box.id) ? 0.3 : 1;
    pen.fillStyle = palette.card;
    pen.strokeStyle = palette[tone === "idle" ? "line-2" : tone];
    pen.lineWidth = thinAt(scale);
    // What is run for each value is a stack of cards.
    for (const shift of box.mapped ? [3, 0] : [0]) {
      pen.beginPath();
      pen.roundRect(box.x + shift, box.y + shift, box.width, box.height, 7);
      pen.fill();
      pen.stroke();
    }
    if (scale > 0.24) {
      pen.fillStyle = palette.ink;
      pen.fillText(box.label, box.x + 10, box.y + box.height / 2, box.width - 20);
    }
  }
  pen.globalAlpha = 1;
}

/** The names of boxes that hold others, as large as on any other scale: those of outer ones first, where there is room. */
function holders(pen: CanvasRenderingContext2D, boxes: readonly PlacedNode[], camera: Camera, ratio: number, palette: Palette): void {
  const taken: Box[] = [];
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "600 11px Inter, system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.strokeStyle = palette.sunk;
  pen.fillStyle = palette["ink-2"];
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  for (const box of boxes) {
    const left = Math.max(0, (box.x - camera.x) * camera.scale);
    const edge = (box.y - camera.y) * camera.scale;
    const top = Math.max(0, box.parent === null && edge > 20 ? edge - 19 : edge); // above its border, where nothing else is
    const room = Math.min(220, (box.x + box.width - camera.x) * camera.scale - left - 12);
    if (room < 24 || (box.y + box.height - camera.y) * camera.scale - top < 20 || taken.length > MOST_NAMES) continue;
    const text = cut(pen, box.label, room);
    const place = { x: left, y: top, width: pen.measureText(text).width + 12, height: 18 };
    if (taken.some((other) => overlap(other, place))) continue;
    taken.push(place);
    pen.strokeText(text, left + 6, top + 10);
    pen.fillText(text, left + 6, top + 10);
  }
}

/** A text that fits: in the middle an ellipsis, where it must be. */
function cut(pen: CanvasRenderingContext2D, text: string, room: number): string {
  for (let keep = text.length, shown = text; ; shown = `${text.slice(0, Math.ceil(keep / 2))}…${text.slice(text.length - Math.floor(keep / 2))}`) {
    if (keep < 2 || pen.measureText(shown).width <= room) return shown;
    keep -= 1;
  }
}

/** Boxes from afar: spots in the colour of their state, all of one colour at once, and none too small to be seen. */
function dots(pen: CanvasRenderingContext2D, boxes: readonly PlacedNode[], scale: number, ink: Ink): void {
  const least = 1.5 / scale;
  const paths = new Map<string, Path2D>();
  for (const box of boxes) {
    const tone = ink.tone(box.id);
    const key = `${ink.lit !== null && !ink.lit.has(box.id) ? 0.3 : 1} ${ink.palette[tone === "idle" ? "ink-3" : tone]}`;
    let path = paths.get(key);
    if (!path) paths.set(key, (path = new Path2D()));
    path.rect(box.x, box.y, Math.max(box.width, least), Math.max(box.height, least));
  }
  for (const [key, path] of paths) {
    const at = key.indexOf(" ");
    pen.globalAlpha = Number(key.slice(0, at));
    pen.fillStyle = key.slice(at + 1);
    pen.fill(path);
  }
  pen.globalAlpha = 1;
}

/** What flows along an edge, written where there is room; else, as one asked, above the middle of its longest part. */
function name(pen: CanvasRenderingContext2D, wire: Wire, points: readonly number[], palette: Palette): void {
  pen.font = "11px Inter, system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const at = (i: number) => points[i] as number;
  let part = wire.at < 0 ? wire.from : wire.at;
  if (wire.at < 0) for (let i = wire.from; i < wire.until - 2; i += 2) if (Math.abs(at(i + 2) - at(i)) > Math.abs(at(part + 2) - at(part))) part = i;
  const [x, y] = [(at(part) + at(part + 2)) / 2, (at(part + 1) + at(part + 3)) / 2 - (wire.at < 0 ? 11 : 0)];
  pen.strokeStyle = palette.paper;
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  pen.strokeText(wire.label, x, y);
  pen.fillStyle = palette["ink-2"];
  pen.fillText(wire.label, x, y);
  pen.textAlign = "start";
}

function isLit(wire: Wire, ink: Ink): boolean {
  return ink.lit !== null && ink.lit.has(wire.source) && ink.lit.has(wire.target);
}

/** Whether a fan-out begins or ends along it. */
function fans(wire: Wire): boolean {
  return wire.kind === "map" || wire.kind === "collect";
}

function stroke(pen: CanvasRenderingContext2D, points: readonly number[], wires: Wire[], colour: string, width: number, scale: number, alpha: number): void {
  pen.strokeStyle = colour;
  pen.fillStyle = colour;
  pen.lineWidth = width;
  pen.globalAlpha = alpha;
  for (const order of [false, true]) {
    pen.setLineDash(order ? [4, 4] : []);
    pen.beginPath();
    for (const wire of wires) {
      if ((wire.kind === "order") !== order || (wire.width + wire.height) * scale < 2) continue;
      if (scale < BARE) chord(pen, points, wire);
      else trace(pen, points, wire.from, wire.until);
    }
    pen.stroke();
  }
  pen.setLineDash([]);
  if (scale > 0.3) {
    pen.beginPath();
    for (const { until } of wires) head(pen, points[until - 2] as number, points[until - 1] as number);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/** A line from afar: its bends are not seen. */
function chord(pen: CanvasRenderingContext2D, points: readonly number[], wire: Wire): void {
  pen.moveTo(points[wire.from] as number, points[wire.from + 1] as number);
  for (let i = wire.from + 2; i < wire.until; i += 2) pen.lineTo(points[i] as number, points[i + 1] as number);
}

function head(pen: CanvasRenderingContext2D, x: number, y: number): void {
  pen.moveTo(x, y);
  pen.lineTo(x - 6, y - 3.2);
  pen.lineTo(x - 6, y + 3.2);
  pen.closePath();
}
