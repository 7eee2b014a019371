import type { ReactNode } from "react";
import { type Flow, flows } from "../logic/picture";
import { plural } from "../logic/format";
import type { Scene, Wire } from "./scene";

const KINDS: Record<string, string> = {
  order: "only orders: no value flows",
  map: "one value at a time",
  collect: "all values together",
};
const MOST = 5;

/** What one points at: lines that run together, at a place of the view. */
export interface Pointed {
  wires: readonly Wire[];
  x: number;
  y: number;
  /** Which line of a box it is, of how many, as one goes through them. */
  place?: string;
}

/** What flows along some lines of one source, beside the pointer. `came` tells what came of it when it last ran. */
export function EdgeTip({ told, scene, view, came }: { told: Pointed; scene: Scene; view: { width: number; height: number }; came: (wire: Wire, flows: Flow[]) => ReactNode }) {
  const first = told.wires[0];
  if (!first) return null;
  const name = (id: string) => scene.byId.get(id)?.label ?? id;
  const [right, below] = [told.x < view.width / 2, told.y < view.height / 2];
  const place = {
    ...(right ? { left: told.x + 14 } : { right: view.width - told.x + 14 }),
    ...(below ? { top: told.y + 14 } : { bottom: view.height - told.y + 14 }),
  };
  return (
    <div className="edge-tip" role="status" style={place}>
      {told.wires.slice(0, MOST).map((wire, i) => (
        <div key={i}>
          <div className="ends">
            <b>{name(wire.source)}</b> <span className="faint">→</span> <b>{name(wire.target)}</b>
          </div>
          {flows(wire.said).map((flow, k) => (
            <div key={k} className="flow">
              {flow.gives && <><code>{flow.gives}</code> <span className="faint">→</span> </>}
              <code>{flow.takes}</code>
              {flow.type && <span className="faint"> {flow.type}</span>}
            </div>
          ))}
          {KINDS[wire.kind] && <div className="faint">{KINDS[wire.kind]}</div>}
        </div>
      ))}
      {told.wires.length > MOST && <div className="faint">and to {plural(told.wires.length - MOST, "other")}</div>}
      {told.place && <div className="faint">{told.place}</div>}
      {first.kind !== "order" && came(first, flows(first.said))}
    </div>
  );
}
