import { useHistory, useStep } from "../api/queries";
import type { Preview } from "../api/types";
import { plural, size } from "../logic/format";
import type { Flow } from "../logic/picture";
import { look } from "../logic/status";
import { allOf, counted } from "../logic/tree";
import { shapeOf } from "../parts/Values";

/** What an op gave when it ran: its outputs of these names, or of a fan-out how many there are. */
export function StepCame({ run, n, status, kind, flows }: { run: string; n: number; status: string; kind: string; flows: readonly Pick<Flow, "gives" | "type">[] }) {
  const { data: step } = useStep(run, n, status);
  if (!step) return <Facts words={["…"]} />;
  const named = new Set(flows.map((flow) => flow.gives));
  const own = step.outputs.filter((output) => named.has(output.output));
  const outputs = own.length ? own : step.outputs;
  const first = outputs[0];
  const reused = step.status === "reused" && "reused";
  const values = flows.reduce((sum, flow) => sum + (step.came[flow.gives] ?? 0), 0) || allOf(step.counts);
  const { succeeded: done = 0, ...others } = step.counts;
  const fates = allOf(others) > 0 && counted(values === done + allOf(others) ? step.counts : others, true);
  if (values > 0) return <Facts words={[plural(values, "value"), fates, step.size > 0 && size(step.size), reused, first?.preview && "the first:"]} preview={first?.preview ?? null} />;
  const ended = step.status === "succeeded" || step.status === "reused";
  if (!first) return <Facts words={[!ended ? look(step.status).word : kind === "value" ? "no value came" : "no values", reused]} />;
  const known = flows.some((flow) => flow.type === first.type_name);
  return <Facts words={[!known && first.type_name, shapeOf(first.preview), size(first.size), reused, !first.kept && "cleaned since"]} preview={first.preview} />;
}

/** What an op read that came out of a shut graph: told by the op of the graph that gave it. */
export function ReadCame({ run, n, status, kind, flows }: { run: string; n: number; status: string; kind: string; flows: readonly Flow[] }) {
  const { data: step } = useStep(run, n, status);
  const read = step?.inputs.filter((each) => each.n !== null && flows.some((flow) => flow.takes === each.input)) ?? [];
  const by = read[0]?.n ?? null;
  if (by === null) return step ? null : <Facts words={["…"]} />;
  const given = read.filter((each) => each.n === by).map((each) => ({ gives: each.output, type: flows.find((flow) => flow.takes === each.input)?.type ?? "" }));
  return <StepCame run={run} n={by} status={status} kind={kind} flows={given} />;
}

/** The latest value of an asset. */
export function AssetCame({ id, flows }: { id: string; flows: readonly Flow[] }) {
  const { data } = useHistory(id, 1);
  const made = data?.materializations[0];
  if (!made) return <Facts words={[data ? "no version of it is known here" : "…"]} />;
  return <Facts words={[!flows.some((flow) => flow.type === made.type_name) && made.type_name, shapeOf(made.preview), size(made.size)]} preview={made.preview} />;
}

export function NotRun() {
  return <Facts words={["it has not run yet"]} />;
}

const [LINES, COLUMNS, LETTERS] = [3, 4, 160];

function Facts({ words, preview = null }: { words: (string | false | null | undefined)[]; preview?: Preview | null }) {
  return (
    <div className="came">
      <div>{words.filter(Boolean).join(" · ")}</div>
      {preview && <Head preview={preview} />}
    </div>
  );
}

/** The first lines of a value. */
function Head({ preview }: { preview: Preview }) {
  const { columns, rows, text } = preview;
  if (preview.kind === "table" && columns && rows?.length) {
    return (
      <table>
        <thead><tr>{columns.slice(0, COLUMNS).map((name, i) => <th key={i}>{name}</th>)}{columns.length > COLUMNS && <th>…</th>}</tr></thead>
        <tbody>
          {rows.slice(0, LINES).map((row, i) => <tr key={i}>{row.slice(0, COLUMNS).map((cell, k) => <td key={k} className="cut">{cell}</td>)}</tr>)}
        </tbody>
      </table>
    );
  }
  return text ? <pre>{text.split("\n").slice(0, LINES).join("\n").slice(0, LETTERS)}</pre> : null;
}
