import { expect, test } from "vitest";
import { labelSide, moved, pieces, ticks, zoomed } from "./gantt";

const window = { from: 100, to: 110 };
const span = { queued: 100, started: 102, ended: 107, load: 1, compute: 3, store: 1 };

test("a finished bar is queue, load, compute and store, and they fill the time from start to end", () => {
  const found = pieces(span, window, 0);
  expect(found.map((p) => p.part)).toEqual(["queue", "load", "compute", "store"]);
  expect(found.map((p) => Number(p.left.toFixed(3)))).toEqual([0, 0.2, 0.3, 0.6]);
  expect(found.reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(0.7);
});

test("parts that were measured shorter than the whole are stretched, so that nothing is missing", () => {
  const found = pieces({ ...span, load: 0, compute: 1.5, store: 1.5 }, window, 0);
  expect(found.slice(1).reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(0.5);
});

test("most of a generator's time is a wait when others took its values meanwhile", () => {
  const found = pieces({ ...span, load: 0, compute: 1, store: 1 }, window, 0);
  expect(found.map((p) => [p.part, Number(p.width.toFixed(3))])).toEqual([["queue", 0.2], ["compute", 0.1], ["wait", 0.3], ["store", 0.1]]);
});

test("a step that runs is one piece up to now, and one that waits is its queue", () => {
  expect(pieces({ ...span, ended: null }, window, 109).map((p) => [p.part, p.width])).toEqual([["queue", 0.2], ["compute", 0.7]]);
  expect(pieces({ ...span, started: null, ended: null }, window, 105)).toEqual([{ part: "queue", left: 0, width: 0.5 }]);
});

test("the axis has round marks, never more than asked for", () => {
  for (const whole of [0.003, 0.7, 8.2, 61, 4000]) {
    for (const most of [2, 5, 9]) {
      const found = ticks({ from: 0, to: whole }, most);
      expect(found.length).toBeLessThanOrEqual(most + 1);
      expect(found.length).toBeGreaterThanOrEqual(2);
      expect(found.at(-1)).toBeLessThanOrEqual(whole * 1.001);
    }
  }
  expect(ticks({ from: 0, to: 8.2 }, 5)).toEqual([0, 2, 4, 6, 8]);
});

test("zooming keeps the point under the pointer, and never leaves the run", () => {
  const all = { from: 0, to: 100 };
  const near = zoomed(all, all, 0.5, 0.25);
  expect(near.from + (near.to - near.from) * 0.25).toBeCloseTo(25);
  expect(zoomed(near, all, 99, 0.5)).toEqual(all);
  expect(moved(near, all, -5).from).toBe(0);
  expect(moved(near, all, 50).to).toBe(100);
});

test("a label stands where there is room for it", () => {
  expect(labelSide(0.1, 0.5)).toBe("after");
  expect(labelSide(0.4, 1)).toBe("before");
  expect(labelSide(0.02, 1)).toBeNull();
});
