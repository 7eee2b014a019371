import { expect, test } from "vitest";
import { type Drawing, unpacked } from "../logic/picture";
import { related, sceneOf, turned, wiresAt, wiresOfNode } from "./scene";

/** Boxes a, b beside each other, and c, to which the chain turns around, in the row below. */
function drawing(): Drawing {
  return unpacked({
    manifest: "m", width: 400, height: 200,
    nodes: {
      id: ["op:a", "op:b", "op:c"], kind: ["op", "op", "op"], label: ["a", "b", "c"], detail: ["", "", ""], title: ["", "", ""],
      badge: ["", "", ""], parent: [-1, -1, -1], x: [20, 200, 20], y: [0, 0, 100], width: [100, 100, 100], height: [40, 40, 40],
      asset: ["", "", ""], opens: [0, 0, 0], mapped: [0, 0, 0],
    },
    edges: {
      source: [0, 1, 0], target: [1, 2, 2], kind: ["value", "value", "order"], label: ["rows", "", ""], said: ["rows → table", "", ""],
      at: [0, -1, -1], until: [4, 14, 24],
      points: [120, 20, 200, 20, 300, 20, 310, 20, 310, 70, 10, 70, 10, 120, 120, 20, 160, 20, 160, 70, 10, 70, 10, 120],
    },
  });
}

test("the nearest line within reach is pointed at, with those of the same source that run together with it there", () => {
  const scene = sceneOf(drawing());
  const told = (x: number, y: number) => wiresAt(scene, x, y, 7).map((wire) => `${wire.source}>${wire.target}`);
  expect(told(190, 24)).toEqual(["op:a>op:b"]);
  expect(told(140, 20)).toEqual(["op:a>op:b", "op:a>op:c"]);
  expect(told(60, 180)).toEqual([]);
});

test("of a box the lines that come in are told before those that go out", () => {
  expect(wiresOfNode(sceneOf(drawing()), "op:b").map((wire) => wire.target)).toEqual(["op:b", "op:c"]);
});

test("to an open box belongs what lies in it, and what comes before and after that", () => {
  const boxed = drawing();
  boxed.nodes.push({ ...(boxed.nodes[0] as never as object), id: "asset:box", parent: null, open: true } as never);
  boxed.nodes[1] = { ...boxed.nodes[1], parent: "asset:box" } as never;
  boxed.nodes.push({ ...(boxed.nodes[0] as never as object), id: "op:other" } as never);
  expect([...related(sceneOf(boxed), "asset:box")].sort()).toEqual(["asset:box", "op:a", "op:b", "op:c"]);
});

test("at the end of its row a chain goes on in the next, and back; elsewhere keys go by what is seen", () => {
  const scene = sceneOf(drawing());
  const [a, b, c] = scene.leaves as [never, never, never];
  expect(turned(scene, b, "right")).toBe(c);
  expect(turned(scene, a, "right")).toBeNull();
  expect(turned(scene, c, "up")).toBeNull();
});
