import type { LogLine } from "../api/types";

/** The lines to show: the engine's events only when asked for, of one step or of all, and with some text in them. */
export function chosenLines(lines: readonly LogLine[], by: { search: string; events: boolean; step: number | null }): LogLine[] {
  const wanted = by.search.toLowerCase();
  return lines.filter(
    (line) =>
      (by.events || line.kind !== "event") &&
      (by.step === null || line.n === by.step) &&
      (!wanted || line.text.toLowerCase().includes(wanted) || line.step.toLowerCase().includes(wanted)),
  );
}
