import { expect, test } from "vitest";
import { FARTHEST, fitting, holds, neighbour, opening, overlap, pan, seen, settled, showing, within, zoom } from "./camera";

const view = { width: 1000, height: 600 };

test("fitting shows all of a drawing in the middle, and never draws small ones huge", () => {
  const wide = fitting({ x: 0, y: 0, width: 5000, height: 100 }, view);
  const box = seen(wide, view, 0);
  expect(box.x).toBeLessThanOrEqual(0);
  expect(box.x + box.width).toBeGreaterThanOrEqual(5000);
  expect(box.y + box.height / 2).toBeCloseTo(50);
  expect(fitting({ x: 0, y: 0, width: 10, height: 10 }, view).scale).toBeLessThan(1.2);
  expect(fitting({ x: 0, y: 0, width: 1e9, height: 1 }, view).scale).toBe(FARTHEST);
});

test("a drawing too large to read begins at its left, or at the box that was asked for", () => {
  const content = { x: 0, y: 0, width: 80_000, height: 4000 };
  expect(opening(content, view).x).toBeLessThanOrEqual(0);
  const box = { x: 40_000, y: 3000, width: 200, height: 50 };
  const camera = opening(content, view, box);
  expect(overlap(seen(camera, view, 0), box)).toBe(true);
  expect(camera.scale).toBeGreaterThan(0.6);
});

test("what was opened all at once is seen whole, though smaller than is easy to read", () => {
  const content = { x: 0, y: 0, width: 2200, height: 330 };
  expect(holds(opening(content, view), content, view)).toBe(false);
  expect(holds(opening(content, view, null, null, 0.34), content, view)).toBe(true);
});

test("of a box higher than the view the part is seen where it begins, without what is beyond its ends", () => {
  const tall = { x: 0, y: 0, width: 80_000, height: 4000 };
  const begin = (y: number) => seen(opening(tall, view, tall, { x: 100, y, width: 100, height: 40 }), view, 0);
  expect(begin(2000).y + begin(2000).height / 2).toBeCloseTo(2020);
  expect(begin(10).y).toBeLessThanOrEqual(0);
  expect(begin(3990).y + begin(3990).height).toBeLessThan(4100);
});

test("the middle of the view stays in the drawing, however far one pans", () => {
  const content = { x: 0, y: 0, width: 5000, height: 300 };
  const lost = within(pan({ x: 0, y: 0, scale: 1 }, 9000, -9000), content, view);
  expect([lost.x + 500, lost.y + 300]).toEqual([0, 300]);
  const inside = { x: 700, y: -100, scale: 1 };
  expect(within(inside, content, view)).toEqual(inside);
});

test("zooming keeps the point under the pointer where it is", () => {
  const before = { x: 10, y: 20, scale: 0.5 };
  const after = zoom(before, 1.7, 300, 200);
  expect(after.x + 300 / after.scale).toBeCloseTo(before.x + 300 / before.scale);
  expect(after.y + 200 / after.scale).toBeCloseTo(before.y + 200 / before.scale);
});

test("panning follows the pointer by pixels, at any scale", () => {
  expect(pan({ x: 0, y: 0, scale: 2 }, 10, -4)).toEqual({ x: -5, y: 2, scale: 2 });
});

test("showing moves only when a box is out of view, and then it is in view", () => {
  const camera = { x: 0, y: 0, scale: 1 };
  expect(showing(camera, { x: 100, y: 100, width: 50, height: 50 }, view)).toEqual(camera);
  const far = { x: 3000, y: -900, width: 50, height: 50 };
  const box = seen(showing(camera, far, view), view, 0);
  expect(overlap(box, far)).toBe(true);
});

test("an arrow key goes to the nearest box on that side, straight ahead before sideways", () => {
  const at = (x: number, y: number) => ({ x, y, width: 10, height: 10 });
  const [home, ahead, aside, behind] = [at(0, 0), at(100, 5), at(60, 90), at(-50, 0)];
  const all = [home, ahead, aside, behind];
  expect(neighbour(home, all, "right")).toBe(ahead);
  expect(neighbour(home, all, "down")).toBe(aside);
  expect(neighbour(home, all, "left")).toBe(behind);
  expect(neighbour(behind, all, "left")).toBeNull();
});

test("a drawing that has grown is seen whole while it can be read, else what was opened stays in view at its size", () => {
  const box = { x: 900, y: 0, width: 300, height: 100 };
  const [readable, vast] = [1400, 9000].map((width) => ({ x: 0, y: 0, width, height: 300 })) as [typeof box, typeof box];
  const before = { x: 0, y: 0, scale: 1 };
  expect(holds(before, readable, view)).toBe(false);
  expect(holds(settled(before, readable, view, box), readable, view)).toBe(true);
  expect(settled(before, { x: 0, y: 0, width: 900, height: 300 }, view, box)).toEqual(before);
  const held = settled(before, vast, view, box);
  expect(held.scale).toBe(1);
  expect(held.x + view.width).toBeGreaterThanOrEqual(box.x + box.width);
});
