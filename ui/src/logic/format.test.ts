import { expect, test } from "vitest";
import { ago, duration, figure, leaf, moment, plural, size } from "./format";

test("a duration has one unit, or two from a minute on", () => {
  const read = [0.0000063, 0.0045, 0.25, 0.9996, 3.94, 12.4, 59.6, 61, 3599, 3725].map(duration);
  expect(read).toEqual(["6 µs", "4.5 ms", "250 ms", "1.0 s", "3.9 s", "12 s", "1 min 0 s", "1 min 1 s", "59 min 59 s", "1 h 2 min"]);
});

test("no duration is no text, and a clock that went back is no time at all", () => {
  expect([duration(null), duration(undefined), duration(Number.NaN), duration(-3)]).toEqual(["", "", "", "0 s"]);
});

test("a size is in decimal units, with a digit behind the point below ten", () => {
  expect([0, 999, 1000, 64_500, 999_600, 1_843_200, 5e12].map(size)).toEqual(["0 B", "999 B", "1.0 kB", "65 kB", "1.0 MB", "1.8 MB", "5.0 TB"]);
});

test("ago counts in the largest unit that fits", () => {
  const now = 1_700_000_000;
  expect([2, 30, 90, 7300, 86_400, 86_400 * 3].map((s) => ago(now - s, now))).toEqual(["just now", "30 s ago", "1 min ago", "2 h ago", "1 day ago", "3 days ago"]);
  expect(ago(null, now)).toBe("never");
});

test("a moment of today is a clock time, another has its day", () => {
  const noon = new Date(2026, 5, 3, 12, 0, 7).getTime() / 1000;
  expect(moment(noon, noon + 60)).toBe("12:00:07");
  expect(moment(noon, noon + 86_400 * 2)).toBe("2026-06-03 12:00:07");
});

test("a user's number keeps the digits that say something", () => {
  expect([336776, 12.639, 0.00001234, 1234.5678, 2.5e9 + 0.5].map(figure)).toEqual(["336,776", "12.64", "1.23e-5", "1,234.57", "2.50e+9"]);
});

test("the last part of a key keeps its mapping keys, dots in them too", () => {
  expect(["a.b.c", "top", "a.b[x.y]", "a.b[x][y]"].map(leaf)).toEqual(["c", "top", "b[x.y]", "b[x][y]"]);
});

test("one is not many", () => {
  expect([plural(1, "op"), plural(2000, "op"), plural(0, "entry", "entries")]).toEqual(["1 op", "2,000 ops", "0 entries"]);
});
