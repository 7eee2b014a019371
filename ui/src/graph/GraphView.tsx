import { type KeyboardEvent, type PointerEvent, type ReactNode, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Drawing, PlacedNode } from "../api/types";
import { type Camera, type Direction, centred, fitting, holds, neighbour, opening, pan, seen, settled, showing, within as kept, zoom } from "../logic/camera";
import { count, plural } from "../logic/format";
import { Icon } from "../parts/icons";
import { useSize } from "../parts/parts";
import { useThemeStamp } from "../parts/theme";
import type { Flow } from "../logic/picture";
import { type Tone } from "../logic/status";
import { type Palette, paint, readPalette } from "./paint";
import { EdgeTip, type Pointed } from "./EdgeTip";
import { type Wire, leafAt, opener, related, sceneOf, turned, visible, wiresAt, wiresOfNode, within } from "./scene";

const MOST_ELEMENTS = 260; // more boxes than this are painted instead
const LEAST_SCALE = 0.34; // below it words cannot be read
const PLAIN = 0.9; // from it on they are read without effort
const REACH = 7; // pixels from a line, within which one points at it

export interface Face {
  tone: Tone;
  /** What a screen reader says after the name. */
  spoken: string;
  className?: string;
  /** What stands below the name. */
  body: ReactNode;
  /** `9 ops`, on the button that opens it; null: it does not open. */
  badge?: string | null;
  /** How many ops were made of it, of a fan-out; without: it is not known yet. */
  count?: number;
}

interface Props {
  drawing: Drawing;
  label: string;
  /** How a node looks; must change when what it shows changes. */
  face: (node: PlacedNode) => Face;
  tone: (id: string) => Tone;
  /** Everything in it was opened at once: one looks at the whole, unless no word of it could be read then. */
  whole?: boolean;
  /** The node to begin at when the whole is too large to read; one that is not open comes into the middle. */
  first?: string | null;
  title: (node: PlacedNode) => ReactNode;
  /** What came of the values that go along a line. */
  came: (wire: Wire, flows: Flow[]) => ReactNode;
  picked: string | null;
  matches?: Set<string> | null;
  onPick: (id: string | null) => void;
  onEnter: (id: string) => void;
  onToggle: (id: string) => void;
  note?: ReactNode;
}

/** A drawing that one can move about in: only what is in view is drawn, as elements when they can be read. */
export function GraphView({ drawing, label, face, tone, title, came, picked, matches = null, whole: overall = false, first: firstId = null, onPick, onEnter, onToggle, note }: Props) {
  const scene = useMemo(() => sceneOf(drawing), [drawing]);
  const [sized, view] = useSize<HTMLDivElement>();
  const host = useRef<HTMLDivElement | null>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [camera, setCamera] = useState<Camera | null>(null);
  const anchor = useRef<{ id: string; x: number; y: number; byKey: boolean } | null>(null);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const moved = useRef(0);
  const [dragging, setDragging] = useState(false);
  const [told, setTold] = useState<Pointed | null>(null);
  const stamp = useThemeStamp();
  const [palette, setPalette] = useState<Palette | null>(null);

  useLayoutEffect(() => {
    if (host.current) setPalette(readPalette(host.current));
  }, [stamp]);

  const whole = useMemo(() => ({ x: 0, y: 0, width: drawing.width, height: drawing.height }), [drawing]);
  const fit = useCallback(() => {
    if (view.width) setCamera(fitting(whole, view));
  }, [whole, view]);
  const steer = useCallback((turn: (old: Camera) => Camera) => setCamera((old) => old && kept(turn(old), whole, view)), [whole, view]);

  const focusNode = useCallback((id: string) => {
    requestAnimationFrame(() => host.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus({ preventScroll: true }));
  }, []);

  const own = useRef(picked); // what was picked here, where it is seen
  const choose = useCallback(
    (id: string | null) => {
      own.current = id;
      onPick(id);
    },
    [onPick],
  );

  // The first picture is the whole; afterwards what was opened or closed stays where it was on the screen, if it can.
  const shown = useRef<Drawing | null>(null);
  useLayoutEffect(() => {
    if (!view.width || shown.current === drawing) return;
    const before = anchor.current;
    anchor.current = null;
    const now = before ? scene.byId.get(before.id) : undefined;
    if (shown.current && camera && before && now) {
      const kept = { ...camera, x: camera.x + now.x - before.x, y: camera.y + now.y - before.y };
      setCamera(settled(kept, whole, view, now));
    } else {
      const first = (firstId && scene.byId.get(firstId)) || null;
      const inside = first?.open ? scene.leaves.filter((leaf) => within(scene, leaf, first.id)) : first ? [first] : scene.leaves;
      const start = inside.reduce<PlacedNode | null>((best, leaf) => (best && best.x <= leaf.x ? best : leaf), null);
      setCamera(first && !first.open && fitting(whole, view).scale < PLAIN ? centred(first, view) : opening(whole, view, first, start, overall ? LEAST_SCALE : undefined));
    }
    shown.current = drawing;
    if (before?.byKey && now) {
      // the keyboard goes on inside what it opened, or at what it shut
      const inside = scene.leaves.filter((leaf) => within(scene, leaf, before.id)).sort((a, b) => a.x - b.x || a.y - b.y);
      const next = inside[0] ?? now;
      choose(next.id);
      focusNode(next.id);
    }
  }, [drawing, whole, scene, view, camera, firstId, overall, choose, focusNode]);

  // What was picked elsewhere comes into the middle, unless it can be read where it is.
  useEffect(() => {
    const node = picked && picked !== own.current ? scene.byId.get(picked) : undefined;
    own.current = picked;
    if (node) setCamera((old) => (old && old.scale >= PLAIN && holds(old, node, view) ? old : centred(node, view)));
    // only when another is picked: otherwise one may look elsewhere
  }, [picked]);

  // What is picked stays in view when the panel beside it opens, and the whole if it was.
  const before = useRef(view);
  useEffect(() => {
    const node = picked ? scene.byId.get(picked) : undefined;
    const was = before.current;
    before.current = view;
    setCamera((old) => {
      if (old && was.width && holds(old, whole, was)) return view.width > was.width || view.height > was.height ? opening(whole, view) : settled(old, whole, view, node ?? whole);
      return old && node ? showing(old, node, view) : old;
    });
    // only when the view's size changes: otherwise one may look elsewhere
  }, [view.width, view.height]);

  // What failed, from left to right, and how much of it is in each box.
  const bad = useMemo(() => scene.leaves.filter((leaf) => tone(leaf.id) === "bad").sort((a, b) => a.x - b.x || a.y - b.y), [scene, tone]);
  const badIn = useMemo(() => {
    const found = new Map<string, PlacedNode[]>();
    for (const leaf of bad)
      for (let at = leaf.parent; at !== null; at = scene.byId.get(at)?.parent ?? null) {
        const list = found.get(at);
        if (list) list.push(leaf);
        else found.set(at, [leaf]);
      }
    return found;
  }, [scene, bad]);
  /** Goes to the next of what failed. */
  const goTo = (failed: readonly PlacedNode[]) => {
    const next = failed[(failed.findIndex((leaf) => leaf.id === picked) + 1) % failed.length];
    if (!next) return;
    setCamera(centred(next, view));
    choose(next.id);
    focusNode(next.id);
  };

  const lit = useMemo(() => matches ?? (picked && scene.byId.has(picked) ? related(scene, picked) : null), [matches, picked, scene]);
  const inView = useMemo(() => (camera ? seen(camera, view) : null), [camera, view]);
  const leaves = useMemo(() => (inView ? visible(scene.leaves, inView) : []), [scene, inView]);
  const asBoxes = camera !== null && (camera.scale < LEAST_SCALE || leaves.length > MOST_ELEMENTS);
  const holders = useMemo(() => (inView && !asBoxes ? visible(scene.holders, inView) : []), [scene, inView, asBoxes]);

  useLayoutEffect(() => {
    if (canvas.current && camera && palette && view.width) {
      paint(canvas.current, scene, camera, view, { palette, lit, picked, told: told?.wires ?? [], tone, boxes: asBoxes });
    }
  }, [scene, camera, palette, view, lit, picked, told, tone, asBoxes]);
  useEffect(() => setTold(null), [scene, camera, picked]);

  /** Tells what flows along the lines at a place of the window. */
  const point = (event: { clientX: number; clientY: number; target: EventTarget }, reach: number) => {
    const box = host.current?.getBoundingClientRect();
    if (!camera || !box) return;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const covered = (event.target as Element).closest(".node,.title,.zoomers");
    const wires = covered ? [] : wiresAt(scene, camera.x + x / camera.scale, camera.y + y / camera.scale, reach / camera.scale);
    setTold((old) => (old && old.wires.length === wires.length && old.wires[0] === wires[0] ? old : wires.length ? { wires, x, y } : null));
  };
  /** Tells of the next line of what is picked. */
  const nextWire = (id: string) => {
    const wires = wiresOfNode(scene, id);
    const next = (wires.findIndex((each) => each === told?.wires[0]) + 1) % wires.length;
    const wire = wires[next];
    const node = scene.byId.get(id);
    if (!wire || !node || !camera) return;
    const x = (node.x + (wire.target === id ? 0 : node.width) - camera.x) * camera.scale;
    setTold({ wires: [wire], x, y: (node.y + node.height / 2 - camera.y) * camera.scale, ...(wires.length > 1 ? { place: `line ${next + 1} of ${wires.length}; E for the next` } : {}) });
  };

  const toggle = useCallback(
    (id: string, byKey = false) => {
      const node = scene.byId.get(id);
      if (node) anchor.current = { id, x: node.x, y: node.y, byKey };
      onToggle(id);
    },
    [scene, onToggle],
  );

  // Listened to by hand, because React's wheel listeners cannot keep the page from scrolling.
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const lines = event.deltaMode === 1 ? 16 : 1;
      const isMouse = event.deltaX === 0 && Math.abs(event.deltaY * lines) >= 48;
      steer((old) => {
        if (event.ctrlKey || isMouse)
          return zoom(old, Math.exp(-event.deltaY * lines * (isMouse ? 0.0016 : 0.01)), event.clientX - box.left, event.clientY - box.top);
        return pan(old, -event.deltaX, -event.deltaY);
      });
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [steer]);

  const down = (event: PointerEvent) => {
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 1) moved.current = 0;
  };
  const move = (event: PointerEvent) => {
    const before = pointers.current.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") point(event, REACH);
      return;
    }
    const dx = event.clientX - before.x;
    const dy = event.clientY - before.y;
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved.current += Math.abs(dx) + Math.abs(dy);
    if (moved.current < 5) return;
    if (!dragging) {
      setDragging(true);
      event.currentTarget.setPointerCapture(event.pointerId);
    }
    const box = event.currentTarget.getBoundingClientRect();
    steer((old) => {
      if (!other) return pan(old, dx, dy);
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const mx = (event.clientX + other.x) / 2 - box.left;
      const my = (event.clientY + other.y) / 2 - box.top;
      return zoom(pan(old, dx / 2, dy / 2), is / Math.max(was, 1), mx, my);
    });
  };
  const up = (event: PointerEvent) => {
    pointers.current.delete(event.pointerId);
    if (pointers.current.size === 0) setDragging(false);
  };

  const clicked = (event: { clientX: number; clientY: number; target: EventTarget }) => {
    if (moved.current >= 5 || !camera || (event.target as Element).closest(".node,.title,.zoomers")) return;
    const box = host.current?.getBoundingClientRect();
    if (!box) return;
    const x = camera.x + (event.clientX - box.left) / camera.scale;
    const y = camera.y + (event.clientY - box.top) / camera.scale;
    const hit = asBoxes ? leafAt(scene, x, y) : null;
    choose(hit?.id ?? null);
    if (!hit) point(event, 2 * REACH);
    if (hit && camera.scale < LEAST_SCALE) setCamera(zoom(camera, 0.8 / camera.scale, event.clientX - box.left, event.clientY - box.top));
  };

  const keys = (event: KeyboardEvent) => {
    if (!camera) return;
    const middle = [view.width / 2, view.height / 2] as const;
    const arrows: Record<string, Direction> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
    const way = arrows[event.key];
    if (event.key === "+" || event.key === "=") steer((old) => zoom(old, 1.25, ...middle));
    else if (event.key === "-") steer((old) => zoom(old, 0.8, ...middle));
    else if (event.key === "0") fit();
    else if (event.key.toLowerCase() === "f") goTo(bad);
    else if (event.key === "Escape") choose(null);
    else if (way) {
      event.preventDefault();
      const from = picked ? scene.byId.get(picked) : undefined;
      const next = from ? (turned(scene, from, way) ?? neighbour(from, scene.leaves, way)) : (leaves[0] ?? scene.leaves[0] ?? null);
      if (!next) return;
      choose(next.id);
      setCamera(showing(camera, next, view));
      focusNode(next.id);
    } else if (picked && event.key.toLowerCase() === "e") nextWire(picked);
    else if (picked && event.key === "Enter" && (event.target as HTMLElement).dataset["node"] === picked) onEnter(picked);
    else if (picked && event.key.toLowerCase() === "o") toggle(opener(scene, picked), true);
    else return;
    event.preventDefault();
  };

  const first = leaves.find((n) => n.id === picked)?.id ?? leaves[0]?.id;
  return (
    <div
      ref={(element) => {
        host.current = element;
        sized(element);
      }}
      className={`canvas${dragging ? " dragging" : ""}`}
      role="group"
      aria-label={label}
      aria-roledescription="graph"
      tabIndex={asBoxes ? 0 : -1}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onPointerLeave={() => setTold(null)}
      onClick={clicked}
      onKeyDown={keys}
    >
      <canvas ref={canvas} aria-hidden="true" style={{ zIndex: asBoxes ? 0 : 1, pointerEvents: "none" }} />
      {camera && !asBoxes && (
        <>
          <div className="world" style={{ transform: placed(camera), ["--grow" as string]: Math.max(1, 0.9 / camera.scale) }}>
            {holders.map((node) => (
              <div
                key={node.id}
                className={`boxed ${node.kind}${node.kind === "group" ? "" : " asset-open"}${node.mapped ? " fanned" : ""}`}
                data-tone={tone(node.id)}
                style={{ left: node.x, top: node.y, width: node.width, height: node.height }}
              >
                <div className="title" onClick={(event) => moved.current < 5 && toggle(node.id, event.detail === 0)}>
                  <button type="button" aria-expanded="true">
                    {title(node)}
                  </button>
                  {badIn.has(node.id) && <Failed leaves={badIn.get(node.id) ?? []} onGo={goTo} />}
                </div>
              </div>
            ))}
          </div>
          <div className="world" style={{ transform: placed(camera), zIndex: 2 }}>
            {leaves.map((node) => (
              <NodeBox
                key={node.id}
                node={node}
                face={face}
                picked={node.id === picked}
                dim={lit !== null && !lit.has(node.id)}
                focusable={node.id === first}
                moved={moved}
                onPick={choose}
                onEnter={onEnter}
                onToggle={toggle}
              />
            ))}
          </div>
        </>
      )}
      {told && <EdgeTip told={told} scene={scene} view={view} came={came} />}
      {note && <div className="canvas-note">{note}</div>}
      <div className="zoomers" style={{ zIndex: 3 }}>
        {bad.length > 0 && <Failed leaves={bad} onGo={goTo} />}
        <button type="button" className="button small bare" aria-label="Zoom in" onClick={() => steer((old) => zoom(old, 1.3, view.width / 2, view.height / 2))}>
          <Icon name="plus" />
        </button>
        <button type="button" className="button small bare" aria-label="Zoom out" onClick={() => steer((old) => zoom(old, 1 / 1.3, view.width / 2, view.height / 2))}>
          <Icon name="minus" />
        </button>
        <button type="button" className="button small bare" aria-label="Show all" title="Show all (0)" onClick={fit}>
          <Icon name="fit" />
        </button>
      </div>
    </div>
  );
}

function placed(camera: Camera): string {
  return `translate(${-camera.x * camera.scale}px, ${-camera.y * camera.scale}px) scale(${camera.scale})`;
}

/** How much failed of what is shown, and the way there. */
function Failed({ leaves, onGo }: { leaves: readonly PlacedNode[]; onGo: (leaves: readonly PlacedNode[]) => void }) {
  const kinds = new Set(leaves.map((leaf) => leaf.kind));
  return (
    <button type="button" className="button small bare status" data-tone="bad" title="Go to what failed (F)" onClick={(event) => (event.stopPropagation(), onGo(leaves))}>
      <Icon name="cross" />
      {kinds.size === 1 ? plural(leaves.length, [...kinds][0] ?? "") : count(leaves.length)} failed
    </button>
  );
}

interface NodeProps {
  node: PlacedNode;
  face: (node: PlacedNode) => Face;
  picked: boolean;
  dim: boolean;
  focusable: boolean;
  moved: { current: number };
  onPick: (id: string) => void;
  onEnter: (id: string) => void;
  onToggle: (id: string, byKey?: boolean) => void;
}

const NodeBox = memo(function NodeBox({ node, face, picked, dim, focusable, moved, onPick, onEnter, onToggle }: NodeProps) {
  const { tone, spoken, className = "", body, badge, count: many } = face(node);
  return (
    <div
      className={`node ${className}${node.mapped ? " fanned" : ""}${picked ? " picked" : ""}${dim ? " dim" : ""}`}
      data-tone={tone}
      style={{ left: node.x, top: node.y, width: node.width, height: node.height }}
      onDoubleClick={() => onEnter(node.id)}
    >
      <button
        type="button"
        className="face"
        data-node={node.id}
        aria-pressed={picked}
        tabIndex={focusable ? 0 : -1}
        title={node.title}
        onClick={() => moved.current < 5 && onPick(node.id)}
      >
        <span className="name" style={badge ? { paddingRight: 30 + 6.2 * badge.length } : undefined}>
          <span className="cut">{node.label}</span>
          {node.mapped && <span className="tag">× {many === undefined ? "n" : count(many)}</span>}
          {!node.opens && node.badge.endsWith("fan-out") && <span className="tag">fan-out</span>}
        </span>
        {body}
        <span className="unseen">{spoken}</span>
      </button>
      {badge && (
        <button
          type="button"
          className="badge"
          tabIndex={-1}
          aria-expanded="false"
          aria-label={`${badge}: open ${node.label}`}
          onClick={(event) => moved.current < 5 && onToggle(node.id, event.detail === 0)}
        >
          {badge}
          <Icon name="right" />
        </button>
      )}
    </div>
  );
});
