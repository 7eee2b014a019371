interface Timed {
  started: number;
  ended: number | null;
}

/** Runs put into as few lanes as they need not to overlap, with a gap of at least `gap` seconds; the earliest first. */
export function packed<T extends Timed>(runs: readonly T[], now: number, gap: number): T[][] {
  const lanes: { until: number; runs: T[] }[] = [];
  for (const run of [...runs].sort((a, b) => a.started - b.started)) {
    const until = Math.max(run.ended ?? now, run.started) + gap;
    const lane = lanes.find((each) => each.until <= run.started);
    if (lane) {
      lane.runs.push(run);
      lane.until = until;
    } else lanes.push({ until, runs: [run] });
  }
  return lanes.map((lane) => lane.runs);
}

const EVERY = [60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** Marks at round times of the reader's clock between two moments: at most about `most` of them. */
export function onTheClock(from: number, to: number, most: number): { at: number; text: string }[] {
  const every = EVERY.find((each) => (to - from) / each <= most) ?? 86_400;
  const zone = -60 * new Date(from * 1000).getTimezoneOffset();
  const out: { at: number; text: string }[] = [];
  for (let at = Math.ceil((from + zone) / every) * every - zone; at < to - (to - from) * 0.03; at += every) {
    const date = new Date(at * 1000);
    const text = every >= 86_400 ? date.toLocaleDateString(undefined, { weekday: "short", day: "numeric" }) : date.toTimeString().slice(0, 5);
    out.push({ at, text });
  }
  return out;
}
