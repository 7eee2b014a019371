import { useState } from "react";
import type { Error as Failed, FailedStep, RunDetail } from "../api/types";
import { count } from "../logic/format";
import { Frames } from "../parts/Broken";
import { File } from "../parts/File";
import { Notice } from "../parts/parts";
import { Link, at } from "../parts/router";

/** What went wrong in a run: the user's exception and line first, the rest folded. */
export function Failure({ run }: { run: RunDetail }) {
  const [all, setAll] = useState(false);
  const { failures } = run;
  if (run.status === "DIED" && failures.length === 0) {
    return (
      <Notice tone="bad">
        {run.epoch > 0 ? (
          <><b>The process of this run ended without a word:</b> it was killed, ran out of memory, or the machine stopped. What had been done is kept.</>
        ) : (
          <><b>No process began this run:</b> whoever asked for it ended before one was there.</>
        )}
      </Notice>
    );
  }
  if (failures.length === 0 && !run.error) return null;
  const rest = run.failed - (failures[0]?.times ?? 0);
  return (
    <section className="failure" aria-label="What failed">
      {failures.length === 0 && run.error && <ErrorBox error={run.error} />}
      {failures.slice(0, all ? failures.length : 1).map((failed) => (
        <div key={failed.n} className="onecause">
          <ErrorBox error={failed.error} run={run.run_id} step={failed} times={failed.times} />
          {failed.alike.length > 0 && <Alike failed={failed} run={run.run_id} />}
        </div>
      ))}
      {rest > 0 && failures.length > 1 && (
        <button type="button" className="button small" style={{ margin: "0 14px 10px" }} aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Only the first" : `${count(rest)} more failed for ${failures.length > 2 ? "other causes" : "another cause"}`}
        </button>
      )}
    </section>
  );
}

/** The steps that failed for one cause. */
function Alike({ failed, run }: { failed: FailedStep; run: string }) {
  const op = failed.key.split("[")[0] ?? "";
  const named = [failed, ...failed.alike];
  return (
    <details>
      <summary>All {count(failed.times)} of <code>{op}</code></summary>
      <p className="alike">
        {named.map((each) => <Link key={each.n} to={at.run(run, String(each.n))}>{each.key.slice(op.length) || each.key}</Link>)}
        {failed.times > named.length && <span className="quiet">and {count(failed.times - named.length)} more</span>}
      </p>
    </details>
  );
}

const DURING: Record<string, string> = { load: " while loading its inputs", store: " while storing its outputs", setup: " while setting up a resource" };

export function ErrorBox({ error, run, step, times = 1 }: { error: Failed; run?: string; step?: { n: number; key: string }; times?: number }) {
  const { at: line } = error;
  return (
    <div className="oneerror">
      <div className="what">
        <b>
          {error.kind}
          {error.message && `: ${error.message.split("\n")[0]}`}
        </b>
        {times > 1 && <span className="tag bad">× {count(times)}</span>}
        {error.message.includes("\n") && <pre>{error.message.split("\n").slice(1).join("\n").trim()}</pre>}
        <div className="row wrap" style={{ gap: "4px 12px" }}>
          {line?.text && <pre className="theline">{line.text}</pre>}
          <span className="where">
            {line && (
              <>
                <File path={line.file} line={line.line} />{" "}
                in {line.function}
              </>
            )}
            {step && run && (
              <>
                {line ? ", " : ""}op <Link to={at.run(run, String(step.n))}>{step.key}</Link>
                {DURING[error.during] ?? ""}
                {error.about && ` (${error.about})`} · <Link to={at.inGraph(run, String(step.n))}>in the graph</Link>
              </>
            )}
          </span>
        </div>
        {error.notes.map((note, i) => (
          <p key={i} className="quiet">{note}</p>
        ))}
      </div>
      {(error.frames.length > 1 || error.cause) && (
        <details>
          <summary>Traceback</summary>
          <Frames frames={error.frames} />
          {error.cause && (
            <>
              <p className="quiet" style={{ padding: "6px 14px 0" }}>caused by</p>
              <ErrorBox error={error.cause} />
            </>
          )}
        </details>
      )}
    </div>
  );
}
