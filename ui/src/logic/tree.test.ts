import { expect, test } from "vitest";
import type { RunDelta, TreeRow } from "../api/types";
import { NOTHING, above, atEnd, counted, fanned, folded, joined, openAtFirst, shares, shown, underWay } from "./tree";

function row(id: string, parent: string | null, more: Partial<TreeRow> = {}): TreeRow {
  const bare = { path: id, key: id, assets: [], decision: "run", reason: "", counts: {}, attempts: 0, started: null, ended: null, reused_from: null, because: "", message: "" };
  const times = { queue_us: 0, load_us: 0, compute_us: 0, store_us: 0 };
  return { ...bare, id, parent, name: id, depth: 0, kind: "op", n: null, status: "pending", expandable: false, mapped: false, times, ...more } as TreeRow;
}

const asset = row("a", null, { kind: "asset", expandable: true });
const op = row("a.x", "a", { n: 0 });
const fan = row("a.f", "a", { n: 1, mapped: true, expandable: true });
const tree = folded(NOTHING, [asset, op, fan], "");
const ids = (rows: TreeRow[]) => rows.map((each) => each.id);

test("only what lies in open rows is shown, in the plan's order", () => {
  expect(ids(shown(tree, new Set()))).toEqual(["a"]);
  expect(ids(shown(tree, new Set(["a"])))).toEqual(["a", "a.x", "a.f"]);
});

test("a delta replaces rows in their place", () => {
  const next = folded(tree, [{ ...op, status: "running" }]);
  expect(shown(next, new Set(["a"])).map((each) => each.status)).toEqual(["pending", "running", "pending"]);
  expect(tree.rows.get("a.x")?.status).toBe("pending");
});

test("the keys of a fan-out are taken in once it was opened, and each once", () => {
  const key = row("a.f[1]", "a.f", { kind: "key", n: 9 });
  expect(folded(tree, [key]).rows.has("a.f[1]")).toBe(false);
  const opened = folded(folded(tree, [], "a.f"), [key, key]);
  expect(ids(shown(opened, new Set(["a", "a.f"])))).toEqual(["a", "a.x", "a.f", "a.f[1]"]);
});

test("rows of something that is not on the page are left out", () => {
  expect(folded(tree, [row("z.y", "z")]).rows.size).toBe(3);
});

test("nothing new is the same tree, so that nothing is drawn again", () => {
  expect(folded(tree, [])).toBe(tree);
});

test("a small run begins open but for its fan-outs; a large one shows where it failed", () => {
  expect([...openAtFirst(tree)]).toEqual(["a"]);
  const tops = ["p", "q"].map((id) => row(id, null, { kind: "asset", expandable: true }));
  const many = Array.from({ length: 60 }, (_, i) => row(`q.${i}`, "q", { n: i, status: i === 30 ? "failed" : "succeeded" }));
  expect([...openAtFirst(folded(NOTHING, [...tops, ...many], ""))]).toEqual(["q"]);
});

test("above gives the rows around a row, the nearest first", () => {
  const deep = folded(tree, [row("a.g", "a", { expandable: true }), row("a.g.h", "a.g")]);
  expect(above(deep, "a.g.h")).toEqual(["a.g", "a"]);
});

test("several deltas are one: the last row of each id, every line, the last counts", () => {
  const delta = (seq: number, rows: TreeRow[]): RunDelta => ({ run: {} as RunDelta["run"], seq, counts: { running: seq }, total: 2, rows, lines: [{ id: seq } as RunDelta["lines"][0]], lagging: false });
  const one = joined([delta(1, [op]), delta(2, [{ ...op, status: "succeeded" }, asset])]);
  expect(one?.seq).toBe(2);
  expect(one?.counts).toEqual({ running: 2 });
  expect(one?.rows.map((each) => [each.id, each.status])).toEqual([["a.x", "succeeded"], ["a", "pending"]]);
  expect(one?.lines.map((line) => line.id)).toEqual([1, 2]);
  expect(joined([])).toBeNull();
});

test("counts say first what went wrong", () => {
  expect(counted({ succeeded: 180, failed: 3, pending: 0, reused: 17 })).toBe("3 failed · 180 done · 17 reused");
});

test("of a fan-out a box says what failed and what is done, and before anything is, how it stands", () => {
  expect(fanned("pending", {})).toBe("waiting");
  expect(fanned("running", { running: 2 })).toBe("running");
  expect(fanned("running", { running: 1, succeeded: 1200, pending: 3 })).toBe("1,200 done");
  expect(fanned("failed", { failed: 4, succeeded: 26 })).toBe("4 failed · 26 done");
  expect(fanned("succeeded", {})).toBe("no values");
  expect(fanned("blocked", {})).toBe("not reached");
  expect(shares({ succeeded: 3, pending: 2 }).filter(({ n }) => n > 0)).toEqual([{ tone: "ok", n: 3 }]);
});

test("what still waits when the run is over was not reached, in its row and in counts", () => {
  const ended = atEnd(folded(tree, [{ ...op, status: "succeeded" }, { ...asset, status: "interrupted", counts: { pending: 2, blocked: 1 } }]));
  expect([...ended.rows.values()].map((each) => each.status)).toEqual(["interrupted", "succeeded", "blocked"]);
  expect(counted(ended.rows.get("a")?.counts ?? {})).toBe("3 not reached");
  expect(counted({ blocked: 1, pending: 2 })).toBe("1 not reached · 2 waiting");
  expect(counted({ blocked: 1, pending: 2 }, true)).toBe("3 not reached");
});

test("the op that runs is known of the rows around it", () => {
  const going = underWay(folded(tree, [{ ...op, status: "running" }, { ...asset, status: "running" }]));
  expect([...going].map(([id, row]) => [id, row.id])).toEqual([["a", "a.x"]]);
});
