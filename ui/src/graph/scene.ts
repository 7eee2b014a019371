import { type Box, type Direction, overlap } from "../logic/camera";
import { type Drawing, type PlacedNode, Probe, TURN, trace } from "../logic/picture";

/** A drawing made ready for the screen: what holds what, and each edge's path and bounds. */
export interface Scene {
  drawing: Drawing;
  byId: Map<string, PlacedNode>;
  /** Boxes that hold others, the outermost first. */
  holders: PlacedNode[];
  leaves: PlacedNode[];
  wires: Wire[];
}

/** An edge, with its bounds. */
export interface Wire extends Box {
  source: string;
  target: string;
  kind: string;
  label: string;
  /** What flows along it, in full: a line for each value. */
  said: string;
  /** The station behind which there is room for the label, among the drawing's points; -1: nowhere. */
  at: number;
  /** Its stations among the drawing's points. */
  from: number;
  until: number;
}

export function sceneOf(drawing: Drawing): Scene {
  const byId = new Map(drawing.nodes.map((node) => [node.id, node]));
  return {
    drawing,
    byId,
    holders: drawing.nodes.filter((node) => node.open), // sent with outer ones first
    leaves: drawing.nodes.filter((node) => !node.open),
    wires: wiresOf(drawing),
  };
}

function wiresOf({ nodes, edges }: Drawing): Wire[] {
  let from = 0;
  return edges.until.map((until, i) => {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let at = from; at < until; at += 2) {
      const [x, y] = [edges.points[at] as number, edges.points[at + 1] as number];
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
    const wire = {
      source: nodes[edges.source[i] as number]?.id ?? "",
      target: nodes[edges.target[i] as number]?.id ?? "",
      kind: edges.kind[i] as string,
      label: edges.label[i] as string,
      said: edges.said[i] as string,
      at: (edges.at[i] as number) < 0 ? -1 : from + 2 * (edges.at[i] as number),
      from,
      until,
      x: left - TURN,
      y: top - 1,
      width: right - left + 2 * TURN,
      height: bottom - top + 2,
    };
    from = until;
    return wire;
  });
}

/** The boxes in view. */
export function visible<T extends Box>(boxes: readonly T[], view: Box): T[] {
  return boxes.filter((box) => overlap(box, view));
}

export function leafAt(scene: Scene, x: number, y: number): PlacedNode | null {
  return scene.leaves.find((n) => x >= n.x && x <= n.x + n.width && y >= n.y && y <= n.y + n.height) ?? null;
}

/** The lines that pass a point: the nearest within reach, and those that run together with it there. */
export function wiresAt(scene: Scene, x: number, y: number, reach: number): Wire[] {
  const { points } = scene.drawing.edges;
  const near: [number, Wire][] = [];
  for (const wire of visible(scene.wires, { x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach })) {
    const probe = new Probe(x, y);
    trace(probe, points, wire.from, wire.until);
    if (probe.nearest <= reach) near.push([probe.nearest, wire]);
  }
  near.sort((a, b) => a[0] - b[0]);
  const first = near[0];
  return first ? near.filter(([distance, wire]) => wire === first[1] || (distance < first[0] + 1 && wire.source === first[1].source)).map(([, wire]) => wire) : [];
}

/** The lines of a box: those that come in, then those that go out. */
export function wiresOfNode(scene: Scene, id: string): Wire[] {
  return [...scene.wires.filter((wire) => wire.target === id), ...scene.wires.filter((wire) => wire.source === id)];
}

/** Where a chain goes on that turns around into another row, at the end of its row. */
export function turned(scene: Scene, from: PlacedNode, way: Direction): PlacedNode | null {
  const ends = way === "right" ? scene.wires.filter((wire) => wire.source === from.id).map((wire) => wire.target) : way === "left" ? scene.wires.filter((wire) => wire.target === from.id).map((wire) => wire.source) : [];
  const only = ends.length === 1 ? scene.byId.get(ends[0] ?? "") : undefined;
  return only && !only.open && (way === "right" ? only.x < from.x : only.x > from.x) ? only : null;
}

/** The ids of a node, of what lies in it, and of everything before and after those, along the edges. */
export function related(scene: Scene, id: string): Set<string> {
  const own = scene.drawing.nodes.filter((node) => node.id === id || within(scene, node, id)).map((node) => node.id);
  const found = new Set(own);
  for (const [from, to] of [["source", "target"], ["target", "source"]] as const) {
    const next = new Map<string, string[]>();
    for (const edge of scene.wires) {
      const list = next.get(edge[from]);
      if (list) list.push(edge[to]);
      else next.set(edge[from], [edge[to]]);
    }
    const seen = new Set(own);
    const stack = [...own];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      for (const other of next.get(at) ?? []) {
        if (!seen.has(other)) {
          seen.add(other);
          found.add(other);
          stack.push(other);
        }
      }
    }
  }
  return found;
}

/** Whether a node lies in a box, however deep. */
export function within(scene: Scene, node: PlacedNode, box: string): boolean {
  for (let at = node.parent; at !== null; at = scene.byId.get(at)?.parent ?? null) if (at === box) return true;
  return false;
}

/** What the key that opens and shuts means at a node: itself if it opens, else the nearest box around it. */
export function opener(scene: Scene, id: string): string {
  const node = scene.byId.get(id);
  return !node || node.opens ? id : (node.parent ?? id);
}
