import { type Box, overlap } from "../logic/camera";
import type { Drawing, PlacedEdge, PlacedNode } from "../api/types";

/** A drawing made ready for the screen: what holds what, and each edge's path and bounds. */
export interface Scene {
  drawing: Drawing;
  byId: Map<string, PlacedNode>;
  /** Boxes that hold others, the outermost first. */
  holders: PlacedNode[];
  leaves: PlacedNode[];
  wires: Wire[];
}

export interface Wire extends Box {
  edge: PlacedEdge;
}

export function sceneOf(drawing: Drawing): Scene {
  const byId = new Map(drawing.nodes.map((node) => [node.id, node]));
  const holding = new Set(drawing.nodes.map((node) => node.parent).filter((id) => id !== null));
  const depth = (node: PlacedNode): number => {
    const above = node.parent ? byId.get(node.parent) : undefined;
    return above ? depth(above) + 1 : 0;
  };
  const holders = drawing.nodes.filter((node) => holding.has(node.id)).sort((a, b) => depth(a) - depth(b));
  const leaves = drawing.nodes.filter((node) => !holding.has(node.id));
  return { drawing, byId, holders, leaves, wires: drawing.edges.map(wire) };
}

function wire(edge: PlacedEdge): Wire {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of edge.points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return { edge, x: left - 1, y: top - 1, width: right - left + 2, height: bottom - top + 2 };
}

/** The boxes in view. */
export function visible<T extends Box>(boxes: readonly T[], view: Box): T[] {
  return boxes.filter((box) => overlap(box, view));
}

export function leafAt(scene: Scene, x: number, y: number): PlacedNode | null {
  return scene.leaves.find((n) => x >= n.x && x <= n.x + n.width && y >= n.y && y <= n.y + n.height) ?? null;
}

/** The ids of everything before and after a node, along the edges. */
export function related(scene: Scene, id: string): Set<string> {
  const found = new Set([id]);
  for (const [from, to] of [["source", "target"], ["target", "source"]] as const) {
    const next = new Map<string, string[]>();
    for (const edge of scene.drawing.edges) {
      const list = next.get(edge[from]);
      if (list) list.push(edge[to]);
      else next.set(edge[from], [edge[to]]);
    }
    const seen = new Set([id]);
    const stack = [id];
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
