/** Where the bars of a run's timetable lie. Times in seconds, places in fractions of the lane's width. */

export interface Span {
  queued: number | null;
  started: number | null;
  ended: number | null;
  /** Seconds. */
  load: number;
  compute: number;
  store: number;
}

export type Part = "queue" | "load" | "compute" | "wait" | "store";

export interface Piece {
  part: Part;
  left: number;
  width: number;
}

export interface Window {
  from: number;
  to: number;
}

/** The pieces of one bar, in order. The parts are scaled to fill the time from start to end, so that nothing is lost;
 * but when most of it is none of them, as of a generator whose values were being taken, the rest is a wait. */
export function pieces(span: Span, window: Window, now: number): Piece[] {
  const { started } = span;
  const whole = Math.max(window.to - window.from, 1e-9);
  const at = (time: number) => (time - window.from) / whole;
  const out: Piece[] = [];
  const put = (part: Part, from: number, to: number) => {
    if (to > from) out.push({ part, left: at(from), width: (to - from) / whole });
  };
  if (span.queued !== null) put("queue", span.queued, started ?? now);
  if (started === null) return out;
  const end = Math.max(span.ended ?? now, started);
  const parts = span.load + span.compute + span.store;
  if (parts <= 0 || span.ended === null) {
    put("compute", started, end);
    return out;
  }
  const waits = end - started - parts > Math.max(parts, 0.1);
  const scale = waits ? 1 : (end - started) / parts;
  const loaded = started + span.load * scale;
  const computed = loaded + span.compute * scale;
  put("load", started, loaded);
  put("compute", loaded, computed);
  const storing = end - span.store * scale;
  if (waits) put("wait", computed, storing);
  put("store", storing, end);
  return out;
}

const STEPS = [1, 2, 5];

/** Round times for the axis: at most `most` of them, at least two when the window is not empty. */
export function ticks(window: Window, most: number): number[] {
  const whole = window.to - window.from;
  if (whole <= 0) return [0];
  let step = 10 ** Math.floor(Math.log10(whole / most));
  let i = 0;
  while (whole / step > most) {
    i += 1;
    step = (STEPS[i % 3] as number) * 10 ** (Math.floor(Math.log10(whole / most)) + Math.floor(i / 3));
  }
  const out: number[] = [];
  for (let k = 0; k * step <= whole * 1.0001; k += 1) out.push(k * step);
  return out;
}

/** The window after zooming by `factor` around the fraction `at`, kept within `all`. */
export function zoomed(window: Window, all: Window, factor: number, at: number): Window {
  const fixed = window.from + (window.to - window.from) * at;
  const width = Math.min(all.to - all.from, Math.max((window.to - window.from) * factor, (all.to - all.from) / 5000));
  return kept({ from: fixed - width * at, to: fixed + width * (1 - at) }, all);
}

/** The window moved by a fraction of its width, kept within `all`. */
export function moved(window: Window, all: Window, by: number): Window {
  const shift = (window.to - window.from) * by;
  return kept({ from: window.from + shift, to: window.to + shift }, all);
}

function kept(window: Window, all: Window): Window {
  const width = Math.min(window.to - window.from, all.to - all.from);
  const from = Math.min(Math.max(window.from, all.from), all.to - width);
  return { from, to: from + width };
}

/** Where a bar's label stands: behind it or before it, as there is room; null where there is none, as its time and what
 * became of it stand beside its name, too. */
export function labelSide(begins: number, ends: number): "after" | "before" | null {
  if (ends <= 0.8) return "after";
  return begins > 0.12 ? "before" : null;
}
