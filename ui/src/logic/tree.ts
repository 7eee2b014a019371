import type { RunDelta, TreeRow } from "../api/types";
import { count } from "./format";
import { type Tone, look } from "./status";

/** The rows of a run as far as they are known. `below` has a key for each row whose rows were asked for; "" the top. */
export interface RunTree {
  rows: Map<string, TreeRow>;
  below: Map<string, string[]>;
}

export const NOTHING: RunTree = { rows: new Map(), below: new Map() };

/** The tree with rows as they are now. A row below a fan-out that was not opened is left out. */
export function folded(tree: RunTree, rows: readonly TreeRow[], opened?: string): RunTree {
  if (rows.length === 0 && opened === undefined) return tree;
  const known = new Map(tree.rows);
  const below = new Map(tree.below);
  const own = new Set<string>(); // lists that were copied here already
  const listOf = (parent: string) => {
    const list = below.get(parent);
    if (list && own.has(parent)) return list;
    const copy = [...(list ?? [])];
    own.add(parent);
    below.set(parent, copy);
    return copy;
  };
  if (opened !== undefined) listOf(opened);
  for (const row of rows) {
    const parent = row.parent ?? "";
    if (known.has(row.id)) {
      known.set(row.id, row);
      continue;
    }
    const above = row.parent === null ? null : known.get(row.parent);
    if (above === undefined) continue; // a row of something not on the page
    if (above?.mapped && !below.has(parent)) continue;
    known.set(row.id, row);
    listOf(parent).push(row.id);
  }
  return { rows: known, below };
}

/** The rows on the screen, top to bottom: those whose parents are all open. */
export function shown(tree: RunTree, open: ReadonlySet<string>): TreeRow[] {
  const out: TreeRow[] = [];
  const walk = (parent: string) => {
    for (const id of tree.below.get(parent) ?? []) {
      const row = tree.rows.get(id);
      if (!row) continue;
      out.push(row);
      if (open.has(id)) walk(id);
    }
  };
  walk("");
  return out;
}

/** Rows above a row, the nearest first. */
export function above(tree: RunTree, id: string): string[] {
  const out: string[] = [];
  for (let row = tree.rows.get(id); row?.parent; row = tree.rows.get(row.parent)) out.push(row.parent);
  return out;
}

const FEW = 40;

/** What is open at first: everything when that is not much, else what failed, and the top when it is alone. */
export function openAtFirst(tree: RunTree): Set<string> {
  const open = new Set<string>();
  const all = [...tree.rows.values()];
  const tops = tree.below.get("") ?? [];
  for (const row of all) {
    if (row.mapped || !row.expandable) continue;
    if (all.length <= FEW || (tops.length === 1 && row.id === tops[0])) open.add(row.id);
  }
  for (const row of all) if (row.status === "failed" && row.n !== null) for (const id of above(tree, row.id)) open.add(id);
  return open;
}

/** Several deltas as one, so that a screen is drawn once for them. */
export function joined(deltas: readonly RunDelta[]): RunDelta | null {
  const last = deltas.at(-1);
  if (!last) return null;
  const rows = new Map<string, TreeRow>();
  for (const delta of deltas) for (const row of delta.rows) rows.set(row.id, row);
  return { ...last, rows: [...rows.values()], lines: deltas.flatMap((d) => d.lines), lagging: deltas.some((d) => d.lagging) };
}

/** What still waits when its run is over was not reached. */
function leftOver({ pending = 0, ...counts }: Record<string, number>): Record<string, number> {
  return pending ? { ...counts, blocked: (counts["blocked"] ?? 0) + pending } : counts;
}

/** The tree of a run that is over, in the same words. */
export function atEnd(tree: RunTree): RunTree {
  const rows = [...tree.rows].map(([id, row]): [string, TreeRow] => {
    const waits = row.status === "pending";
    return [id, waits || row.counts["pending"] ? { ...row, status: waits ? "blocked" : row.status, counts: leftOver(row.counts) } : row];
  });
  return { ...tree, rows: new Map(rows) };
}

/** What runs below each row, by the row's id: the first op of it. */
export function underWay(tree: RunTree): Map<string, TreeRow> {
  const found = new Map<string, TreeRow>();
  for (const row of tree.rows.values()) {
    if (row.status === "running" && row.n !== null && row.kind !== "key") for (const id of above(tree, row.id)) if (!found.has(id)) found.set(id, row);
  }
  return found;
}

/** A line of words for the counts of a fan-out or of a run: what went wrong first. */
export function counted(standing: Record<string, number>, over = false): string {
  const counts = over ? leftOver(standing) : standing;
  const order = ["failed", "running", "retrying", "succeeded", "reused", "interrupted", "blocked", "skipped", "pending"];
  const words: Record<string, string> = { succeeded: "done", blocked: "not reached", pending: "waiting", retrying: "to be tried again" };
  return order
    .filter((name) => counts[name])
    .map((name) => `${(counts[name] ?? 0).toLocaleString("en-US")} ${words[name] ?? name}`)
    .join(" · ");
}

/** Of a fan-out of which some was reused, how many ops ran: the time that it took is theirs. */
export function partly(counts: Record<string, number> | null): string {
  const { reused = 0, ...ran } = counts ?? {};
  return reused ? `${count(allOf(ran))} of ${count(reused + allOf(ran))} ran` : "";
}

/** How many ops were made of a fan-out so far. */
export function allOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

/** What is said of a fan-out where there is little room: what failed and what is done; before anything is, how it stands. */
export function fanned(status: string, counts: Record<string, number>): string {
  const { running: _running, pending: _pending, ...settled } = counts;
  if (allOf(counts) === 0 && (status === "succeeded" || status === "reused")) return "no values";
  return counted(settled) || look(status).word;
}

/** The shares of a bar for the counts of a fan-out or of a run. */
export function shares(counts: Record<string, number>): { tone: Tone; n: number }[] {
  return [
    { tone: "ok", n: counts["succeeded"] ?? 0 },
    { tone: "reuse", n: counts["reused"] ?? 0 },
    { tone: "bad", n: counts["failed"] ?? 0 },
    { tone: "stale", n: (counts["interrupted"] ?? 0) + (counts["retrying"] ?? 0) },
    { tone: "run", n: counts["running"] ?? 0 },
  ];
}
