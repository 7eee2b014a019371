import { expect, test } from "vitest";
import { Probe, flows, trace, unpacked } from "./picture";

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
    edges: { source: [], target: [], kind: [], label: [], said: [], at: [], until: [], points: [] },
  };
  const [box, op] = unpacked(sent).nodes;
  expect(box).toMatchObject({ asset: "7", step: null, parent: null, open: true, opens: true, mapped: false, title: "a" });
  expect(op).toMatchObject({ asset: null, step: "a.b", parent: "asset:a", open: false, opens: false, mapped: true, title: "a.b" });
});

test("what is said of a line is taken apart into output, input and type", () => {
  expect(flows("rows → table: dict[str, int]\nlimit\nand 3 more")).toEqual([
    { gives: "rows", takes: "table", type: "dict[str, int]" },
    { gives: "", takes: "limit", type: "" },
    { gives: "", takes: "and 3 more", type: "" },
  ]);
  expect(flows("")).toEqual([]);
});

test("how near a point is to a line is known on straight parts, in bends and where it turns around", () => {
  const near = (points: number[], x: number, y: number) => {
    const probe = new Probe(x, y);
    trace(probe, points, 0, points.length);
    return probe.nearest;
  };
  expect(near([0, 0, 100, 0], 50, 3)).toBeCloseTo(3);
  expect(near([0, 0, 100, 100], 50, 50)).toBeLessThan(1);
  expect(near([0, 0, 100, 100], 20, 80)).toBeGreaterThan(30);
  expect(near([0, 0, 0, 60], 16.5, 30)).toBeLessThan(1);
});
