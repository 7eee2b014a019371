import type { Camera } from "../logic/camera";
import { seen } from "../logic/camera";
import type { PlacedEdge } from "../api/types";
import type { Tone } from "../logic/status";
import { type Scene, type Wire, visible } from "./scene";

export type Palette = Record<Tone | "line" | "line-2" | "card" | "ink" | "ink-2" | "ink-3" | "accent" | "sunk" | "paper", string>;

const NAMES = ["ok", "run", "bad", "stale", "reuse", "idle", "line", "line-2", "card", "ink", "ink-2", "ink-3", "accent", "sunk", "paper"] as const;

/** The sheet's colours as they are just now: a canvas cannot read variables. */
export function readPalette(beside: HTMLElement): Palette {
  const probe = document.createElement("span");
  beside.append(probe);
  const found = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return found as Palette;
}

export interface Ink {
  palette: Palette;
  /** The ids that an edge must touch to be drawn strongly; null: none is picked. */
  lit: Set<string> | null;
  picked: string | null;
  tone: (id: string) => Tone;
  /** Draw boxes too: they are too many or too small to be elements of the page. */
  boxes: boolean;
}

export function paint(canvas: HTMLCanvasElement, scene: Scene, camera: Camera, view: { width: number; height: number }, ink: Ink): void {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(view.width * ratio);
  const height = Math.round(view.height * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  const k = camera.scale * ratio;
  pen.setTransform(k, 0, 0, k, -camera.x * k, -camera.y * k);
  const window_ = seen(camera, view);
  const { palette } = ink;
  if (ink.boxes) {
    for (const box of visible(scene.holders, window_)) {
      pen.fillStyle = palette.sunk;
      pen.strokeStyle = palette["line-2"];
      pen.lineWidth = Math.max(1, 0.7 / camera.scale);
      pen.beginPath();
      pen.roundRect(box.x, box.y, box.width, box.height, 10);
      pen.fill();
      pen.stroke();
    }
  }
  const wires = visible(scene.wires, window_);
  const thin = Math.max(1.25, 0.7 / camera.scale);
  stroke(pen, wires.filter((w) => !isLit(w, ink)), palette["line-2"], thin, camera.scale, ink.lit ? 0.5 : 1);
  if (ink.lit) stroke(pen, wires.filter((w) => isLit(w, ink)), palette.accent, thin * 1.4, camera.scale, 1);
  if (ink.picked && camera.scale > 0.5) {
    for (const { edge } of wires) if (edge.label && (edge.source === ink.picked || edge.target === ink.picked)) name(pen, edge, palette);
  }
  if (ink.boxes) {
    const bare = camera.scale < 0.16;
    pen.font = "600 13px Inter, system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (const box of visible(scene.leaves, window_)) {
      const tone = ink.tone(box.id);
      const dim = ink.lit !== null && !ink.lit.has(box.id);
      pen.globalAlpha = dim ? 0.3 : 1;
      pen.fillStyle = bare ? palette[tone === "idle" ? "ink-3" : tone] : palette.card;
      pen.beginPath();
      pen.roundRect(box.x, box.y, box.width, box.height, 7);
      pen.fill();
      if (bare) continue;
      pen.strokeStyle = palette[tone === "idle" ? "line-2" : tone];
      pen.lineWidth = thin;
      pen.stroke();
      if (camera.scale > 0.24) {
        pen.fillStyle = palette.ink;
        pen.fillText(box.label, box.x + 10, box.y + box.height / 2, box.width - 20);
      }
    }
    pen.globalAlpha = 1;
  }
}

/** What flows along an edge, written at its middle. */
function name(pen: CanvasRenderingContext2D, edge: PlacedEdge, palette: Palette): void {
  const a = edge.points[0];
  const b = edge.points.at(-1);
  if (!a || !b) return;
  pen.font = "11px Inter, system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const width = pen.measureText(edge.label).width + 8;
  pen.fillStyle = palette.paper;
  pen.fillRect(x - width / 2, y - 7, width, 14);
  pen.fillStyle = palette["ink-2"];
  pen.fillText(edge.label, x, y);
  pen.textAlign = "start";
}

function isLit(wire: Wire, ink: Ink): boolean {
  return ink.lit !== null && ink.lit.has(wire.edge.source) && ink.lit.has(wire.edge.target);
}

function stroke(pen: CanvasRenderingContext2D, wires: Wire[], colour: string, width: number, scale: number, alpha: number): void {
  pen.strokeStyle = colour;
  pen.fillStyle = colour;
  pen.lineWidth = width;
  pen.globalAlpha = alpha;
  for (const order of [false, true]) {
    pen.setLineDash(order ? [4, 4] : []);
    pen.beginPath();
    for (const { edge } of wires) if ((edge.kind === "order") === order) trace(pen, edge);
    pen.stroke();
  }
  pen.setLineDash([]);
  if (scale > 0.3) {
    pen.beginPath();
    for (const { edge } of wires) head(pen, edge.points);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

type Point = readonly [number, number];

function head(pen: CanvasRenderingContext2D, points: readonly Point[]): void {
  const tip = points.at(-1);
  if (!tip) return;
  const [x, y] = tip;
  pen.moveTo(x, y);
  pen.lineTo(x - 6, y - 3.2);
  pen.lineTo(x - 6, y + 3.2);
  pen.closePath();
}

/** A line through points; where it is curved, each three after the first are a Bézier curve. */
function trace(pen: CanvasRenderingContext2D, { points, curved }: PlacedEdge): void {
  const first = points[0];
  if (!first) return;
  pen.moveTo(first[0], first[1]);
  for (let i = 1; i < points.length; i += curved ? 3 : 1) {
    const [x1, y1] = points[i] as Point;
    if (!curved) pen.lineTo(x1, y1);
    else {
      const [x2, y2] = points[i + 1] as Point;
      const [x3, y3] = points[i + 2] as Point;
      pen.bezierCurveTo(x1, y1, x2, y2, x3, y3);
    }
  }
}
