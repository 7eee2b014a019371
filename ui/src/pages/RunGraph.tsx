import { useCallback, useMemo, useState } from "react";
import { useAssets, useDrawing } from "../api/queries";
import type { PlacedNode, RunDetail, TreeRow } from "../api/types";
import { type Face, GraphView } from "../graph/GraphView";
import type { Wire } from "../graph/scene";
import type { Flow } from "../logic/picture";
import { type Tone, look } from "../logic/status";
import type { RunTree } from "../logic/tree";
import { Icon } from "../parts/icons";
import { Loading, Problem } from "../parts/parts";
import { ReadCame, StepCame } from "./Came";
import { opFace } from "./OpFace";

/** The graph of what a run makes, opened into its ops, each as it stands in this run. */
export function RunGraph({ run, tree, selected, onPick }: { run: RunDetail; tree: RunTree; selected: string | null; onPick: (n: number | null) => void }) {
  const query = useMemo(() => {
    const text = run.assets.map((key) => `key:"${key}"`).join(" or ");
    return text.length < 8000 ? text : "";
  }, [run.assets]);
  const job = run.assets.length === 0 ? run.job : ""; // a job of ops is drawn by its name
  const assets = useAssets(query);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const drawn = useCallback((row: TreeRow) => `graph:${job ? row.path.slice(job.length + 1) : row.path}`, [job]);
  const graphs = useMemo(() => [...tree.rows.values()].filter((row) => row.kind === "graph").map(drawn), [drawn, tree.rows.size]); // rows only come
  const open = useMemo(
    () => [...(assets.data?.assets ?? []).filter((a) => a.graph_backed).map((a) => a.id), ...graphs].filter((each) => !closed.has(each)),
    [assets.data, graphs, closed],
  );
  const drawing = useDrawing(query, open, [], job);
  const byStep = useMemo(() => new Map([...tree.rows.values()].filter((row) => row.kind !== "key" && row.key).map((row) => [row.key, row])), [tree]);
  const byGraph = useMemo(() => new Map([...tree.rows.values()].filter((row) => row.kind === "graph").map((row) => [drawn(row), row])), [tree, drawn]);
  const byAsset = useMemo(() => {
    const out = new Map<string, TreeRow>();
    for (const row of tree.rows.values()) for (const key of row.assets) if (!out.has(key) || row.kind === "asset") out.set(key, row);
    return out;
  }, [tree]);
  const keys = useMemo(() => new Map((assets.data?.assets ?? []).map((a) => [a.id, a.key])), [assets.data]);
  const nodes = useMemo(() => new Map((drawing.data?.nodes ?? []).map((n) => [n.id, n])), [drawing.data]);
  const rowOf = useCallback(
    (node: PlacedNode | undefined): TreeRow | undefined => {
      if (!node) return undefined;
      if (node.step) return byStep.get(node.step);
      if (node.kind === "graph") return byGraph.get(node.id);
      return node.asset ? byAsset.get(keys.get(node.asset) ?? "") : undefined;
    },
    [byStep, byGraph, byAsset, keys],
  );
  const tone = useCallback((id: string): Tone => look(rowOf(nodes.get(id))?.status ?? "skip").tone, [rowOf, nodes]);
  const face = useCallback(
    (node: PlacedNode): Face => {
      const row = rowOf(node);
      const took = row && row.started !== null && row.ended !== null ? row.ended - row.started : null;
      return {
        ...opFace({ status: row?.status ?? null, took, counts: row?.mapped ? row.counts : undefined }, "not in this run"),
        badge: node.opens && !node.open ? node.badge : null,
        className: `${node.step ? "op" : node.kind}${row ? "" : " dim"}`,
      };
    },
    [rowOf],
  );
  const came = useCallback(
    (wire: Wire, flows: Flow[]) => {
      const source = nodes.get(wire.source);
      const [Came, row] = source?.kind === "graph" ? [ReadCame, rowOf(nodes.get(wire.target))] : [StepCame, rowOf(source)];
      return row && row.n !== null ? <Came run={run.run_id} n={row.n} status={row.status} kind={wire.kind} flows={flows} /> : null;
    },
    [rowOf, nodes, run.run_id],
  );
  const picked = useMemo(() => (selected ? ([...nodes.values()].find((n) => n.step === selected.split("[")[0])?.id ?? null) : null), [nodes, selected]);
  const failed = useMemo(() => [...nodes.values()].find((n) => n.step !== null && byStep.get(n.step)?.status === "failed")?.id ?? null, [nodes, byStep]);
  const toggle = (id: string) => {
    const node = nodes.get(id);
    if (!node) return;
    const unit = id.startsWith("unit:") ? id.slice(5) : undefined;
    const names = unit === undefined ? [node.asset ?? id] : (assets.data?.assets ?? []).filter((a) => a.unit === unit).map((a) => a.id);
    const next = new Set(closed);
    for (const name of names) {
      if (node.open) next.add(name);
      else next.delete(name);
    }
    setClosed(next);
  };
  const pick = (id: string | null) => {
    const row = rowOf(id ? nodes.get(id) : undefined);
    if (row && row.n !== null) onPick(row.n);
  };
  if (drawing.error) return <div className="grow" style={{ padding: 16 }}><Problem error={drawing.error} /></div>;
  if (!drawing.data) return <Loading what="the graph" />;
  return (
    <div className="assets">
      <GraphView
        drawing={drawing.data}
        label="Graph of the run"
        face={face}
        tone={tone}
        title={(node) => (
          <>
            <Icon name="down" />
            <span className="cut">{node.label}</span>
          </>
        )}
        came={came}
        picked={picked}
        first={picked ?? failed}
        onPick={pick}
        onEnter={pick}
        onToggle={toggle}
      />
    </div>
  );
}
