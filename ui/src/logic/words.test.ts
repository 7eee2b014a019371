import { expect, test } from "vitest";
import type { FormField, LogLine, PlanReply, PlannedStep } from "../api/types";
import { onTheClock, packed } from "./lanes";
import { chosenLines } from "./logs";
import { blocks, spans } from "./markdown";
import { running, summed, tally, units } from "./plan";
import { isPlain, matching, opsNamed } from "./search";
import { series } from "./series";
import { asBefore, configOf, read, tagsOf } from "./settings";
import { isOver, look, together } from "./status";
import { titled } from "./titles";
import { partly } from "./tree";

test("a setting is read as its type says, and an empty one is unset", () => {
  expect(read({ type: "int" }, "12")).toEqual({ value: 12 });
  expect(read({ type: "int" }, "1.5")).toEqual({ wrong: "a whole number" });
  expect(read({ type: "float" }, "3e-4")).toEqual({ value: 0.0003 });
  expect(read({ type: "json" }, "[1,")).toHaveProperty("wrong");
  expect(read({ type: "str" }, "12")).toEqual({ value: "12" });
  expect(read({ type: "bool" }, "")).toEqual({});
});

test("the configuration has flat keys, only of what was set, and says what is wrong by path", () => {
  const field = (path: string, type: string, choices: unknown[] = []) => ({ path, type, choices }) as FormField;
  const fields = [field("a.n", "int"), field("a.mode", "enum", ["fast", 3]), field("a.s", "str"), field("b.bad", "float")];
  const { config, wrong } = configOf(fields, new Map([["a.n", "7"], ["a.mode", "1"], ["b.bad", "x"]]));
  expect(config).toEqual({ "a.n": 7, "a.mode": 3 });
  expect([...wrong.keys()]).toEqual(["b.bad"]);
});

test("tags are read as on the command line", () => {
  expect(tagsOf("team=data, nightly=, a=b=c,,")).toEqual({ team: "data", nightly: "", a: "b=c" });
});

test("what the engine did stands among the lines by time; a search looks at text and op", () => {
  const line = (id: number, kind: string, n: number, text: string) => ({ id, kind, n, text, step: `op_${n}`, time: id < 0 ? 1.5 : id }) as LogLine;
  const lines = [line(1, "stdout", 0, "Rows 12"), line(3, "log", 1, "done")];
  const chosen = (search: string, events: boolean, step: number | null) =>
    chosenLines(lines, events ? [line(-1, "event", 0, "started")] : [], { search, step }).map((each) => each.id);
  expect(chosen("", false, null)).toEqual([1, 3]);
  expect(chosen("", true, 0)).toEqual([1, -1]);
  expect(chosen("rows", false, null)).toEqual([1]);
  expect(chosen("op_1", false, null)).toEqual([3]);
});

test("a search finds keys that begin so first, then those that have it in them, then groups and kinds", () => {
  const asset = (key: string, group = "default") => ({ key, group, kinds: [], owners: [], description: "" });
  const found = matching([asset("x", "raw"), asset("the_raw"), asset("raw_a"), asset("none")], "RAW");
  expect(found.map((each) => each.key)).toEqual(["raw_a", "the_raw", "x"]);
});

test("a few letters are looked for while one types; a selection is not", () => {
  expect(["raw", "raw/orders", "the orders", "a-b"].map(isPlain)).toEqual([true, true, true, true]);
  expect(["group:raw", "+totals", "a or b", "not a", "*"].map(isPlain)).toEqual([false, false, false, false, false]);
});

test("ops are found by their names, those that begin so first; assets are not ops", () => {
  const keys = ["boom", "sales.raw.unboom", "sales.boom_300", "sales.add"];
  expect(opsNamed(keys, "Boom", 8)).toEqual(["sales.boom_300", "sales.raw.unboom"]);
  expect(opsNamed(keys, "boom", 1)).toEqual(["sales.boom_300"]);
  expect(opsNamed(keys, "b", 8)).toEqual([]);
});

test("a plan's steps are put together by definition, and its counts are words", () => {
  const step = (unit: string, n: number) => ({ unit, n }) as PlannedStep;
  expect(units([step("a", 0), step("b", 1), step("a", 2)]).map((u) => [u.unit, u.steps.length])).toEqual([["a", 2], ["b", 1]]);
  expect(summed({ run: 7, reuse: 6, skip: 2 })).toEqual({ total: 13, text: "7 run · 6 reused" });
  expect(summed({})).toEqual({ total: 0, text: "nothing to run" });
});

test("of a fan-out that is gone on with, its keys are counted and named", () => {
  const step = (key: string, decision: string, keys = {}) => ({ key, decision, keys }) as PlannedStep;
  const steps = [step("deal", "reuse"), step("each", "decide", { run: 6, reuse: 194 }), step("whole", "decide", { run: 0, reuse: 9 }), step("a", "run"), step("memo", "decide")];
  expect(running({ steps } as unknown as PlanReply)).toEqual(["each × 6", "a", "memo"]);
  expect(tally(steps)).toEqual({ reuse: 204, run: 7, decide: 1 });
});

test("runs at the same time lie in lanes of their own, others share one", () => {
  const run = (started: number, ended: number | null) => ({ started, ended });
  const lanes = packed([run(5, 6), run(0, 4), run(1, null), run(2, 3)], 10, 0);
  expect(lanes.map((lane) => lane.map((each) => each.started))).toEqual([[0, 5], [1], [2]]);
});

test("marks of the timeline are at round times and few", () => {
  for (const whole of [3600, 21_600, 86_400, 604_800]) {
    const found = onTheClock(1_700_000_123, 1_700_000_123 + whole, 8);
    expect(found.length).toBeGreaterThan(2);
    expect(found.length).toBeLessThanOrEqual(8);
    expect(found.every((each) => each.at % 60 === 0)).toBe(true);
  }
});

test("numbers in metadata become series, the oldest first; other values do not", () => {
  const made = (at: number, rows: unknown) => ({ at, run_id: `r${at}`, size: 0, metadata: [{ name: "rows", kind: "int", value: rows }] });
  expect(series([made(2, 20), made(1, 10), made(0, "many")])).toEqual([
    { name: "rows", points: [{ at: 1, value: 10, run: "r1" }, { at: 2, value: 20, run: "r2" }] },
  ]);
});

test("Markdown is read into blocks, and what looks like markup stays text", () => {
  expect(blocks("# T\n\none\ntwo\n\n- a\n- `b`\n\n|x|y|\n|-|-|\n|1|2|\n\n```\n<b>\n```").map((block) => block.kind)).toEqual(["heading", "paragraph", "list", "table", "code"]);
  expect(spans("<script>alert(1)</script>")).toEqual([{ kind: "text", text: "<script>alert(1)</script>" }]);
  expect(spans("**a** [b](javascript:x)").at(-1)).toEqual({ kind: "link", text: "b", to: "javascript:x" });
});

test("a list, a table or a fence that never ends ends with the text", () => {
  expect(blocks("```\nopen").map((block) => block.kind)).toEqual(["code"]);
  expect(blocks("- a\n* b").length).toBe(1);
  expect(blocks("a | b\nno table").map((block) => block.kind)).toEqual(["paragraph"]);
});

test("every status has a word of its own, also one that is new", () => {
  expect(look("STARTED").word).toBe("running");
  expect(look("SOMETHING_NEW")).toEqual({ tone: "idle", icon: "dot", word: "something new" });
  expect([isOver("SUCCESS"), isOver("DIED"), isOver("CANCELING")]).toEqual([true, true, false]);
});

test("several ops together stand as the one that matters most", () => {
  expect(together(["succeeded", "failed", null])).toBe("failed");
  expect(together(["succeeded", "pending"])).toBe("pending");
  expect(together([null, null])).toBeNull();
});

test("what a run had is the default when it is gone on with, and only what it lacks is asked for", () => {
  const field = { path: "revenue.clean.limit", name: "limit", type: "int", default: 10, required: true } as FormField;
  const config = { ops: { revenue: { ops: { clean: { config: { limit: 0 } } } } }, resources: { db: { config: { url: "x" } } } };
  expect(asBefore(field, config, false)).toMatchObject({ default: 0, required: false });
  expect(asBefore({ ...field, path: "resources.db.url" }, config, false).default).toBe("x");
  expect(asBefore({ ...field, path: "revenue.clean.other" }, config, true)).toMatchObject({ default: 10, required: true });
});

test("a run is called by what it was asked for: some ops, a job, or its assets", () => {
  const run = { selection: ["a", "b", "c", "d", "e"], selected: 10, steps: [], job: "" };
  expect(titled(run, 10)).toBe("all 10 assets");
  expect(titled(run, 12)).toBe("a, b, c, d and 6 more");
  expect(titled({ ...run, steps: ["a.split"] }, 10)).toBe("only a.split");
  expect(titled({ ...run, steps: ["a.sum[FR]*"] }, 10)).toBe("from a.sum[FR] on");
  expect(titled({ ...run, selection: ["b"], selected: 1, job: "only_b" }, 10)).toBe("job only_b");
  expect(titled({ selection: [], selected: 0, steps: ["x", "y"], job: "etl" }, 10)).toBe("job etl, only x, y");
});

test("of a fan-out that was reused in part it is told how many ops ran", () => {
  expect(partly({ succeeded: 4, failed: 1, reused: 195 })).toBe("5 of 200 ran");
  expect([partly({ succeeded: 5 }), partly(null)]).toEqual(["", ""]);
});
