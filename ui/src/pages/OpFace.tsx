import type { Face } from "../graph/GraphView";
import { duration } from "../logic/format";
import { look } from "../logic/status";
import { allOf, fanned, shares } from "../logic/tree";
import { Icon } from "../parts/icons";
import { Meter } from "../parts/parts";

/** How an op or a shut graph stands, as boxes show it. */
export interface Stand {
  /** Null: it never ran, or not in this run. */
  status: string | null;
  /** From its start to its end, in seconds. */
  took: number | null;
  /** Of a fan-out, how its ops stand. */
  counts?: Record<string, number> | undefined;
}

const TIMED = new Set(["succeeded", "failed", "interrupted"]);

/** The face of an op or a shut graph; `absent` is said of one that has no status. */
export function opFace({ status, took, counts }: Stand, absent: string): Pick<Face, "tone" | "spoken" | "body" | "count"> {
  const { tone, icon, word } = look(status ?? "never");
  const time = took !== null && TIMED.has(status ?? "") ? duration(took) : "";
  const many = counts ? allOf(counts) : 0;
  const known = counts !== undefined && status !== null && (many > 0 || TIMED.has(status));
  const text = status === null ? absent : counts ? fanned(status, counts) : status === "succeeded" && time ? "" : word;
  const words = [text, counts && (many === 0 || status === "failed") ? "" : time].filter(Boolean).join(" · ");
  return {
    tone,
    spoken: words,
    ...(known ? { count: many } : {}),
    body: (
      <>
        <span className="sub">
          <Icon name={icon} />
          <span className="cut">{words}</span>
        </span>
        {counts && many > 0 && status !== "succeeded" && status !== "reused" && <Meter total={many} label={words} shares={shares(counts)} />}
      </>
    ),
  };
}
