import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { post } from "../api/client";
import { useLiveRun, usePlan, useRun, useStep } from "../api/queries";
import type { Launched, RunDetail, RunRequest, TreeRow } from "../api/types";
import { ago, duration, moment, plural, short } from "../logic/format";
import { running as runs, summed } from "../logic/plan";
import { isOver } from "../logic/status";
import { above, atEnd, counted, openAtFirst, shares, shown, underWay } from "../logic/tree";
import { Icon } from "../parts/icons";
import { Empty, Loading, Meter, Notice, Problem, Status, Tabs, useNow } from "../parts/parts";
import { Prose } from "../parts/Markdown";
import { Link, at, useParam, useRouter } from "../parts/router";
import { Failure } from "./Failure";
import { LogsPanel } from "./LogsPanel";
import { RunGraph } from "./RunGraph";
import { Splitter } from "../parts/Splitter";
import { StepPanel } from "./StepPanel";
import { useWhat } from "./RunsPage";
import { Timetable } from "./Timetable";

const NARROW = "(max-width: 860px)"; // where what is told of an op stands below the fold
const BAD = new Set(["FAILURE", "CANCELED", "DIED"]);

export function RunPage({ id }: { id: string }) {
  const { data: run, error } = useRun(id);
  const live = useLiveRun(id, run !== undefined);
  const running = run !== undefined && !isOver(run.status);
  const tree = useMemo(() => (run && !running ? atEnd(live.tree) : live.tree), [run === undefined, running, live.tree]);
  const [step, setStep] = useParam("step");
  const [view, setView] = useParam("view", "table");
  const [tab, setTab] = useState("logs");
  const bottom = useRef<HTMLElement>(null);
  useEffect(() => setTab(step ? "step" : "logs"), [step]);
  useEffect(() => {
    if (step && tab === "step" && matchMedia(NARROW).matches) bottom.current?.scrollIntoView({ behavior: "smooth", block: "end" });
  }, [step, tab]);
  const [open, setOpen] = useState<ReadonlySet<string> | null>(null);
  const [height, setHeight] = useState(36);
  const [events, setEvents] = useState(false);
  const [others, setOthers] = useState<ReadonlySet<string>>(new Set());
  const now = useNow(running);

  const opened = useMemo(() => open ?? (live.loading ? new Set<string>() : openAtFirst(tree)), [open, live.loading, tree]);
  const rows = useMemo(() => shown(tree, opened), [tree, opened]);
  const doing = useMemo(() => (running ? underWay(tree) : new Map<string, TreeRow>()), [running, tree]);
  const selected = useMemo(() => {
    const n = step === "" ? null : Number(step);
    return n === null ? null : ([...tree.rows.values()].find((row) => row.n === n && row.kind !== "asset") ?? [...tree.rows.values()].find((row) => row.n === n) ?? null);
  }, [tree, step]);

  // What was picked by its address, or failed meanwhile, is brought to light once.
  const [lit, setLit] = useState<string | null>(null);
  useEffect(() => {
    if (!selected || lit === selected.id) return;
    setLit(selected.id);
    const hidden = above(tree, selected.id).filter((each) => !opened.has(each));
    if (hidden.length) setOpen(new Set([...opened, ...hidden]));
  }, [selected, lit, tree, opened]);

  // A key of a fan-out that is not open yet: its rows are fetched first.
  const inside = useStep(id, step !== "" && !selected && !live.loading ? Number(step) : null, "key").data?.key;
  useEffect(() => {
    const fan = inside && !selected && [...tree.rows.values()].find((row) => row.mapped && row.key === inside.split("[")[0]);
    if (fan) void live.openBelow(fan.id);
  }, [inside, selected, live]);

  const toggle = useCallback(
    (row: string) => {
      const next = new Set(opened);
      if (next.has(row)) next.delete(row);
      else {
        next.add(row);
        if (tree.rows.get(row)?.mapped) void live.openBelow(row);
      }
      setOpen(next);
    },
    [opened, live],
  );
  const pick = useCallback(
    (n: number | null, more: boolean) => {
      if (n === null) return;
      if (more && selected) {
        const row = [...tree.rows.values()].find((each) => each.n === n);
        if (row?.key) setOthers((old) => new Set(old.has(row.key) ? [...old].filter((k) => k !== row.key) : [...old, row.key]));
        return;
      }
      setOthers(new Set());
      setStep(String(n) === step ? "" : String(n));
    },
    [selected, tree, setStep, step],
  );

  if (error) return <div className="page"><Problem error={error} /><p><Link to={at.runs()}>All runs</Link></p></div>;
  if (!run) return <Loading what="the run" />;
  const chosen = selected?.key ? [selected.key, ...[...others].filter((key) => key !== selected.key)] : [];
  const silent = tab === "logs" && live.lines.length === 0 && !events; // then it takes no room from what there is to see
  const tabs = [
    { id: "logs", label: "Logs" },
    { id: "step", label: selected ? <>Op <code>{selected.key}</code></> : "Op" },
  ];
  return (
    <div className="runpage">
      <RunHead run={run} now={now} chosen={chosen} />
      <div className="runtools">
        {(run.assets.length > 0 || run.job) && <span role="group" aria-label="View" className="row" style={{ gap: 4 }}>
          <button type="button" className="button small" aria-pressed={view === "table"} onClick={() => setView("table")}>Timetable</button>
          <button type="button" className="button small" aria-pressed={view === "graph"} onClick={() => setView("graph")}><Icon name="graph" />Graph</button>
        </span>}
        <Meter
          total={run.total}
          label={counted(run.counts)}
          shares={shares(run.counts)}
        />
        <span className="quiet cut" aria-live="polite">{counted(run.counts, !running)}</span>
        {live.loading && <span className="faint cut">loading {plural(tree.rows.size, "row")} …</span>}
      </div>
      {live.error !== null && <div style={{ padding: 12 }}><Problem error={live.error} /></div>}
      {view === "graph" ? (
        <RunGraph run={run} tree={tree} selected={selected?.key ?? null} onPick={(n) => pick(n, false)} />
      ) : rows.length === 0 && !live.loading ? (
        <div className="grow"><Empty title={running ? "The run is starting" : "This run has no ops"}>{running ? "Its ops appear here as soon as it has its plan." : ""}</Empty></div>
      ) : (
        <Timetable rows={rows} open={opened} doing={doing} run={run} now={now} selected={selected?.id ?? null} marked={others} onToggle={toggle} onPick={pick} />
      )}
      {!silent && <Splitter height={height} onChange={setHeight} />}
      <section ref={bottom} className={`bottom${silent ? " silent" : ""}`} aria-label="Logs and details" style={silent ? {} : { height: `${height}%` }}>
        <Tabs tabs={tabs} current={tab} onChange={setTab} label="Logs or one op" />
        {tab === "logs" ? (
          <LogsPanel run={id} lines={live.lines} step={selected} live={running} events={events} onEvents={setEvents} />
        ) : selected && selected.n !== null ? (
          <StepPanel run={run} row={selected} now={now} />
        ) : (
          <p className="empty">Choose an op above to see what it read, stored and said.</p>
        )}
      </section>
    </div>
  );
}

function RunHead({ run, now, chosen }: { run: RunDetail; now: number; chosen: string[] }) {
  const { go } = useRouter();
  const what = useWhat();
  const over = isOver(run.status);
  const unfinished = over && BAD.has(run.status);
  const again = useMemo((): RunRequest | null => (unfinished ? ({ parent: run.run_id, mode: "failed" } as RunRequest) : null), [unfinished, run.run_id]);
  const plan = usePlan(again);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const act = async (path: string, body: unknown) => {
    setBusy(true);
    setProblem(null);
    try {
      const reply = await post<Partial<Launched>>(`/runs/${run.run_id}/${path}`, body);
      if (reply.run_id && reply.run_id !== run.run_id) go(at.run(reply.run_id));
      else if (path === "resume") window.location.reload();
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const next = useMemo(() => (plan.data ? { counts: plan.data.counts, runs: runs(plan.data) } : null), [plan.data]);
  const newest = unfinished ? run.children[0] : undefined; // the run that went on from here
  const blocked = plan.data && plan.data.problems.length > 0;
  const lacks = plan.data?.problems[0]?.kind === "MissingKey";
  const steps = chosen.join("\n");
  return (
    <div className="runhead">
      <div className="head">
        <div className="grow">
          <div className="crumb">
            <Link to={at.runs()}>Runs</Link>
            <span>/</span>
            <code>{short(run.run_id)}</code>
            {run.parent && <span>goes on from <Link to={at.run(run.parent)}>{short(run.parent)}</Link></span>}
          </div>
          <div className="row wrap" style={{ gap: "4px 14px" }}>
            <h1 className="cut" title={run.selection.join(", ")}>{what(run)}</h1>
            <Status of={run.status} />
            <span className="quiet">
              {run.started !== null && run.total > (run.counts["pending"] ?? 0) && `${duration((over ? (run.ended ?? run.started) : now) - run.started)} · `}
              <span title={moment(run.started ?? run.created, now)}>{ago(run.started ?? run.created, now)}</span>
              {run.who && ` · by ${run.who}`}
              {run.why && ` · ${run.why}`}
              {run.executor && ` · ${run.executor.replaceAll("_", " ")}`}
            </span>
          </div>
        </div>
        <div className="actions">
          {newest && <Link className="button main-action" to={at.run(newest)}>Gone on with in {short(newest)}</Link>}
          {unfinished && blocked && (
            <Link className={`button${newest ? "" : " main-action"}`} to={at.again(run.run_id, "failed")}>
              <Icon name="resume" />
              Resume
              <small>{lacks ? "needs settings" : "see why not"}</small>
            </Link>
          )}
          {unfinished && !blocked && (
            <button type="button" className={`button${newest ? "" : " main-action"}`} disabled={busy || !plan.data} onClick={() => void act("resume", { mode: "failed" })}>
              <Icon name="resume" />
              Resume
              <small>{next ? summed(next.counts).text : plan.error ? "can't be planned" : "…"}</small>
            </button>
          )}
          {over && chosen.length > 0 && (
            <>
              <Link className="button" to={at.again(run.run_id, "from", steps)}>From this op on</Link>
              <Link className="button" to={at.again(run.run_id, "only", steps)}>{chosen.length > 1 ? `These ${chosen.length} only` : "This only"}</Link>
            </>
          )}
          {over && <Link className="button" to={at.again(run.run_id, "all")}>All again</Link>}
          {!over && (
            <button type="button" className="button danger" disabled={busy || run.status === "CANCELING"} onClick={() => void act("cancel", {})}>
              <Icon name="stop" />
              {run.status === "CANCELING" ? "Stopping …" : "Cancel"}
            </button>
          )}
        </div>
      </div>
      {problem !== null && <Problem error={problem} />}
      {unfinished && plan.error && <Problem error={plan.error} />}
      {blocked && (
        <Notice tone="stale">
          <b>It cannot simply be resumed. </b>
          <Prose text={plan.data?.problems[0]?.text ?? ""} /> <Link to={at.again(run.run_id, "failed")}>{lacks ? "Give it" : "See the plan"}</Link>
        </Notice>
      )}
      <Failure run={run} />
      {next && !blocked && !newest && next.runs.length > 0 && (
        <p className="quiet">
          Resume runs {next.runs.slice(0, 5).map((key, i) => <span key={key}>{i > 0 && ", "}<code>{key}</code></span>)}
          {next.runs.length > 5 && ` and ${next.runs.length - 5} more`}
          {next.counts["reuse"] ? `, and reuses ${plural(next.counts["reuse"], "op")}` : ""}. <Link to={at.again(run.run_id, "failed")}>See the plan</Link>
        </p>
      )}
      {run.besides.some((each) => each.came) && (
        <p className="quiet">
          Also made, though not asked for: {run.besides.filter((each) => each.came).map((each) => each.asset).join(", ")}
        </p>
      )}
    </div>
  );
}

