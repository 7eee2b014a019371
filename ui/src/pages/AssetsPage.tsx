import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type OpState, useAssets, useDrawing, useOpStates, useProject } from "../api/queries";
import type { AssetSummary, PlacedNode } from "../api/types";
import { type Face, GraphView } from "../graph/GraphView";
import type { Wire } from "../graph/scene";
import { ago, duration, plural } from "../logic/format";
import type { Flow } from "../logic/picture";
import { matching } from "../logic/search";
import { type Tone, look, together } from "../logic/status";
import { Icon } from "../parts/icons";
import { Command, Empty, Loading, Meter, Problem, Status, useNow } from "../parts/parts";
import { Link, at, useParam, useRouter } from "../parts/router";
import { AssetsList } from "./AssetsList";
import { AssetCame, NotRun, StepCame } from "./Came";
import { AssetSide, OpSide } from "./AssetSide";

export function AssetsPage() {
  const [query, setQuery] = useParam("q");
  const [opened, setOpened] = useParam("open");
  const [view, setView] = useParam("view", "graph");
  const [picked, setPicked] = useState<string | null>(null);
  const [typed, setTyped] = useState(query);
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
  const shownOpen = useMemo(() => {
    const wanted = new Set(open.map((id) => byId.get(id)?.unit).filter((unit) => unit !== undefined));
    return [...byId.values()].filter((a) => wanted.has(a.unit)).map((a) => a.id);
  }, [open, byId]);
  const ops = useOpStates(shownOpen.slice(0, 40));

  const nodes = useMemo(() => new Map((drawing.data?.nodes ?? []).map((n) => [n.id, n])), [drawing.data]);
  const tone = useCallback(
    (id: string): Tone => {
      const node = nodes.get(id);
      if (!node) return "idle";
      const status = node.kind === "graph" && !node.open ? inside(node.id, ops) : node.step ? ops.get(node.step)?.status : node.asset ? byId.get(node.asset)?.status : null;
      return status ? look(status).tone : "idle";
    },
    [nodes, ops, byId],
  );
  const matches = useMemo(() => {
    if (typed === query || typed.trim().length < 2 || !drawing.data) return null;
    const wanted = new Set(matching([...byId.values()], typed).map((a) => a.id));
    return new Set(drawing.data.nodes.filter((n) => (n.asset !== null && wanted.has(n.asset)) || n.label.includes(typed.trim())).map((n) => n.id));
  }, [typed, query, byId, drawing.data]);

  const minute = Math.floor(now / 15);
  const face = useCallback((node: PlacedNode): Face => {
    const asset = node.asset ? byId.get(node.asset) : undefined;
    if (node.step) return opFace(node, ops.get(node.step));
    if (asset && (node.kind === "asset" || node.kind === "external")) return assetFace(node, asset, Date.now() / 1000);
    const status = node.kind === "graph" ? inside(node.id, ops) : null;
    return {
      tone: status ? look(status).tone : "idle",
      spoken: [node.kind, node.badge, status && look(status).word].filter(Boolean).join(", "),
      className: node.kind,
      badge: node.opens ? node.badge : null,
      body: (
        <span className="sub">
          {status && <Icon name={look(status).icon} />}
          {node.detail || (status ? look(status).word : node.kind)}
        </span>
      ),
    };
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
      setOpened((node.open ? open.filter((each) => !same(each)) : [...open, name]).join(","));
    },
    [nodes, open, fold, byId, setOpened, setFolded],
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

  const title = useCallback(
    (node: PlacedNode) => {
      const asset = node.asset ? byId.get(node.asset) : undefined;
      return (
        <>
          <Icon name="down" />
          <span className="cut">{node.label}</span>
          {node.badge && <span className="faint">{node.badge}</span>}
          {asset && <Status of={asset.status} word={asset.progress ? `${asset.progress.done} of ${asset.progress.total}` : undefined} />}
        </>
      );
    },
    [byId],
  );

  const came = useCallback(
    (wire: Wire, flows: Flow[]) => {
      const node = nodes.get(wire.source);
      if (node?.asset) return <AssetCame id={node.asset} flows={flows} />;
      if (!node?.step) return null;
      const op = ops.get(node.step);
      return op?.run ? <StepCame run={op.run} n={op.n} status={op.status ?? ""} kind={wire.kind} flows={flows} /> : <NotRun />;
    },
    [nodes, ops],
  );

  const backed = useMemo(() => [...byId.values()].filter((a) => a.graph_backed), [byId]);
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
  const nothing = assets.data?.total === 0 && !late;
  const selection = pickedAsset && !pickedNode?.step ? pickedAsset.key : query;

  return (
    <>
      <h1 className="unseen">Assets</h1>
      <div className="assets-tools">
        <SearchBox typed={typed} onType={setTyped} applied={query} onApply={setQuery} assets={all.data?.assets ?? []} error={assets.error ?? drawing.error} />
        <span className="quiet hide-narrow">
          {assets.data && (query ? `${assets.data.assets.length} of ${plural(assets.data.total, "asset")}` : plural(assets.data.total, "asset"))}
        </span>
        <span className="grow hide-narrow" />
        {view === "graph" && backed.length > 0 && (
          <button
            type="button"
            className="button bare"
            onClick={() => setOpened(open.length ? "" : backed.slice(0, 200).map((a) => a.id).join(","))}
          >
            {open.length ? "Close all" : "Open all"}
          </button>
        )}
        <button type="button" className="button" aria-pressed={view === "list"} onClick={() => setView(view === "list" ? "graph" : "list")}>
          List
        </button>
        {assets.data?.total !== 0 && project.data?.status !== "broken" && <Link to={at.launch(selection)} className="button main-action">
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
        ) : view === "list" ? (
          assets.data ? <AssetsList assets={assets.data.assets} typed={typed === query ? "" : typed} now={now} /> : <Loading what="assets" />
        ) : drawing.data ? (
          <GraphView
            drawing={drawing.data}
            label={`Graph of ${plural(byId.size, "asset")}. Arrow keys move, Enter goes in, O opens a graph-backed asset.`}
            face={face}
            tone={tone}
            title={title}
            came={came}
            picked={picked}
            first={[...nodes.values()].find((n) => n.open && (n.asset === open[0] || n.id === `unit:${byId.get(open[0] ?? "")?.unit}`))?.id ?? null}
            matches={matches}
            onPick={setPicked}
            onEnter={enter}
            onToggle={toggle}
          />
        ) : drawing.error || assets.error ? (
          query ? (
            <Empty title="This selection means nothing here">
              <button type="button" className="button" onClick={() => setQuery("")}>
                Show all assets
              </button>
            </Empty>
          ) : (
            <div className="page">
              <Problem error={drawing.error ?? assets.error} />
            </div>
          )
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
            total={progress.total}
            label={`${progress.done} of ${progress.total} ops done`}
            shares={[
              { tone: "ok", n: progress.done },
              { tone: "bad", n: progress.failed },
              { tone: "run", n: progress.running },
            ]}
          />
        )}
      </>
    ),
  };
}

function opFace(node: PlacedNode, op: OpState | undefined): Face {
  const status = op?.status ?? null;
  const { tone, icon, word } = look(status ?? "never");
  const took = op && status !== "reused" && status !== "running" ? duration(op.took) : "";
  return {
    tone,
    spoken: ["op", status ? word : "never ran", took].filter(Boolean).join(", "),
    className: "op",
    body: (
      <>
        {node.height > 34 && (
          <span className="sub">
            <Icon name={icon} />
            <span className="cut">{status ? [status === "succeeded" ? "" : word, took].filter(Boolean).join(" · ") || word : "never ran"}</span>
          </span>
        )}
      </>
    ),
  };
}

/** How the ops of a graph stand that is shown as one node, `graph:revenue.clean`. */
function inside(id: string, ops: Map<string, OpState>): string | null {
  const prefix = `${id.slice(id.indexOf(":") + 1)}.`;
  return together([...ops.values()].filter((op) => op.key.startsWith(prefix)).map((op) => op.status));
}

interface SearchProps {
  typed: string;
  onType: (text: string) => void;
  applied: string;
  onApply: (text: string) => void;
  assets: AssetSummary[];
  error: unknown;
}

function SearchBox({ typed, onType, applied, onApply, assets, error }: SearchProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const slash = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", slash);
    return () => window.removeEventListener("keydown", slash);
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = typed.trim();
    const found = matching(assets, text);
    const isPlain = /^[\w/. -]+$/.test(text) && !/\b(and|or|not)\b/.test(text);
    const exact = assets.some((a) => a.key === text);
    onApply(isPlain && !exact && found.length > 0 && found.length <= 50 ? found.map((a) => `key:"${a.key}"`).join(" or ") : text);
  };
  const wrong = error !== null && error !== undefined && typed === applied && applied !== "";
  return (
    <form className="searchbox" role="search" onSubmit={submit}>
      <Icon name="search" />
      <input
        ref={input}
        className="field"
        type="text"
        list="selections"
        value={typed}
        placeholder="Search, or select: +totals, group:raw, kind:csv …"
        aria-label="Search, or a selection"
        aria-invalid={wrong}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          onType(event.target.value);
          if (event.target.value === "") onApply("");
        }}
        onKeyDown={(event) => event.key === "Escape" && (onType(""), onApply(""))}
      />
      {wrong && (
        <div className="problem" role="alert">
          <pre>{error instanceof Error ? error.message : String(error)}</pre>
        </div>
      )}
    </form>
  );
}

function NoAssets() {
  return (
    <Empty title="There are no assets in this file yet">
      <p>An asset is a function with a name. Add one, save the file, and it appears here.</p>
      <pre className="card" style={{ textAlign: "left", padding: "10px 14px" }}>
        {"from opgraph import Definitions, asset\n\n\n@asset\ndef orders():\n    return [1, 2, 3]\n\n\ndefs = Definitions(assets=[orders])"}
      </pre>
      <p>Or let a starting point be written:</p>
      <Command text="opgraph init" />
    </Empty>
  );
}

