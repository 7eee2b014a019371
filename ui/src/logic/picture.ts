import type { Drawing as Sent } from "../api/schema";

/** A box in its place. */
export interface PlacedNode {
  id: string;
  kind: string;
  label: string;
  detail: string;
  title: string;
  badge: string;
  parent: string | null;
  x: number;
  y: number;
  width: number;
  height: number;
  /** The id of the asset that it is. */
  asset: string | null;
  /** The key of the step that it is. */
  step: string | null;
  /** Shown with what is in it. */
  open: boolean;
  /** Has something in it. */
  opens: boolean;
  mapped: boolean;
}

export interface Drawing extends Omit<Sent, "nodes"> {
  nodes: PlacedNode[];
}

/** A drawing as it was sent, with its boxes made whole; the many lines stay columns of numbers. */
export function unpacked(sent: Sent): Drawing {
  const { nodes } = sent;
  const open = new Set(nodes.parent);
  return {
    ...sent,
    nodes: nodes.id.map((id, i) => {
      const [kind, label] = [nodes.kind[i] as string, nodes.label[i] as string];
      const above = nodes.parent[i] as number;
      const step = kind === "op" ? id.slice(3) : null;
      return {
        id,
        kind,
        label,
        detail: nodes.detail[i] as string,
        title: nodes.title[i] || step || label,
        badge: nodes.badge[i] as string,
        parent: above < 0 ? null : (nodes.id[above] as string),
        x: nodes.x[i] as number,
        y: nodes.y[i] as number,
        width: nodes.width[i] as number,
        height: nodes.height[i] as number,
        asset: nodes.asset[i] || null,
        step,
        open: open.has(i),
        opens: nodes.opens[i] === 1,
        mapped: nodes.mapped[i] === 1,
      };
    }),
  };
}

/** What draws: a canvas, or the path of one. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void;
}

/** A value that goes along a line: where it comes out, where it goes in, and its type. */
export interface Flow {
  gives: string;
  takes: string;
  type: string;
}

/** What is said of a line, `rows → table: list[int]`, taken apart. */
export function flows(said: string): Flow[] {
  return said.split("\n").filter(Boolean).map((line) => {
    const [names = "", ...type] = line.split(": ");
    const [gives = "", takes = ""] = names.split(" → ");
    return { gives: takes ? gives : "", takes: takes || gives, type: type.join(": ") };
  });
}

/** How far a line swings out where it turns around, in pixels. */
export const TURN = 22;

/** Draws a line through its stations: level at each, and around where one is straight above another. */
export function trace(pen: Pen, points: readonly number[], from: number, until: number): void {
  let x = points[from] as number;
  let y = points[from + 1] as number;
  let reach = TURN;
  pen.moveTo(x, y);
  for (let i = from + 2; i < until; i += 2) {
    const [nx, ny] = [points[i] as number, points[i + 1] as number];
    if (nx === x) {
      pen.bezierCurveTo(x + reach, y, x + reach, ny, x, ny);
      reach = -reach;
    } else if (ny === y) pen.lineTo(nx, ny);
    else {
      const middle = (x + nx) / 2;
      pen.bezierCurveTo(middle, y, middle, ny, nx, ny);
    }
    x = nx;
    y = ny;
  }
}

/** A pen that draws nothing, and knows how near to a point it came. */
export class Probe implements Pen {
  nearest = Infinity;
  private x = 0;
  private y = 0;

  constructor(
    private readonly px: number,
    private readonly py: number,
  ) {}

  moveTo(x: number, y: number): void {
    this.x = x;
    this.y = y;
  }

  lineTo(x: number, y: number): void {
    const [dx, dy] = [x - this.x, y - this.y];
    const t = Math.min(1, Math.max(0, ((this.px - this.x) * dx + (this.py - this.y) * dy) / Math.max(dx * dx + dy * dy, 1e-9)));
    this.nearest = Math.min(this.nearest, Math.hypot(this.x + t * dx - this.px, this.y + t * dy - this.py));
    this.moveTo(x, y);
  }

  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    const [x0, y0] = [this.x, this.y];
    for (let i = 1; i <= 12; i++) {
      const t = i / 12;
      const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t ** 3];
      this.lineTo(a * x0 + b * x1 + c * x2 + d * x, a * y0 + b * y1 + c * y2 + d * y);
    }
  }
}
