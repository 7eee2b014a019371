import { useStep } from "../api/queries";
import type { Output, RunDetail, StepDetail, StepRead, TreeRow } from "../api/types";
import { clock, duration, short, size } from "../logic/format";
import { Loading, Notice, Problem, Status } from "../parts/parts";
import { TimesBar } from "../parts/plots";
import { File } from "../parts/File";
import { Link, at } from "../parts/router";
import { MetaList, PreviewBox, shapeOf } from "../parts/Values";
import { ErrorBox } from "./Failure";

/** One op of a run: why it ran, what it read and stored, and how each try went. */
export function StepPanel({ run, row, now }: { run: RunDetail; row: TreeRow; now: number }) {
  const { data: step, error } = useStep(run.run_id, row.n, `${row.status}.${row.attempts}`);
  if (error) return <div style={{ padding: 12 }}><Problem error={error} /></div>;
  if (!step) return <Loading what="the op" />;
  const decided = step.status === "reused" || step.status === "skipped"; // then why it was planned is why it is so
  return (
    <div className="steppanel">
      <div className="stack">
        <div className="row wrap">
          <Status of={row.status === "blocked" ? row.status : step.status} />
          <span className="quiet">{[decided && step.reason, step.because && `needs ${step.because}`].filter(Boolean).join("; ")}</span>
          {step.reused_from && <Link to={at.run(step.reused_from)}>from run {short(step.reused_from)}</Link>}
        </div>
        {step.started !== null && step.status !== "reused" && <TimesBar times={step.times} />}
        {step.error && <section className="failure"><ErrorBox error={step.error} /></section>}
        {step.attempts.length > 1 && <Attempts step={step} now={now} />}
        {step.inputs.length > 0 && (
          <div>
            <h2 className="small">Read</h2>
            <ul className="chain">{step.inputs.map((read, i) => <li key={i} className="said"><Read read={read} run={run.run_id} /></li>)}</ul>
          </div>
        )}
        <dl className="facts">
          {step.reason && !decided && (<><dt>Planned</dt><dd>because {step.reason}</dd></>)}
          <dt>Op</dt><dd><code>{step.key}</code>{step.op !== step.key && <span className="faint"> {step.op}</span>}</dd>
          {step.config !== null && step.config !== undefined && (<><dt>Config</dt><dd><pre>{JSON.stringify(step.config)}</pre></dd></>)}
          {step.code_version && (<><dt>Code version</dt><dd><code>{step.code_version}</code></dd></>)}
          {Object.entries(step.tags).map(([k, v]) => <div key={k} style={{ display: "contents" }}><dt>{k}</dt><dd>{v}</dd></div>)}
        </dl>
      </div>
      <div className="stack">
        {step.outputs.length === 0 ? <Notice tone="idle">{row.mapped ? "Each of its keys stored its own: open the row to see them." : `Nothing is stored of it${step.status === "running" ? " yet" : ""}.`}</Notice> : step.outputs.map((output, i) => <Stored key={i} output={output} now={now} />)}
      </div>
    </div>
  );
}

function Attempts({ step, now }: { step: StepDetail; now: number }) {
  return (
    <div>
      <h2 className="small">Tries</h2>
      <ul className="chain">
        {step.attempts.map((each) => (
          <li key={each.attempt} className="row wrap">
            <span className="faint">{each.attempt}</span>
            <Status of={each.status} />
            {each.started !== null && <span className="quiet">{clock(each.started)} · {duration((each.ended ?? now) - each.started)}</span>}
            {each.worker && <span className="faint">{each.worker}</span>}
            {each.error && <span className="bad-text cut">{each.error.kind}: {each.error.message}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Read({ read, run }: { read: StepRead; run: string }) {
  return (
    <>
      <code>{read.input}</code> <span className="faint">from</span>{" "}
      {read.n !== null ? (
        <Link to={at.run(run, String(read.n))}>{read.step}{read.output && read.output !== "result" ? `.${read.output}` : ""}</Link>
      ) : read.asset ? (
        <>asset {read.asset}{read.run_id && <> of <Link to={at.run(read.run_id)}>run {short(read.run_id)}</Link></>}</>
      ) : (
        read.step || read.given || "nothing"
      )}
      {read.data_version && <code className="faint"> {read.data_version.slice(0, 10)}</code>}
    </>
  );
}

function Stored({ output, now }: { output: Output; now: number }) {
  return (
    <section className="card">
      <header>
        <h2 className="small">{output.asset ? output.asset : output.output}{output.of && ` ${output.of}`}{output.mapping_key !== null && ` [${output.mapping_key}]`}</h2>
        {output.asset && !output.asked && <span className="tag stale">not asked for</span>}
        {!output.kept && <span className="tag">cleaned since</span>}
        <span className="faint grow cut">{[output.type_name, shapeOf(output.preview)].filter(Boolean).join(" · ")}</span>
        <span className="faint">{size(output.size)}</span>
      </header>
      {output.preview && <PreviewBox preview={output.preview} />}
      {output.metadata.length > 0 && <div className="inside"><MetaList metadata={output.metadata} now={now} /></div>}
      <p className="inside faint">
        stored by {output.io_manager} · version <code>{output.data_version.slice(0, 12)}</code>
        {output.path && <> · <File path={output.path} /></>}
      </p>
    </section>
  );
}
