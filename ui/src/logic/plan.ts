import type { PlanReply, PlannedStep, TreeRow } from "../api/types";

/** The steps of a plan by the definition that they are of, in the plan's order. */
export function units(steps: readonly PlannedStep[]): { unit: string; steps: PlannedStep[] }[] {
  const found = new Map<string, PlannedStep[]>();
  for (const step of steps) {
    const list = found.get(step.unit);
    if (list) list.push(step);
    else found.set(step.unit, [step]);
  }
  return [...found].map(([unit, list]) => ({ unit, steps: list }));
}

/** What resuming will do: of a fan-out that stays as it was, the keys that failed run and the others are reused. */
export function resumed(plan: PlanReply, rows: Iterable<TreeRow>): { counts: Record<string, number>; runs: string[] } {
  const counts = { ...plan.counts };
  const runs: string[] = [];
  const fans = new Map([...rows].filter((row) => row.mapped && row.kind !== "asset").map((row) => [row.key, row.counts]));
  const decided = new Map(plan.steps.map((step) => [step.n, step]));
  for (const step of plan.steps) {
    const keys = step.mapped && step.decision === "decide" ? fans.get(step.key) : undefined;
    const same = step.after.every((n) => decided.get(n)?.decision === "reuse" || decided.get(n)?.mapped);
    if (!keys || !same) {
      if (step.decision === "run" || step.decision === "decide") runs.push(step.key);
      continue;
    }
    const all = Object.values(keys).reduce((a, b) => a + b, 0);
    const kept = (keys["succeeded"] ?? 0) + (keys["reused"] ?? 0);
    if (all > kept) runs.push(`${step.key} × ${all - kept}`);
    counts["decide"] = (counts["decide"] ?? 0) - 1;
    counts["run"] = (counts["run"] ?? 0) + all - kept;
    counts["reuse"] = (counts["reuse"] ?? 0) + kept;
  }
  return { counts, runs };
}

/** What a plan's counts come to, in words for a button: `7 run · 6 reused`. */
export function summed(counts: Record<string, number>): { total: number; text: string } {
  const words = { run: "run", decide: "to be decided", reuse: "reused" } as const;
  const text = (Object.keys(words) as (keyof typeof words)[])
    .filter((name) => counts[name])
    .map((name) => `${counts[name]} ${words[name]}`)
    .join(" · ");
  return { total: (counts["run"] ?? 0) + (counts["decide"] ?? 0) + (counts["reuse"] ?? 0), text: text || "nothing to run" };
}
