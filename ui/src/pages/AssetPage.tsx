import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { post } from "../api/client";
import { useAsset, useHistory } from "../api/queries";
import type { AssetDetail, AssetOp, Cleaned, Materialization, Neighbour } from "../api/types";
import { ago, duration, moment, plural, short, size, stored } from "../logic/format";
import { BYTES, series } from "../logic/series";
import { look } from "../logic/status";
import { partly } from "../logic/tree";
import { CANCELED, RUN_OF } from "./AssetSide";
import { File } from "../parts/File";
import { Markdown, Prose } from "../parts/Markdown";
import { Icon } from "../parts/icons";
import { Confirm, Empty, Loading, Notice, Problem, Status, Tabs, useNow } from "../parts/parts";
import { Plot, Sparkline, TimesBar, TimesLegend } from "../parts/plots";
import { Link, at, useParam, useRouter } from "../parts/router";
import { MetaList, PreviewBox, shapeOf } from "../parts/Values";

export function AssetPage({ id }: { id: string }) {
  const [ops, setOps] = useState(FIRST);
  const { data: asset, error } = useAsset(id, ops);
  const [tab, setTab] = useParam("tab", "value");
  const now = useNow(asset?.status === "running");
  if (error) return <div className="page"><Problem error={error} /><p><Link to={at.assets()}>All assets</Link></p></div>;
  if (!asset) return <Loading what="the asset" />;
  const tabs = [
    { id: "value", label: "Latest value" },
    { id: "history", label: "History" },
    { id: "ops", label: asset.ops_in_all > 1 ? `Ops ${asset.ops_in_all}` : "Op" },
  ];
  return (
    <div className="page">
      <div className="head">
        <div className="grow">
          <div className="crumb">
            <Link to="/">Assets</Link>
            <span>/</span>
            <Link to={at.assets(`group:${asset.group}`)}>{asset.group}</Link>
          </div>
          <h1>{asset.key}</h1>
          <div className="row wrap" style={{ marginTop: 4 }}>
            <Status of={asset.status} />
            {asset.why && <span className="quiet"><Prose text={asset.why} /></span>}
            {asset.kinds.map((kind) => <span key={kind} className="tag">{kind}</span>)}
            {asset.graph_backed && <span className="tag outline">graph of {plural(asset.op_count, "op")}</span>}
            {Object.entries(asset.tags).map(([k, v]) => <span key={k} className="tag">{v ? `${k}=${v}` : k}</span>)}
          </div>
          {asset.description && <div style={{ marginTop: 8, maxWidth: 760 }}><Markdown text={asset.description} /></div>}
        </div>
        {asset.kind !== "external" && (
          <div className="actions">
            {asset.run_id && (
              <Link to={at.run(asset.run_id)} className={`button${asset.status === "failed" ? " main-action" : ""}`}>
                {RUN_OF[asset.status] ?? CANCELED}
              </Link>
            )}
            <Link to={at.launch(`+${asset.key}`)} className="button">With upstream</Link>
            <Link to={at.launch(asset.key)} className={`button${asset.status === "failed" ? "" : " main-action"}`}>
              <Icon name="play" />
              Materialize
            </Link>
          </div>
        )}
      </div>
      {asset.kind === "external" ? (
        <div className="two">
          <Notice tone="idle">It is made elsewhere. What is declared here is that others are made from it.</Notice>
          <Neighbours asset={asset} />
        </div>
      ) : (
        <>
          <Tabs tabs={tabs} current={tab} onChange={setTab} label="What to see of the asset" />
          {tab === "ops" ? <Ops asset={asset} now={now} onMore={() => setOps(ops + 5 * FIRST)} /> : tab === "history" ? <Past asset={asset} now={now} /> : <Latest asset={asset} now={now} />}
        </>
      )}
    </div>
  );
}

function Latest({ asset, now }: { asset: AssetDetail; now: number }) {
  const made = asset.materialization;
  return (
    <div className="two">
      <div className="stack">
        {!made ? (
          <div className="card">
            <Empty title="It was never made">
              <p>Once it is, its value, size and metadata are shown here.</p>
              <div className="row">
                <Link to={at.launch(asset.key)} className="button">Materialize it</Link>
                <Link to={at.launch(`+${asset.key}`)} className="button">With all it is made from</Link>
              </div>
            </Empty>
          </div>
        ) : (
          <>
            <section className="card">
              <header>
                <h2>Value</h2>
                <span className="faint grow cut">{[made.type_name, shapeOf(made.preview)].filter(Boolean).join(" · ")}</span>
                <span className="faint">{size(made.size)}</span>
              </header>
              {made.preview ? (
                <PreviewBox preview={made.preview} />
              ) : (
                <p className="inside quiet">
                  There is no preview of a {made.type_name ? <code>{made.type_name}</code> : "value of this type"}.
                  {made.path && <> It is stored in <File path={made.path} />.</>}
                </p>
              )}
            </section>
            {made.metadata.length > 0 && (
              <section className="card">
                <header><h2>Metadata</h2></header>
                <div className="inside"><MetaList metadata={made.metadata} now={now} /></div>
              </section>
            )}
          </>
        )}
      </div>
      <div className="stack">
        {made && (
          <section className="card">
            <header><h2>This version</h2></header>
            <div className="inside">
              <Version made={made} now={now} duration={asset.latest?.duration ?? null} />
            </div>
          </section>
        )}
        {made && made.inputs.length > 0 && (
          <section className="card">
            <header>
              <h2>Made from</h2>
              <span className="faint">the exact versions</span>
            </header>
            <ul className="inside chain">
              {made.inputs.map((input) => (
                <li key={input.asset} className="row wrap">
                  <Link to={at.asset(input.id)}>{input.asset}</Link>
                  <code className="faint cut" style={{ maxWidth: 120 }} title={input.data_version}>{input.data_version.slice(0, 12)}</code>
                  {input.run_id && <Link to={at.run(input.run_id)} className="faint">run {short(input.run_id)}</Link>}
                  {input.newer_exists && <span className="tag stale">newer exists</span>}
                </li>
              ))}
            </ul>
          </section>
        )}
        <Neighbours asset={asset} />
        <section className="card">
          <header><h2>Declared</h2></header>
          <dl className="inside facts">
            {asset.file && (<><dt>In</dt><dd><File path={asset.file} line={asset.line} /></dd></>)}
            <dt>Group</dt>
            <dd><Link to={at.assets(`group:${asset.group}`)}>{asset.group}</Link></dd>
            {asset.owners.length > 0 && (<><dt>Owners</dt><dd>{asset.owners.join(", ")}</dd></>)}
            <dt>On disk</dt>
            <dd>{size(asset.disk.values)} in its versions{asset.disk.intermediates > 0 && `, ${size(asset.disk.intermediates)} between its ops`}</dd>
          </dl>
        </section>
      </div>
    </div>
  );
}

function Version({ made, now, duration: took }: { made: Materialization; now: number; duration: number | null }) {
  return (
    <dl className="facts">
      <dt>Made</dt>
      <dd title={moment(made.at, now)}>{ago(made.at, now)}{took !== null && <span className="faint"> in {duration(took)}</span>}</dd>
      <dt>By</dt>
      <dd>{made.run_id ? <><Link to={at.run(made.run_id, String(made.n))}>{made.step}</Link> <span className="faint">in run {short(made.run_id)}</span></> : "reported, by no run"}</dd>
      {!made.asked && (<><dt>Asked for</dt><dd>no, it came with another asset</dd></>)}
      <dt>Data version</dt>
      <dd><code title={made.data_version}>{made.data_version.slice(0, 24)}</code></dd>
      <dt>Stored by</dt>
      <dd>{made.io_manager}</dd>
      {made.path && (<><dt>In</dt><dd><File path={made.path} /></dd></>)}
    </dl>
  );
}

function Neighbours({ asset }: { asset: AssetDetail }) {
  const list = (title: string, others: Neighbour[], none: string) => (
    <div className="grow">
      <h3>{title}</h3>
      {others.length === 0 ? <p className="faint">{none}</p> : (
        <ul className="chain">
          {others.map((other) => (
            <li key={other.id} className="row">
              <span className="status" data-tone={look(other.status).tone} title={look(other.status).word}><Icon name={look(other.status).icon} /></span>
              <Link to={at.asset(other.id)} className="cut">{other.key}</Link>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
  return (
    <section className="card">
      <header><h2>Lineage</h2></header>
      <div className="inside row" style={{ alignItems: "flex-start", gap: 20 }}>
        {list("Upstream", asset.parents, "nothing")}
        {list("Downstream", asset.children, "nothing")}
      </div>
    </section>
  );
}

function Past({ asset, now }: { asset: AssetDetail; now: number }) {
  const { data, error } = useHistory(asset.id);
  const { go } = useRouter();
  const numbers = useMemo(() => (data ? series(data.materializations) : []), [data]);
  if (error) return <Problem error={error} />;
  if (!data) return <Loading what="history" />;
  if (data.materializations.length === 0) return <Empty title="It was never made">Each version of it will be a line here, and each number in its metadata a plot.</Empty>;
  return (
    <div className="two">
      <div className="stack">
        {numbers.length === 0 && <Notice tone="idle">Numbers in the metadata of an asset, such as a count of rows, are plotted here: <code>context.add_output_metadata({"{"}"rows": n{"}"})</code></Notice>}
        {numbers.map(({ name, points }) => (
          <section key={name} className="card">
            <header><h2>{name}</h2></header>
            <div className="inside"><Plot points={points} label={name} now={now} {...(name === BYTES ? { read: (n: number) => size(Math.round(n)) } : {})} onOpen={(run) => go(at.run(run))} /></div>
          </section>
        ))}
      </div>
      <section className="card">
        <header><h2>Versions</h2><span className="faint">{data.materializations.length}{data.cursor ? " newest" : ""}</span></header>
        <div className="scroller">
          <table>
            <thead><tr><th scope="col">Made</th><th scope="col">Run</th><th scope="col">Data version</th><th scope="col" className="num">Size</th></tr></thead>
            <tbody>
              {data.materializations.map((made, i) => (
                <tr key={i}>
                  <td title={moment(made.at, now)} style={{ whiteSpace: "nowrap" }}>{ago(made.at, now)}</td>
                  <td>{made.run_id ? <Link to={at.run(made.run_id, String(made.n))}>{short(made.run_id)}</Link> : "reported"}</td>
                  <td><code className="faint">{made.data_version.slice(0, 12)}</code></td>
                  <td className="num">{size(made.size)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </div>
  );
}

/** From an op's start to its end. */
function seconds(op: AssetOp): number {
  return op.took ?? 0;
}

const FIRST = 200; // ops of an asset before one asks for more

function Ops({ asset, now, onMore }: { asset: AssetDetail; now: number; onMore: () => void }) {
  const client = useQueryClient();
  const [wouldGo, setWouldGo] = useState<Cleaned | null>(null);
  const [said, setSaid] = useState<{ text: string; bad: boolean } | null>(null);
  const most = Math.max(...asset.ops.map(seconds), 1e-9);
  const clean = async (dry: boolean) => {
    try {
      const reply = await post<Cleaned>(`/assets/${asset.id}/clean`, { dry_run: dry });
      if (dry) setWouldGo(reply);
      else {
        setWouldGo(null);
        setSaid({ text: `Removed ${plural(reply.count, "value")}, ${size(reply.size)}.`, bad: false });
        await client.invalidateQueries({ queryKey: ["asset", asset.id] });
      }
    } catch (error) {
      setWouldGo(null);
      setSaid({ text: (error as Error).message, bad: true });
    }
  };
  return (
    <div className="stack">
      {said && <Notice tone={said.bad ? "bad" : "ok"} icon={said.bad ? "warn" : "check"}>{said.text}</Notice>}
      <section className="card">
        <header>
          <h2>{plural(asset.ops_in_all, "op")}, as they last ran</h2>
          <TimesLegend queue={false} />
          <span className="grow" />
          <span className="quiet">{size(asset.disk.intermediates)} kept between ops</span>
          <button type="button" className="button small" disabled={asset.disk.intermediates === 0} onClick={() => void clean(true)}>Clean intermediates …</button>
        </header>
        <div className="scroller">
          <table className="ops">
            <thead>
              <tr>
                <th scope="col">Op</th><th scope="col">Status</th><th scope="col">Time</th><th scope="col" className="num">Took</th>
                <th scope="col">Trend</th><th scope="col" className="num">Size</th><th scope="col" className="num">Kept</th><th scope="col" className="num">Ran</th>
              </tr>
            </thead>
            <tbody>
              {asset.ops.map((op) => (
                <tr key={op.key}>
                  <td>
                    {op.run_id && op.n !== null ? <Link to={at.run(op.run_id, String(op.n))}>{op.path || op.op}</Link> : op.path || op.op}
                    {op.mapped && <span className="tag" style={{ marginLeft: 6 }}>× n</span>}
                    {op.path && op.op !== op.path.split(".").at(-1) && <span className="faint"> {op.op}</span>}
                  </td>
                  <td>{op.status ? <Status of={op.status} /> : <span className="faint">never ran</span>}</td>
                  <td style={{ width: "22%", minWidth: 120 }}>
                    {op.times && (
                      <div style={{ width: `${Math.max(2, (100 * seconds(op)) / most)}%`, paddingTop: 6 }}>
                        <TimesBar times={{ ...op.times, queue_us: 0 }} took={op.took} words={false} />
                      </div>
                    )}
                  </td>
                  <td className="num" data-of="Took">{op.took === null ? "" : duration(op.took)}{partly(op.counts) && <div className="faint">{partly(op.counts)}</div>}</td>
                  <td data-of="Trend">{op.trend.length > 1 && <Sparkline values={op.trend} label={`${op.path}, last ${op.trend.length} runs`} />}</td>
                  <td className="num" data-of="Size">{stored(op)}</td>
                  <td className="num" data-of="Kept">{op.disk ? size(op.disk) : "–"}</td>
                  <td className="num quiet" data-of="Ran">{op.at ? ago(op.at, now) : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {asset.ops_in_all > asset.ops.length && (
          <p className="inside">
            <button type="button" className="button small" onClick={onMore}>{`Show more of ${plural(asset.ops_in_all - asset.ops.length, "op")}`}</button>
          </p>
        )}
      </section>
      {wouldGo && (
        <Confirm title={`Remove ${size(wouldGo.size)} kept between the ops?`} action="Remove" onYes={() => void clean(false)} onNo={() => setWouldGo(null)}>
          <p>{plural(wouldGo.count, "value")} of finished runs go. The asset's own values stay.</p>
          {wouldGo.runs.length > 0 && <p>Resuming {plural(wouldGo.runs.length, "run")} ({wouldGo.runs.slice(0, 4).map(short).join(", ")}) would then run again what was removed.</p>}
        </Confirm>
      )}
    </div>
  );
}
