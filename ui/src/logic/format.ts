/** Numbers, times and sizes as people read them. Times are seconds unless a name says otherwise. */

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  if (seconds < 0) return "0 s";
  if (seconds < 0.0005) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.01) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const SIZES = ["kB", "MB", "GB", "TB"];

export function size(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = "B";
  for (const next of SIZES) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** The size of what an op stored last; a dash where it stored nothing, as when it failed. */
export function stored(op: { size: number; status: string | null }): string {
  return op.size || op.status === "succeeded" ? size(op.size) : "–";
}

export function count(n: number): string {
  return n.toLocaleString("en-US");
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A number of a user's: as many digits as say something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return count(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumSignificantDigits: size >= 1000 ? 6 : 4 });
}

/** How long ago, in one unit. `now` and `then` in seconds since 1970. */
export function ago(then: number | null | undefined, now: number): string {
  if (then === null || then === undefined) return "never";
  const passed = Math.max(0, now - then);
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  if (passed < 86400 * 60) return plural(Math.floor(passed / 86400), "day") + " ago";
  return new Date(then * 1000).toISOString().slice(0, 10);
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

/** A moment in the reader's time zone: the day only if it is not today. */
export function moment(then: number, now: number): string {
  const date = new Date(then * 1000);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === new Date(now * 1000).toDateString()) return clock;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** A moment with milliseconds, for logs. */
export function clock(then: number): string {
  const date = new Date(then * 1000);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** The first part of a run's id, which is what people say. */
export function short(id: string): string {
  return id.slice(0, 8);
}

/** The last part of a step's key: `a.b.c[x]` gives `c[x]`. */
export function leaf(key: string): string {
  const bracket = key.indexOf("[");
  const dot = key.lastIndexOf(".", bracket < 0 ? undefined : bracket);
  return key.slice(dot + 1);
}
