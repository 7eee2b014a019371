import { expect, test } from "vitest";
import { trace, unpacked } from "./picture";

function drawn(points: number[]): string[] {
  const said: string[] = [];
  const pen = {
    moveTo: (...to: number[]) => said.push(`M${to}`),
    lineTo: (...to: number[]) => said.push(`L${to}`),
    bezierCurveTo: (...to: number[]) => said.push(`C${to}`),
  };
  trace(pen as unknown as Parameters<typeof trace>[0], points, 0, points.length);
  return said;
}

test("a line is straight between stations of one height and bends half-way between others", () => {
  expect(drawn([0, 5, 10, 5, 30, 9])).toEqual(["M0,5", "L10,5", "C20,5,20,9,30,9"]);
});

test("a line that goes back turns around on the right, and on the left again", () => {
  expect(drawn([50, 0, 50, 40, 10, 40, 10, 0])).toEqual(["M50,0", "C72,0,72,40,50,40", "L10,40", "C-12,40,-12,0,10,0"]);
});

test("boxes come whole out of the columns in which they were sent", () => {
  const sent = {
    manifest: "m",
    width: 1,
    height: 1,
    nodes: {
      id: ["asset:a", "op:a.b"], kind: ["asset", "op"], label: ["a", "b"], detail: ["", ""], title: ["", ""], badge: ["1 op", ""],
      parent: [-1, 0], x: [0, 1], y: [0, 1], width: [9, 2], height: [9, 2], asset: ["7", ""], opens: [1, 0], mapped: [0, 1],
    },
    edges: { source: [], target: [], kind: [], label: [], until: [], points: [] },
  };
  const [box, op] = unpacked(sent).nodes;
  expect(box).toMatchObject({ asset: "7", step: null, parent: null, open: true, opens: true, mapped: false, title: "a" });
  expect(op).toMatchObject({ asset: null, step: "a.b", parent: "asset:a", open: false, opens: false, mapped: true, title: "a.b" });
});
