import { useMemo, useState } from "react";
import { useAssets, useProject, useRuns, useTimeline } from "../api/queries";
import type { Lane, RunSummary } from "../api/types";
import { type Named, titled } from "../logic/titles";
import { ago, duration, moment, short } from "../logic/format";
import { onTheClock, packed } from "../logic/lanes";
import { isOver, look } from "../logic/status";
import { Command, Empty, Loading, Problem, Status, useNow } from "../parts/parts";
import { Link, at, useParam, useRouter } from "../parts/router";

const STATES = ["STARTED", "QUEUED", "SUCCESS", "FAILURE", "CANCELED", "DIED"];
const SPANS: Record<string, number> = { "10 min": 600, "1 h": 3600, "6 h": 21_600, "1 day": 86_400, "7 days": 604_800 };

export function RunsPage() {
  const [status, setStatus] = useParam("status");
  const [asset, setAsset] = useParam("asset");
  const [job, setJob] = useParam("job");
  const [by, setBy] = useParam("by");
  const [cursors, setCursors] = useState<string[]>([""]);
  const runs = useRuns({ status, asset, job, by }, cursors.at(-1) ?? "");
  const assets = useAssets("");
  const jobs = useProject().data?.jobs ?? [];
  const now = useNow();
  const filtered = Boolean(status || asset || job || by);
  const filter = (set: (value: string) => void) => (value: string) => {
    setCursors([""]);
    set(value);
  };
  const rows = runs.data?.runs ?? [];
  return (
    <div className="page">
      <div className="head">
        <h1>Runs</h1>
        <div className="actions">
          <select className="field" aria-label="Status" value={status} onChange={(event) => filter(setStatus)(event.target.value)}>
            <option value="">any status</option>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {look(each).word}
              </option>
            ))}
          </select>
          <select className="field" aria-label="Asset" value={asset} style={{ maxWidth: 200 }} onChange={(event) => filter(setAsset)(event.target.value)}>
            <option value="">any asset</option>
            {(assets.data?.assets ?? []).map((each) => (
              <option key={each.id} value={each.id}>
                {each.key}
              </option>
            ))}
          </select>
          {(jobs.length > 0 || job) && (
            <select className="field" aria-label="Job" value={job} style={{ maxWidth: 160 }} onChange={(event) => filter(setJob)(event.target.value)}>
              <option value="">any job</option>
              {[...new Set([...jobs.map((each) => each.name), ...(job ? [job] : [])])].map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
          <input className="field" style={{ width: 150 }} aria-label="Started by" placeholder="started by" value={by} onChange={(event) => filter(setBy)(event.target.value)} />
        </div>
      </div>
      {runs.error && <Problem error={runs.error} />}
      {!runs.data && !runs.error && <Loading what="runs" />}
      {runs.data && rows.length === 0 && !filtered && (
        <div className="card">
          <Empty title="Nothing has run yet">
            <p>A run is listed here from the moment it starts, wherever it was started.</p>
            <Link to="/launch" className="button main-action">
              Materialize something
            </Link>
            <p>or, in a terminal</p>
            <Command text="opgraph materialize" />
          </Empty>
        </div>
      )}
      {rows.length > 0 && <TimelineCard now={now} oldest={Math.min(...rows.slice(0, 12).map((run) => run.started ?? run.created))} />}
      {runs.data && rows.length === 0 && filtered && (
        <div className="card">
          <Empty title="No run is like that">
            <button type="button" className="button" onClick={() => (setStatus(""), setAsset(""), setJob(""), setBy(""))}>
              Show all runs
            </button>
          </Empty>
        </div>
      )}
      {rows.length > 0 && (
        <section className="card" aria-label="List of runs">
          <div className="runlist">
            {rows.map((run) => (
              <RunRow key={run.run_id} run={run} now={now} />
            ))}
          </div>
        </section>
      )}
      {(cursors.length > 1 || runs.data?.cursor) && (
        <div className="row" style={{ justifyContent: "center" }}>
          <button type="button" className="button" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>
            Newer
          </button>
          <button type="button" className="button" disabled={!runs.data?.cursor} onClick={() => setCursors([...cursors, runs.data?.cursor ?? ""])}>
            Older
          </button>
        </div>
      )}
    </div>
  );
}

/** What runs are called. */
export function useWhat(): (run: Named) => string {
  const all = useProject().data?.assets;
  return (run) => titled(run, all);
}

function RunRow({ run, now }: { run: RunSummary; now: number }) {
  const what = useWhat();
  const began = run.started ?? run.created;
  return (
    <div className="runrow" data-tone={look(run.status).tone}>
      <Status of={run.status} />
      <div className="grow">
        <Link to={at.run(run.run_id)} className="strong cut">
          {what(run)}
        </Link>
        <div className="faint cut">
          <code>{short(run.run_id)}</code>
          {[run.who && `by ${run.who}`, run.why, run.executor.replaceAll("_", " "), ...Object.entries(run.tags).map(([k, v]) => `${k}=${v}`)].filter(Boolean).map((word, i) => (
            <span key={i}> · {word}</span>
          ))}
          {run.parent && (
            <>
              {" · goes on from "}
              <Link to={at.run(run.parent)}>{short(run.parent)}</Link>
            </>
          )}
        </div>
      </div>
      <span className="num quiet" title={moment(began, now)}>
        {ago(began, now)}
      </span>
      <span className="num" style={{ width: 84 }}>
        {run.started !== null ? duration((run.ended ?? now) - run.started) : ""}
      </span>
    </div>
  );
}

function TimelineCard({ now, oldest }: { now: number; oldest: number }) {
  const [fitting] = useState(() => Object.keys(SPANS).find((name) => now - oldest < 0.9 * (SPANS[name] ?? 0)) ?? "7 days"); // as long as the newest runs need
  const [span, setSpan] = useParam("span", fitting);
  const { go } = useRouter();
  const what = useWhat();
  const end = Math.ceil(now / 20) * 20;
  const whole = SPANS[span] ?? 3600;
  const { data } = useTimeline(end - whole, end);
  const lanes = useMemo(() => packed(data?.lanes ?? [], end, whole / 300), [data, end, whole]);
  const place = (time: number) => (100 * (time - (end - whole))) / whole;
  const marks = onTheClock(end - whole, end, 8);
  return (
    <section className="card timeline" aria-label="Timeline">
      <header>
        <h2>Timeline</h2>
        <span className="faint">{data?.truncated ? "the newest of many" : ""}</span>
        <span className="grow" />
        <span role="group" aria-label="Length of the timeline" className="row" style={{ gap: 3 }}>
          {Object.keys(SPANS).map((name) => (
            <button key={name} type="button" className="button small" aria-pressed={span === name} onClick={() => setSpan(name)}>
              {name}
            </button>
          ))}
        </span>
      </header>
      <div className="inside" style={{ position: "relative", paddingTop: 22 }}>
        <div className="axis" aria-hidden="true">
          {marks.map(({ at: time, text }) => (
            <span key={time} style={{ left: `${place(time)}%` }}>
              {text}
            </span>
          ))}
        </div>
        {lanes.length === 0 && <p className="faint">No run in this time.</p>}
        {lanes.slice(0, 10).map((lane, i) => (
          <div className="lane" key={i}>
            {lane.map((run: Lane) => {
              const left = Math.max(0, place(run.started));
              const label = `${what(run)}, ${look(run.status).word}, ${duration((run.ended ?? now) - run.started)}`;
              return (
                <button
                  key={run.run_id}
                  type="button"
                  data-tone={look(run.status).tone}
                  className={isOver(run.status) ? "" : "live"}
                  style={{ left: `${left}%`, width: `${Math.min(100, place(run.ended ?? now)) - left}%` }}
                  aria-label={label}
                  title={label}
                  onClick={() => go(at.run(run.run_id))}
                />
              );
            })}
          </div>
        ))}
        {lanes.length > 10 && <p className="faint">and {lanes.slice(10).flat().length} more at the same times</p>}
      </div>
    </section>
  );
}
