import { useEffect, useMemo, useState } from "react";
import { ApiError, post } from "../api/client";
import { useAssets, useForm, usePlan, useProject, useRun, useSession } from "../api/queries";
import type { FormField, Launched, PlanReply, PlannedStep, RunRequest } from "../api/types";
import { plural, short } from "../logic/format";
import { summed, tally, units } from "../logic/plan";
import { asBefore, configOf, tagsOf } from "../logic/settings";
import { look } from "../logic/status";
import { Icon } from "../parts/icons";
import { Prose } from "../parts/Markdown";
import { Empty, Loading, Notice, Problem } from "../parts/parts";
import { Link, at, useParam, useRouter } from "../parts/router";
import { ConfigFields } from "./ConfigFields";
import { NoAssets } from "./NoAssets";

type Mode = NonNullable<RunRequest["mode"]>;
const MODES: Record<Mode, string> = {
  failed: "What did not succeed",
  from: "From an op on",
  only: "Some ops only",
  all: "All of it again",
};

/** What a run would do, before it does it: of a selection or a job, or going on from an earlier run. */
export function LaunchPage() {
  const { place, go } = useRouter();
  const [select, setSelect] = useParam("select");
  const [job, setJob] = useParam("job");
  const [mode, setMode] = useParam("mode", "failed");
  const parent = place.query.get("run");
  const steps = useMemo(() => (place.query.get("steps") ?? "").split("\n").filter(Boolean), [place.query]);
  const session = useSession();
  const project = useProject();
  const assets = useAssets("");
  const earlier = useRun(parent ?? "");
  const [text, setText] = useState(select);
  const [typed, setTyped] = useState<ReadonlyMap<string, string>>(new Map());
  const [executor, setExecutor] = useState("");
  const [workers, setWorkers] = useState("");
  const [tags, setTags] = useState("");
  const [policy, setPolicy] = useState("");
  const [reuse, setReuse] = useState("");
  const [why, setWhy] = useState("");
  const [launching, setLaunching] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  useEffect(() => setText(select), [select]);

  const target = useMemo(
    () => (parent ? { parent, mode: mode as Mode, ...(steps.length ? { steps } : {}) } : job ? { job } : { selection: select || null }),
    [parent, mode, steps, job, select],
  );
  // What a run had is kept when it is gone on with, unless something else is typed. What its ops have come to need since is asked for.
  const [lacking, setLacking] = useState<ReadonlySet<string>>(new Set());
  const keys = earlier.data?.assets.map((key) => `key:"${key}"`).join(" or ") ?? "";
  const again = earlier.data && (earlier.data.job ? { job: earlier.data.job } : { selection: keys.length < 8000 ? keys : null });
  const form = useForm(parent ? (again ?? null) : job ? { job } : { selection: select || null });
  const before = earlier.data?.config;
  const fields = useMemo(() => (form.data?.fields ?? []).map((field) => (parent ? asBefore(field, before, lacking.has(field.path)) : field)), [form.data, parent, before, lacking]);
  const required = useMemo(() => fields.filter((field) => field.required), [fields]);
  const { config, wrong } = useMemo(() => configOf(fields, typed), [fields, typed]);
  const body = useMemo(
    (): RunRequest =>
      ({
        ...target,
        ...(Object.keys(config).length ? { config } : {}),
        ...(executor ? { executor } : {}),
        ...(Number(workers) > 0 ? { workers: Number(workers) } : {}),
        ...(tags.trim() && !parent ? { tags: tagsOf(tags) } : {}),
        ...(policy ? { policy: policy as NonNullable<RunRequest["policy"]> } : {}),
        ...(reuse ? { reuse: reuse as NonNullable<RunRequest["reuse"]> } : {}),
      }) as RunRequest,
    [target, config, executor, workers, tags, parent, policy, reuse],
  );
  const asked = JSON.stringify(body);
  const settled = useSettled(asked, 250);
  const plan = usePlan(useMemo(() => JSON.parse(settled) as RunRequest, [settled]));
  // While something is wrong with what was typed, the plan before stays, with the fields in which it can be mended.
  const about = JSON.stringify(target);
  const [last, setLast] = useState<{ about: string; plan: PlanReply } | null>(null);
  useEffect(() => {
    if (plan.data?.steps.length) setLast({ about, plan: plan.data });
  }, [plan.data, about]);
  const whole = plan.data && !plan.error && plan.data.steps.length > 0 ? plan.data : last?.about === about ? last.plan : null;
  const missing = (text: string) => required.some((field) => !typed.get(field.path) && text.startsWith(`\`${field.path}\``)); // said beside the field
  const told = plan.data?.problems ?? (plan.error instanceof ApiError ? plan.error.problems : []);
  const problems = told.filter((each) => !missing(each.text));
  const needs = told.filter((each) => each.kind === "MissingKey").map((each) => each.text.split("`")[1] ?? "").join("\n");
  useEffect(() => {
    if (needs) setLacking((old) => new Set([...old, ...needs.split("\n")]));
  }, [needs]);
  const counts = plan.data ? summed(plan.data.counts) : null;
  const ready = plan.data !== undefined && !plan.error && told.length === 0 && wrong.size === 0 && settled === asked && !plan.isFetching && !form.isFetching;

  const launch = async () => {
    setLaunching(true);
    setRefused(null);
    try {
      const { parent: _parent, tags: _tags, reuse: _reuse, selection: _selection, job: _job, ...rest } = body;
      const started = parent
        ? await post<Launched>(`/runs/${parent}/resume`, { ...rest, ...(why ? { why } : {}) })
        : await post<Launched>("/runs", { ...body, ...(why ? { why } : {}) });
      go(at.run(started.run_id));
    } catch (error) {
      setRefused(error);
      setLaunching(false);
    }
  };

  const jobs = project.data?.jobs ?? [];
  if (!parent && !job && jobs.length === 0 && project.data?.status === "ready" && assets.data?.total === 0) return <><h1 className="unseen">Launch</h1><NoAssets /></>;
  const entry: Entry = { typed, wrong, unset: parent ? "as before" : "default", onType: (path, value) => setTyped((old) => new Map(old).set(path, value)) };
  return (
    <div className="page">
      <div className="head">
        <div className="grow">
          <h1>{parent ? `Go on from run ${short(parent)}` : job ? `Run the job ${job}` : "Materialize"}</h1>
          {parent && earlier.data && (
            <p className="quiet">
              <Link to={at.run(parent)}>The run</Link> was of {earlier.data.selection.slice(0, 4).join(", ")}
              {earlier.data.selected > 4 && ` and ${earlier.data.selected - 4} more`}.
            </p>
          )}
        </div>
      </div>
      <div className="launch">
        <div className="stack">
          {parent ? (
            <div className="row wrap" role="group" aria-label="What to run">
              {(Object.keys(MODES) as Mode[])
                .filter((each) => steps.length > 0 || each === "failed" || each === "all")
                .map((each) => (
                  <button key={each} type="button" className="button" aria-pressed={mode === each} onClick={() => setMode(each)}>
                    {MODES[each]}
                  </button>
                ))}
              {steps.length > 0 && (mode === "from" || mode === "only") && <code className="quiet cut">{steps.join(", ")}</code>}
            </div>
          ) : (
            <form
              className="row wrap"
              onSubmit={(event) => {
                event.preventDefault();
                setSelect(text.trim());
              }}
            >
              {jobs.length > 0 && (
                <select className="field" aria-label="A selection of assets, or a job" value={job} onChange={(event) => setJob(event.target.value)}>
                  <option value="">assets</option>
                  {jobs.map((each) => (
                    <option key={each.name} value={each.name}>
                      job {each.name}
                    </option>
                  ))}
                </select>
              )}
              {!job && (
                <>
                  <span className="grow" style={{ flexBasis: 220 }}>
                    <input
                      className="field mono"
                      aria-label="Selection of assets"
                      placeholder="all assets; or totals · +totals · group:raw"
                      value={text}
                      spellCheck={false}
                      onChange={(event) => setText(event.target.value)}
                      onBlur={() => setSelect(text.trim())}
                    />
                  </span>
                  <button type="submit" className="button">
                    Plan
                  </button>
                </>
              )}
            </form>
          )}
          {plan.error && told.length === 0 && <Problem error={plan.error} />}
          {problems.map((problem, i) => (
            <Notice key={i} tone="bad">
              <p><Prose text={problem.text} /></p>
              {problem.fix && <p className="quiet"><Prose text={problem.fix} /></p>}
            </Notice>
          ))}
          {plan.data && !plan.error && <Warnings plan={plan.data} onSelect={parent || job ? null : setSelect} />}
          <FieldsOf title="Settings that have no default" fields={required} {...entry} />
          {whole ? (
            <PlanView plan={whole} fields={fields.filter((field) => !field.required)} {...entry} />
          ) : plan.data && told.length === 0 ? (
            <Empty title="There is nothing to run">Nothing that is selected needs it.</Empty>
          ) : told.length === 0 && !plan.error && (plan.isFetching || form.isFetching) ? (
            <Loading what="the plan" />
          ) : (
            <FieldsOf title="Settings" fields={fields.filter((field) => !field.required)} {...entry} />
          )}
        </div>
        <aside className="card sticky" aria-label="How to run it">
          <div className="inside form">
            {refused !== null && <Problem error={refused} />}
            <div className="go"><button type="button" className="button main-action" disabled={!ready || launching || counts?.total === 0} onClick={() => void launch()}>
              <Icon name={parent ? "resume" : "play"} />
              {launching ? "Starting …" : parent && mode !== "all" ? "Resume" : "Run"}
              {counts && <small>{wrong.size > 0 || told.some((each) => each.kind === "MissingKey") ? "needs settings" : told.length > 0 ? "cannot run" : counts.text}</small>}
            </button></div>
            {plan.data?.same_run && <p className="hint">It goes on under its own id: its process died, and the code is unchanged.</p>}
            <label>
              Executor
              <select className="field" value={executor} onChange={(event) => setExecutor(event.target.value)}>
                <option value="">as the project says</option>
                {(session.data?.executors ?? []).map((name) => (
                  <option key={name} value={name}>{name.replaceAll("_", " ")}</option>
                ))}
              </select>
            </label>
            {executor && executor !== "in_process" && (
              <label>
                Workers
                <input className="field" inputMode="numeric" value={workers} placeholder="as many as cores" onChange={(event) => setWorkers(event.target.value.replace(/\D/g, ""))} />
              </label>
            )}
            <label>
              Assets that come without being asked for
              <select className="field" value={policy} onChange={(event) => setPolicy(event.target.value)}>
                <option value="">as the project says</option>
                <option value="materialize">store them too</option>
                <option value="discard">drop them</option>
                <option value="error">refuse to run</option>
              </select>
            </label>
            {!parent && (
              <label>
                Memoized values
                <select className="field" value={reuse} onChange={(event) => setReuse(event.target.value)}>
                  <option value="">as the ops say</option>
                  <option value="all">reuse wherever possible</option>
                  <option value="none">reuse none</option>
                  <option value="only">reuse only, run nothing</option>
                </select>
              </label>
            )}
            {!parent && (
              <label>
                Tags
                <input className="field" value={tags} placeholder="team=data, urgent=yes" onChange={(event) => setTags(event.target.value)} />
              </label>
            )}
            <label>
              Why
              <input className="field" value={why} maxLength={500} placeholder="shown in the list of runs" onChange={(event) => setWhy(event.target.value)} />
            </label>
          </div>
        </aside>
      </div>
    </div>
  );
}

/** A value once it has stayed the same for so many milliseconds. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

function Warnings({ plan, onSelect }: { plan: PlanReply; onSelect: ((selection: string) => void) | null }) {
  const changed = Object.entries(plan.changes).filter(([, keys]) => keys.length > 0);
  return (
    <>
      {plan.missing.length > 0 && (
        <Notice tone="stale">
          <b>Needed, but never made: </b>
          {plan.missing.join(", ")}. The run would fail where it loads them.{" "}
          {onSelect && (
            <button type="button" className="button small" onClick={() => onSelect([...plan.selection, ...plan.missing].map((key) => `"${key}"`).join(" or ").replaceAll('"', ""))}>
              Make them too
            </button>
          )}
          {plan.job && (
            <Link className="button small" to={at.launch(plan.missing.join(" or "))}>
              Make {plan.missing.length === 1 ? "it" : "them"} first
            </Link>
          )}
        </Notice>
      )}
      {plan.besides.length > 0 && (
        <Notice tone="stale">
          <b>Also made, though not asked for</b>
          <ul>
            {plan.besides.map((each) => (
              <li key={each.asset}>
                <code>{each.asset}</code> {each.certain ? "comes" : "may come"} from <code>{each.step}</code>;{" "}
                {each.policy === "materialize" ? "it is stored" : each.policy === "discard" ? "it is dropped" : "the run is refused"}.{" "}
                <span className="quiet">To have it otherwise, <Prose text={each.remedy} />.</span>
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {changed.length > 0 && (
        <Notice tone="idle">
          {changed.map(([how, keys]) => (
            <p key={how}>
              <b>{how.replaceAll("_", " ")}: </b>
              {keys.slice(0, 12).join(", ")}
              {keys.length > 12 && ` and ${keys.length - 12} more`}
            </p>
          ))}
        </Notice>
      )}
    </>
  );
}

interface Entry {
  typed: ReadonlyMap<string, string>;
  wrong: Map<string, string>;
  unset: string;
  onType: (path: string, value: string) => void;
}

interface PlanProps extends Entry {
  plan: PlanReply;
  fields: FormField[];
}

/** Settings that stand by themselves, under the names of their ops. */
function FieldsOf({ title, fields, ...entry }: { title: string; fields: FormField[] } & Entry) {
  if (fields.length === 0) return null;
  return (
    <section className="card" aria-label={title}>
      <header><h2>{title}</h2></header>
      <div className="inside stack">
        {[...Map.groupBy(fields, (field) => field.op)].map(([op, own]) => (
          <div key={op}>
            {op && <h3><code>{op}</code></h3>}
            <ConfigFields fields={own} {...entry} />
          </div>
        ))}
      </div>
    </section>
  );
}

const FIRST = 60; // rows of a unit before one asks for more

function PlanView({ plan, fields, ...entry }: PlanProps) {
  const groups = useMemo(() => units(plan.steps), [plan.steps]);
  const byOp = useMemo(() => Map.groupBy(fields, (field) => field.op), [fields]);
  const known = useMemo(() => new Set(plan.steps.map((step) => step.key)), [plan.steps]);
  const elsewhere = fields.filter((field) => !known.has(field.op));
  const few = plan.steps.length <= 60;
  return (
    <>
      <FieldsOf title="Settings" fields={elsewhere} {...entry} />
      <section className="card" aria-label="The plan">
        {groups.map((group) => (
          <Unit key={group.unit} group={group} first={few || groups.length === 1} byOp={byOp} {...entry} />
        ))}
      </section>
    </>
  );
}

interface UnitProps extends Omit<PlanProps, "plan" | "fields"> {
  group: { unit: string; steps: PlannedStep[] };
  first: boolean;
  byOp: Map<string, FormField[]>;
}

function Unit({ group, first, byOp, ...rest }: UnitProps) {
  const { unit, steps } = group;
  const [open, setOpen] = useState(first || steps.some((step) => byOp.has(step.key)));
  const [most, setMost] = useState(FIRST);
  const alone = steps.length === 1 && steps[0]?.path.length === 1;
  const rows = steps.slice(0, most);
  return (
    <div className="unit">
      {!alone && (
        <button type="button" className="unit-head" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name={open ? "down" : "right"} />
          <span className="strong cut">{unit}</span>
          <span className="faint">{plural(steps.length, "op")}</span>
          <span className="grow" />
          <span className="row" style={{ gap: 4 }}>
            {Object.entries(tally(steps)).map(([decision, n]) => (
              <Decision key={decision} decision={decision} n={n} />
            ))}
          </span>
        </button>
      )}
      {(open || alone) &&
        rows.map((step) => (
          <div key={step.n} className={`plan-step${alone ? " alone" : ""}`}>
            <span className="row wrap" style={{ gap: 4 }}>{Object.entries(tally([step])).map(([decision, n]) => <Decision key={decision} decision={decision} {...(step.keys["run"] === undefined ? {} : { n })} />)}</span>
            <span className={alone ? "strong cut" : "cut"} title={step.key}>
              {alone ? unit : step.path.slice(1).join(".") || step.op}
              {step.mapped && <span className="tag" style={{ marginLeft: 6 }}>× n</span>}
            </span>
            <span className="quiet why">
              {step.reason}
              {step.reused_from && <> · <Link to={at.run(step.reused_from)}>run {short(step.reused_from)}</Link></>}
              {step.assets.length > 0 && !alone && step.assets.join() !== unit && !step.reason.endsWith(step.assets.join(", ")) && <span className="faint"> → {step.assets.join(", ")}</span>}
            </span>
            {byOp.has(step.key) && <ConfigFields fields={byOp.get(step.key) ?? []} {...rest} />}
          </div>
        ))}
      {(open || alone) && steps.length > most && (
        <button type="button" className="button bare" style={{ margin: 8 }} onClick={() => setMost(most * 5)}>
          {plural(steps.length - most, "more op")} …
        </button>
      )}
    </div>
  );
}

function Decision({ decision, n }: { decision: string; n?: number }) {
  const { tone, word } = look(decision);
  return <span className={`tag ${tone === "idle" ? "" : tone}`}>{n === undefined ? word : `${n} ${word}`}</span>;
}
