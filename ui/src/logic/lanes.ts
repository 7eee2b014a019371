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
