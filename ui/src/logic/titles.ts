import type { RunSummary } from "../api/types";

/** What a run is called by. */
export type Named = Pick<RunSummary, "selection" | "selected" | "steps" | "job">;

/** What a run was asked for: only some ops, else a job, else its assets, of `all` that there are. */
export function titled({ selection, selected, steps, job }: Named, all: number | undefined): string {
  const names = selection.slice(0, 4).join(", ");
  const more = selected - Math.min(4, selection.length);
  const whole = job ? `job ${job}` : more > 0 && selected === all ? `all ${all} assets` : `${names}${more > 0 ? ` and ${more} more` : ""}`;
  if (steps.length === 0) return whole;
  const ops = `${steps.slice(0, 4).map((step) => step.replace(/\*$/, "")).join(", ")}${steps.length > 4 ? ` and ${steps.length - 4} more` : ""}`;
  return `${job ? `${whole}, ` : ""}${steps[0]?.endsWith("*") ? `from ${ops} on` : `only ${ops}`}`;
}
