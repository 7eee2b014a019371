import { useCallback, useEffect, useMemo, useState } from "react";
import { type OpState, useAssets, useDrawing, useOpStates, useProject } from "../api/queries";
import type { AssetSummary, PlacedNode } from "../api/types";
import { type Face, GraphView } from "../graph/GraphView";
import type { Wire } from "../graph/scene";
import { ago, duration, plural } from "../logic/format";
import type { Flow } from "../logic/picture";
import { isPlain, matching, opsNamed } from "../logic/search";
import { type Tone, look, together } from "../logic/status";
import { allOf } from "../logic/tree";
import { Icon } from "../parts/icons";
import { Empty, Loading, Meter, Problem, Status, useNow } from "../parts/parts";
import { Link, at, useParam, useRouter } from "../parts/router";
import { AssetsList } from "./AssetsList";
import { AssetCame, NotRun, ReadCame, StepCame } from "./Came";
import { AssetSide, OpSide } from "./AssetSide";
import { NoAssets } from "./NoAssets";
import { type Stand, opFace } from "./OpFace";
import { SearchBox } from "./SearchBox";

const NEVER: Stand = { status: null, took: null };

export function AssetsPage() {
  const [query, setQuery] = useParam("q");
  const [opened, setOpened] = useParam("open");
  const [view, setView] = useParam("view", "graph");
  const [picked, setPicked] = useState<string | null>(null);
  const [typed, setTyped] = useState(query);
  const [sought, setSought] = useState<string | null>(null);
  const { go } = useRouter();
  const project = useProject();
  const [folded, setFolded] = useParam("fold");
  const open = useMemo(() => opened.split(",").filter(Boolean), [opened]);
  const fold = useMemo(() => folded.split(",").filter(Boolean), [folded]);
  const assets = useAssets(query);
  const all = useAssets("");
  const drawing = useDrawing(query, open, fold);
  const now = useNow();
  useEffect(() => setTyped(query), [query]);

  const byId = useMemo(() => new Map((assets.data?.assets ?? []).map((a) => [a.id, a])), [assets.data]);
  const everything = open.includes("*");
  const shownOpen = useMemo(() => {
    if (everything) return [...byId.values()].filter((a) => a.graph_backed).map((a) => a.id);
    const wanted = new Set(open.map((id) => byId.get(id)?.unit).filter((unit) => unit !== undefined));
    return [...byId.values()].filter((a) => wanted.has(a.unit)).map((a) => a.id);
  }, [open, everything, byId]);
  const error = assets.error ?? drawing.error;
  const searched = typed === query && !(error && query) ? "" : typed;
  const backed = useMemo(() => (all.data?.assets ?? []).filter((a) => a.graph_backed), [all.data]);
  const ops = useOpStates((searched.trim().length > 1 ? backed.map((a) => a.id) : shownOpen).slice(0, 40));
  const found = useMemo(() => opsNamed(ops.keys(), searched, 8), [ops, searched]);

  const nodes = useMemo(() => new Map((drawing.data?.nodes ?? []).map((n) => [n.id, n])), [drawing.data]);
  const tone = useCallback(
    (id: string): Tone => {
      const node = nodes.get(id);
      if (!node) return "idle";
      const status = node.kind === "graph" && !node.open ? inside(node, ops).status : node.step ? ops.get(node.step)?.status : node.asset ? byId.get(node.asset)?.status : null;
      return status ? look(status).tone : "idle";
    },
    [nodes, ops, byId],
  );
  const matches = useMemo(() => {
    if (typed === query || typed.trim().length < 2 || !isPlain(typed) || !drawing.data) return null;
    const wanted = new Set(matching([...byId.values()], typed).map((a) => a.id));
    for (const a of byId.values()) if (found.some((key) => key.startsWith(`${a.unit}.`))) wanted.add(a.id);
    return new Set(drawing.data.nodes.filter((n) => (n.asset !== null && wanted.has(n.asset)) || n.label.includes(typed.trim())).map((n) => n.id));
  }, [typed, query, byId, found, drawing.data]);

  const minute = Math.floor(now / 15);
  const face = useCallback((node: PlacedNode): Face => {
    const asset = node.asset ? byId.get(node.asset) : undefined;
    if (node.step) return { ...opFace(ops.get(node.step) ?? NEVER, "never ran"), className: "op" };
    if (asset && (node.kind === "asset" || node.kind === "external")) return assetFace(node, asset, Date.now() / 1000);
    const badge = node.opens ? node.badge : null;
    if (node.kind === "graph") return { ...opFace(inside(node, ops), "never ran"), className: "graph", badge };
    const body = <span className="sub">{node.detail || node.kind}</span>;
    return { tone: "idle", spoken: [node.kind, node.badge].filter(Boolean).join(", "), className: node.kind, badge, body };
  }, [byId, ops, minute]);

  const toggle = useCallback(
    (id: string) => {
      const node = nodes.get(id);
      if (!node || (!node.opens && !node.open)) return;
      if (node.kind === "group") {
        setFolded((fold.includes(id) ? fold.filter((each) => each !== id) : [...fold, id]).join(","));
        return;
      }
      const name = node.asset ?? id;
      // Assets of one graph are opened together, in a box that is named for the graph.
      const unit = node.open ? (node.asset ? byId.get(node.asset)?.unit : id.startsWith("unit:") ? id.slice(5) : undefined) : undefined;
      const same = (each: string) => each === name || (unit !== undefined && byId.get(each)?.unit === unit);
      const all = [...nodes.values()].filter((n) => n.open && n.kind !== "group");
      const now = everything ? all.flatMap((n) => n.asset ?? (n.id.startsWith("unit:") ? [...byId.values()].filter((a) => a.unit === n.id.slice(5)).map((a) => a.id) : n.id)) : open;
      setOpened((node.open ? now.filter((each) => !same(each)) : [...now, name]).join(","));
    },
    [nodes, open, everything, fold, byId, setOpened, setFolded],
  );
  const assetOf = useCallback(
    (node: PlacedNode | undefined): AssetSummary | undefined => {
      if (node?.asset) return byId.get(node.asset);
      return node?.step ? [...byId.values()].find((a) => a.graph_backed && node.step?.startsWith(`${a.unit}.`)) : undefined;
    },
    [byId],
  );
  const enter = useCallback(
    (id: string) => {
      const node = nodes.get(id);
      const op = node?.step ? ops.get(node.step) : undefined;
      if (op?.run) go(at.run(op.run, String(op.n)));
      else {
        const asset = assetOf(node);
        if (asset) go(at.asset(asset.id, node?.step ? "ops" : ""));
      }
    },
    [nodes, ops, assetOf, go],
  );

  /** Opens what an op is in, and goes to it. */
  const reveal = (key: string) => {
    const asset = backed.find((a) => key.startsWith(`${a.unit}.`));
    if (!asset) return;
    const names = key.slice(asset.unit.length + 1).split(".").slice(0, -1);
    const graphs = names.map((_, i) => `graph:${[asset.unit, ...names.slice(0, i + 1)].join(".")}`);
    setTyped(byId.has(asset.id) ? query : "");
    if (!byId.has(asset.id) || error) setQuery("");
    setView("graph");
    setFolded("");
    setOpened(everything ? "*" : [...new Set([...open, asset.id, ...graphs])].join(","));
    setSought(`op:${key}`);
    setPicked(`op:${key}`);
  };

  const title = useCallback(
    (node: PlacedNode) => {
      const asset = node.asset ? byId.get(node.asset) : undefined;
      return (
        <>
          <Icon name="down" />
          <span className="cut">{node.label}</span>
          {node.badge && <span className="faint">{node.badge}</span>}
          {asset?.progress && <span className="faint">{asset.progress.done} of {asset.progress.total} done</span>}
          {asset && asset.status !== "failed" && <Status of={asset.status} />}
        </>
      );
    },
    [byId],
  );

  const came = useCallback(
    (wire: Wire, flows: Flow[]) => {
      const node = nodes.get(wire.source);
      if (node?.asset) return <AssetCame id={node.asset} flows={flows} />;
      const [Came, step] = node?.step ? [StepCame, node.step] : [ReadCame, nodes.get(wire.target)?.step];
      if (!step) return null;
      const op = ops.get(step);
      return op?.run ? <Came run={op.run} n={op.n} status={op.status ?? ""} kind={wire.kind} flows={flows} /> : <NotRun />;
    },
    [nodes, ops],
  );

  const pickedNode = picked ? nodes.get(picked) : undefined;
  const pickedAsset = assetOf(pickedNode);
  // What was answered while the definitions were still loading is asked for again.
  const manifest = project.data?.status === "ready" ? project.data.manifest : null;
  const late = manifest !== null && [assets.data?.manifest, drawing.data?.manifest].some((each) => each !== undefined && each !== manifest);
  useEffect(() => {
    if (!late) return;
    void assets.refetch();
    void drawing.refetch();
    // one try for each manifest
  }, [late, manifest]);
  const unmatched = query !== "" && !error && assets.data?.assets.length === 0;
  const nothing = assets.data?.total === 0 && !late;
  const selection = pickedAsset && !pickedNode?.step ? pickedAsset.key : query;

  return (
    <>
      <h1 className="unseen">Assets</h1>
      <div className="assets-tools">
        <SearchBox typed={typed} onType={setTyped} onApply={setQuery} assets={all.data?.assets ?? []} ops={found} onOp={reveal} wrong={Boolean(error && query && typed === query)} />
        <span className="quiet hide-narrow">
          {assets.data && (query ? `${assets.data.assets.length} of ${plural(assets.data.total, "asset")}` : plural(assets.data.total, "asset"))}
        </span>
        <span className="grow hide-narrow" />
        {view === "graph" && backed.length > 0 && (
          <button
            type="button"
            className="button bare"
            onClick={() => setOpened(open.length ? "" : "*")}
          >
            {open.length ? "Close all" : "Open all"}
          </button>
        )}
        <button type="button" className="button" aria-pressed={view === "list"} onClick={() => setView(view === "list" ? "graph" : "list")}>
          List
        </button>
        {assets.data?.total !== 0 && project.data?.status !== "broken" && !(error && query) && !unmatched && <Link to={at.launch(selection)} className="button main-action">
          <Icon name="play" />
          {selection ? (
            <>
              Materialize <small className="cut" style={{ maxWidth: 140 }}>{pickedAsset && !pickedNode?.step ? pickedAsset.key : "selection"}</small>
            </>
          ) : (
            "Materialize all"
          )}
        </Link>}
      </div>
      <div className="assets">
        {nothing && project.data?.status === "ready" ? (
          <NoAssets />
        ) : assets.data?.total === 0 ? (
          project.data?.status === "broken" ? <Empty title="Nothing could be loaded">The reason is above.</Empty> : <Loading what="the definitions" />
        ) : error ? (
          query ? (
            <Empty title="This selection means nothing here">
              <pre role="alert" style={{ textAlign: "left" }}>{error instanceof Error ? error.message : String(error)}</pre>
              <button type="button" className="button" onClick={() => setQuery("")}>
                Show all assets
              </button>
            </Empty>
          ) : (
            <div className="page">
              <Problem error={error} />
            </div>
          )
        ) : unmatched ? (
          <Empty title="No asset matches">
            <p>There is none that <code>{query}</code> means.</p>
            <button type="button" className="button" onClick={() => setQuery("")}>
              Show all assets
            </button>
          </Empty>
        ) : view === "list" ? (
          assets.data ? <AssetsList assets={assets.data.assets} typed={typed !== query && isPlain(typed) ? typed : ""} now={now} /> : <Loading what="assets" />
        ) : drawing.data ? (
          <GraphView
            drawing={drawing.data}
            label={`Graph of ${plural(byId.size, "asset")}. Arrow keys move, Enter goes in, O opens a graph-backed asset.`}
            face={face}
            tone={tone}
            title={title}
            came={came}
            picked={picked}
            whole={everything}
            first={sought && nodes.has(sought) ? sought : [...nodes.values()].find((n) => n.open && (n.asset === open[0] || n.id === `unit:${byId.get(open[0] ?? "")?.unit}`))?.id ?? null}
            matches={matches}
            onPick={setPicked}
            onEnter={enter}
            onToggle={toggle}
          />
        ) : (
          <Loading what="the graph" />
        )}
        {view === "graph" && pickedNode?.step ? (
          <OpSide opKey={pickedNode.step} asset={pickedAsset} onClose={() => setPicked(null)} />
        ) : (
          view === "graph" && pickedAsset && <AssetSide asset={pickedAsset} all={byId} now={now} onClose={() => setPicked(null)} />
        )}
      </div>
    </>
  );
}

function assetFace(node: PlacedNode, asset: AssetSummary, now: number): Face {
  const { tone, icon, word } = look(asset.status);
  const { latest, progress } = asset;
  const ops = asset.op_count > 1 || asset.graph_backed ? plural(asset.op_count, "op") : "";
  const words =
    progress && asset.status === "running"
      ? progress.total === 1 ? "running" : `${progress.done} of ${progress.total} ops`
      : asset.status === "fresh" && latest
        ? [ago(latest.at, now), duration(latest.duration)].filter(Boolean).join(" · ")
        : latest && asset.status === "stale"
          ? `stale · ${ago(latest.at, now)}`
          : word;
  return {
    tone,
    spoken: [asset.graph_backed ? `graph-backed asset, ${ops}` : asset.kind.replace("_", "-"), word, asset.why].filter(Boolean).join(", "),
    className: asset.kind === "external" ? "external" : "asset",
    badge: node.opens ? ops : null,
    body: (
      <>
        <span className="sub" title={asset.why || undefined}>
          <span data-tone={tone} className="row" style={{ gap: 4 }}>
            <Icon name={asset.status === "running" ? "spin" : icon} />
          </span>
          <span className="cut">{words}</span>
          {asset.kinds.slice(0, 2).map((kind) => (
            <span key={kind} className="faint">
              {kind}
            </span>
          ))}
        </span>
        {progress && asset.status === "running" && (
          <Meter
            total={1}
            label={`${progress.done} of ${progress.total} ops done`}
            shares={[
              { tone: "bad", n: progress.failed / progress.total },
              { tone: "ok", n: progress.share },
            ]}
          />
        )}
      </>
    ),
  };
}

/** How the ops of a graph stand that is shown as one node, `graph:revenue.clean`: together, and from first to last. Of one
 * that is a fan-out, for how many values all of it is done. */
function inside(node: PlacedNode, ops: Map<string, OpState>): Stand {
  const prefix = `${node.id.slice(node.id.indexOf(":") + 1)}.`;
  const own = [...ops.values()].filter((op) => op.key.startsWith(prefix));
  const status = together(own.map((op) => op.status));
  const ran = own.filter((op) => op.took > 0);
  const took = new Set(ran.map((op) => op.run)).size === 1 ? Math.max(...ran.map((op) => op.started + op.took)) - Math.min(...ran.map((op) => op.started)) : null;
  const of = own.map((op) => op.counts).filter((counts) => counts !== undefined);
  return { status, took, counts: node.mapped && of[0] ? throughout(of, status === "succeeded") : undefined };
}

/** For how many of its values the ops of a fan-out are all done, and for how many one failed. */
function throughout(of: Record<string, number>[], over: boolean): Record<string, number> {
  const all = Math.max(...of.map(allOf));
  const failed = Math.min(all, of.reduce((sum, counts) => sum + (counts["failed"] ?? 0), 0));
  const done = over ? all : Math.min(all - failed, ...of.map((counts) => (counts["succeeded"] ?? 0) + (counts["reused"] ?? 0)));
  return { failed, succeeded: done, pending: all - failed - done };
}
