import { useAsset, useStep } from "../api/queries";
import type { AssetSummary } from "../api/types";
import { ago, duration, moment, size, stored } from "../logic/format";
import { Markdown, Prose } from "../parts/Markdown";
import { Icon } from "../parts/icons";
import { Status } from "../parts/parts";
import { Link, at } from "../parts/router";
import { fanned, partly } from "../logic/tree";
import { ErrorBox } from "./Failure";
import { Sparkline, TimesBar } from "../parts/plots";

/** What leads to the run that last had an asset to make, where that did not end well. Of one that was made before, it was canceled. */
export const RUN_OF: Record<string, string> = { pending: "Watch the run", running: "Watch the run", failed: "See what failed", canceled: "See the canceled run" };
export const CANCELED = "The last run was canceled";

function Close({ onClose }: { onClose: () => void }) {
  return (
    <button type="button" className="button small bare" aria-label="Close" onClick={onClose} style={{ marginLeft: "auto" }}>
      <Icon name="close" />
    </button>
  );
}

/** What is picked in the graph, in short. */
export function AssetSide({ asset, all, now, onClose }: { asset: AssetSummary; all: Map<string, AssetSummary>; now: number; onClose: () => void }) {
  const names = (ids: string[]) =>
    ids.map((id) => {
      const other = all.get(id);
      return (
        <li key={id}>
          <Link to={at.asset(id)}>{other?.key ?? id}</Link>
        </li>
      );
    });
  return (
    <aside className="side" aria-label={`Asset ${asset.key}`}>
      <div className="row">
        <h2 className="cut">{asset.key}</h2>
        <Close onClose={onClose} />
      </div>
      <div className="stack" style={{ gap: 4 }}>
        <Status of={asset.status} />
        {asset.why && <p className="quiet"><Prose text={asset.why} /></p>}
      </div>
      {asset.description && <Markdown text={asset.description} />}
      <dl className="facts">
        {asset.latest && (
          <>
            <dt>Made</dt>
            <dd>
              {asset.latest.run_id ? (
                <Link to={at.run(asset.latest.run_id)} title={moment(asset.latest.at, now)}>
                  {ago(asset.latest.at, now)}
                </Link>
              ) : (
                <span title={moment(asset.latest.at, now)}>{ago(asset.latest.at, now)}, reported</span>
              )}
              {asset.latest.duration !== null && <span className="faint"> in {duration(asset.latest.duration)}</span>}
            </dd>
          </>
        )}
        {asset.op_count > 0 && asset.graph_backed && (
          <>
            <dt>Ops</dt>
            <dd>
              <Link to={at.asset(asset.id, "ops")}>{asset.op_count}</Link>
            </dd>
          </>
        )}
        <dt>Group</dt>
        <dd>{asset.group}</dd>
        {asset.kinds.length > 0 && (
          <>
            <dt>Kinds</dt>
            <dd>{asset.kinds.join(", ")}</dd>
          </>
        )}
        {asset.owners.length > 0 && (
          <>
            <dt>Owners</dt>
            <dd>{asset.owners.join(", ")}</dd>
          </>
        )}
      </dl>
      {asset.upstream.length > 0 && (
        <div>
          <h3>Made from</h3>
          <ul className="chain">{names(asset.upstream)}</ul>
        </div>
      )}
      {asset.downstream.length > 0 && (
        <div>
          <h3>Goes into</h3>
          <ul className="chain">{names(asset.downstream)}</ul>
        </div>
      )}
      <div className="row wrap">
        <Link to={at.asset(asset.id)} className="button">
          Open
        </Link>
        {asset.run_id && (
          <Link to={at.run(asset.run_id)} className="button">
            {RUN_OF[asset.status] ?? CANCELED}
          </Link>
        )}
        {asset.kind !== "external" && (
          <Link to={at.launch(`+${asset.key}`)} className="button" title="This asset and everything it is made from">
            With upstream
          </Link>
        )}
      </div>
    </aside>
  );
}

export function OpSide({ opKey, asset, onClose }: { opKey: string; asset: AssetSummary | undefined; onClose: () => void }) {
  const { data } = useAsset(asset?.id ?? "", 1, opKey);
  const op = data?.ops[0];
  const error = useStep(op?.run_id ?? "", op?.status === "failed" ? op.n : null, "error").data?.error;
  return (
    <aside className="side" aria-label={`Op ${opKey}`}>
      <div className="row">
        <h2 className="cut" title={opKey}>
          {op?.path || opKey}
        </h2>
        <Close onClose={onClose} />
      </div>
      {asset && (
        <p className="quiet">
          an op of <Link to={at.asset(asset.id, "ops")}>{asset.key}</Link>
        </p>
      )}
      {op?.status ? (
        <>
          <Status of={op.status} word={op.counts ? fanned(op.status, op.counts) : undefined} />
          {error && <section className="failure"><ErrorBox error={error} /></section>}
          {op.times && Object.values(op.times).some(Boolean) && <TimesBar times={op.times} took={op.took} />}
          <dl className="facts">
            {op.took !== null && (
              <>
                <dt>Took</dt>
                <dd>{[duration(op.took), partly(op.counts)].filter(Boolean).join(", ")}</dd>
              </>
            )}
            <dt>Stored</dt>
            <dd>{stored(op)}</dd>
            <dt>Kept between ops</dt>
            <dd>{op.disk ? size(op.disk) : "nothing"}</dd>
          </dl>
          {op.trend.length > 1 && (
            <div>
              <h3>Last runs</h3>
              <Sparkline values={op.trend} label={`Durations of the last ${op.trend.length} runs`} wide />
            </div>
          )}
          {op.run_id && (
            <Link to={at.run(op.run_id, op.n === null ? "" : String(op.n))} className="button">
              See it in its run
            </Link>
          )}
        </>
      ) : (
        op && <p className="quiet">It has not run yet.</p>
      )}
    </aside>
  );
}
