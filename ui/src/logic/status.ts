import type { IconName } from "../parts/icons";

/** What a status is called, which colour it has and which glyph: the same for assets, steps and runs. */
export type Tone = "ok" | "run" | "bad" | "stale" | "reuse" | "idle";

interface Look {
  tone: Tone;
  icon: IconName;
  word: string;
}

const LOOKS: Record<string, Look> = {
  // assets
  fresh: { tone: "ok", icon: "check", word: "fresh" },
  stale: { tone: "stale", icon: "clock", word: "stale" },
  never: { tone: "idle", icon: "ring", word: "never made" },
  external: { tone: "idle", icon: "ring", word: "made elsewhere" },
  // runs
  success: { tone: "ok", icon: "check", word: "succeeded" },
  failure: { tone: "bad", icon: "cross", word: "failed" },
  queued: { tone: "idle", icon: "clock", word: "queued" },
  starting: { tone: "run", icon: "spin", word: "starting" },
  started: { tone: "run", icon: "spin", word: "running" },
  canceling: { tone: "stale", icon: "spin", word: "stopping" },
  canceled: { tone: "stale", icon: "stop", word: "canceled" },
  died: { tone: "bad", icon: "cross", word: "died" },
  // steps
  pending: { tone: "idle", icon: "dot", word: "waiting" },
  running: { tone: "run", icon: "spin", word: "running" },
  retrying: { tone: "stale", icon: "reuse", word: "to be tried again" },
  succeeded: { tone: "ok", icon: "check", word: "done" },
  failed: { tone: "bad", icon: "cross", word: "failed" },
  skipped: { tone: "idle", icon: "skip", word: "skipped" },
  blocked: { tone: "idle", icon: "skip", word: "not reached" },
  reused: { tone: "reuse", icon: "reuse", word: "reused" },
  interrupted: { tone: "stale", icon: "stop", word: "interrupted" },
  // plans
  run: { tone: "run", icon: "play", word: "run" },
  reuse: { tone: "reuse", icon: "reuse", word: "reuse" },
  skip: { tone: "idle", icon: "skip", word: "skip" },
  decide: { tone: "stale", icon: "clock", word: "decide" },
};

export function look(status: string | null | undefined): Look {
  const key = (status ?? "pending").toLowerCase();
  return LOOKS[key] ?? { tone: "idle", icon: "dot", word: key.replaceAll("_", " ") };
}

const WORST = ["failed", "running", "retrying", "interrupted", "blocked", "pending", "succeeded", "reused", "skipped"];

/** One status for several ops: the one that a person would want to know of. Null: none of them ever ran. */
export function together(statuses: readonly (string | null)[]): string | null {
  return WORST.find((each) => statuses.includes(each)) ?? null;
}

const OVER = new Set(["success", "failure", "canceled", "died", "failed", "interrupted"]);

/** Whether a run with this status will not change any more. */
export function isOver(status: string): boolean {
  return OVER.has(status.toLowerCase());
}
