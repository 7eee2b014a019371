import type { Materialization } from "../api/types";

export interface Series {
  name: string;
  points: { at: number; value: number; run: string }[];
}

type Made = Pick<Materialization, "at" | "run_id" | "metadata" | "size">;

export const BYTES = "bytes stored";

/** The numbers in the metadata of an asset's versions (newest first), as series of points (oldest first). */
export function series(versions: readonly Made[]): Series[] {
  const found = new Map<string, Series>();
  for (const made of [...versions].reverse()) {
    for (const { name, value } of [...made.metadata, { name: BYTES, value: made.size }]) {
      if (typeof value !== "number" || !Number.isFinite(value)) continue;
      const one = found.get(name) ?? { name, points: [] };
      one.points.push({ at: made.at, value, run: made.run_id });
      found.set(name, one);
    }
  }
  return [...found.values()].filter((one) => one.name !== BYTES || (one.points.length > 1 && one.points.some((p) => p.value > 0)));
}
