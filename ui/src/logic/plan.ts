import type { PlanReply, PlannedStep } from "../api/types";

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

/** What will run, by name: of a fan-out that stays as it was, how many of its keys. */
export function running(plan: PlanReply): string[] {
  return plan.steps.flatMap((step) => {
    const again = step.keys["run"];
    if (again !== undefined) return again ? [`${step.key} × ${again}`] : [];
    return step.decision === "run" || step.decision === "decide" ? [step.key] : [];
  });
}

/** How many steps of a plan are to run, to be reused, ... */
export function tally(steps: readonly PlannedStep[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const { keys, decision } of steps)
    for (const [name, n] of keys["run"] === undefined ? [[decision, 1] as const] : Object.entries(keys)) if (n) out[name] = (out[name] ?? 0) + n;
  return out;
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
