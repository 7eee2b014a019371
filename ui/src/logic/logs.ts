import type { LogLine } from "../api/types";

/** The lines to show, in the order of time: what was said and what the engine did, of one step or of all, with some text in them. */
export function chosenLines(lines: readonly LogLine[], events: readonly LogLine[], by: { search: string; step: number | null }): LogLine[] {
  const wanted = by.search.toLowerCase();
  const all = events.length ? [...lines, ...events].sort((a, b) => a.time - b.time) : lines;
  return all.filter(
    (line) =>
      (by.step === null || line.n === by.step) &&
      (!wanted || line.text.toLowerCase().includes(wanted) || line.step.toLowerCase().includes(wanted)),
  );
}
