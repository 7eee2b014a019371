import type { AssetSummary } from "../api/types";
import { leaf } from "./format";

type Searched = Pick<AssetSummary, "key" | "group" | "kinds" | "owners" | "description">;

/** The assets that a few letters could mean, those whose key begins so first. */
export function matching<T extends Searched>(assets: readonly T[], text: string): T[] {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [...assets];
  const rank = (asset: T): number => {
    const key = asset.key.toLowerCase();
    if (key.startsWith(wanted)) return 0;
    if (key.includes(wanted)) return 1;
    if ([asset.group, ...asset.kinds, ...asset.owners].some((word) => word.toLowerCase().includes(wanted))) return 2;
    return 9;
  };
  return assets
    .map((asset) => ({ asset, at: rank(asset) }))
    .filter(({ at }) => at < 9)
    .sort((a, b) => a.at - b.at)
    .map(({ asset }) => asset);
}

/** Whether a text is a few letters that are looked for, and no selection. */
export function isPlain(text: string): boolean {
  return /^[\w/. -]+$/.test(text.trim()) && !/\b(and|or|not)\b/.test(text);
}

/** The ops, by their keys, that a few letters could mean: those whose name begins so first. */
export function opsNamed(keys: Iterable<string>, text: string, most: number): string[] {
  const wanted = text.trim().toLowerCase();
  if (wanted.length < 2) return [];
  const [begin, hold]: [string[], string[]] = [[], []];
  for (const key of keys) {
    const at = key.includes(".") ? leaf(key).toLowerCase().indexOf(wanted) : -1;
    if (at >= 0) (at === 0 ? begin : hold).push(key);
    if (begin.length === most) break;
  }
  return [...begin, ...hold].slice(0, most);
}
