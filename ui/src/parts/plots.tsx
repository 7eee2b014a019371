import { useMemo, useState } from "react";
import type { Times } from "../api/types";
import { duration, figure, moment } from "../logic/format";
import { useSize } from "./parts";

/** The last few values as a line, without axes. */
export function Sparkline({ values, label, wide = false }: { values: number[]; label: string; wide?: boolean }) {
  const width = wide ? 280 : 72;
  const height = wide ? 44 : 18;
  const top = Math.max(...values, 1e-9);
  const x = (i: number) => 2 + ((width - 4) * i) / Math.max(values.length - 1, 1);
  const y = (v: number) => height - 3 - ((height - 6) * v) / top;
  const last = values.length - 1;
  return (
    <svg className="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${label}: last ${duration(values[last])}, most ${duration(top)}`}>
      <polyline points={values.map((v, i) => `${x(i)},${y(v)}`).join(" ")} fill="none" stroke="var(--compute)" strokeWidth="1.5" strokeLinejoin="round" />
      <circle cx={x(last)} cy={y(values[last] ?? 0)} r="2.2" fill="var(--compute)" />
    </svg>
  );
}

const PARTS = [
  ["queue_us", "queue", "--wait"],
  ["load_us", "load", "--load"],
  ["compute_us", "compute", "--compute"],
  ["store_us", "store", "--store"],
] as const;

/** Where a step's time went, as one bar and in words. Of the seconds that it `took`, what is most of them and none of these
 * is a wait: of a generator, while its values were taken. */
export function TimesBar({ times, took = null, words = true }: { times: Times; took?: number | null; words?: boolean }) {
  const worked = times.load_us + times.compute_us + times.store_us;
  const rest = (took ?? 0) * 1e6 - worked;
  const waited = rest > Math.max(worked, 1e5) ? rest : 0;
  const whole = Math.max(times.queue_us + worked + waited, 1);
  const parts = PARTS.filter(([name]) => times[name]).map(([name, word]) => `${word} ${duration(times[name] / 1e6)}`);
  const text = [...parts, ...(waited ? [`wait ${duration(waited / 1e6)}`] : [])].join(" · ");
  return (
    <div>
      <span className="meter" style={{ height: 8 }} role="img" aria-label={text} title={text}>
        {PARTS.map(([name, word, colour]) =>
          times[name] ? <i key={word} style={{ width: `${(100 * times[name]) / whole}%`, background: `var(${colour})` }} /> : null,
        )}
        {waited > 0 && <i style={{ width: `${(100 * waited) / whole}%`, background: "var(--wait)" }} />}
      </span>
      {words && <p className="faint" style={{ fontSize: 12, marginTop: 3 }}>{text}</p>}
    </div>
  );
}

export function TimesLegend({ queue = true }: { queue?: boolean }) {
  return (
    <span className="legend" aria-hidden="true">
      {PARTS.slice(queue ? 0 : 1).map(([, word, colour]) => (
        <span key={word}>
          <i style={{ background: `var(${colour})` }} />
          {word}
        </span>
      ))}
    </span>
  );
}

export interface Point {
  at: number;
  value: number;
  run: string;
}

/** A number from version to version, evenly spaced: versions come in bursts. A point is a version of an asset; pointing at it names its run. */
export function Plot({ points, label, now, onOpen, read = figure }: { points: Point[]; label: string; now: number; read?: (value: number) => string; onOpen: (run: string) => void }) {
  const [sized, { width }] = useSize<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const height = 150;
  const pad = { left: 52, right: 12, top: 10, bottom: 22 };
  const scale = useMemo(() => {
    const values = points.map((p) => p.value);
    let low = Math.min(...values);
    let high = Math.max(...values);
    const whole = values.every(Number.isInteger); // of which there are no halves on the axis
    if (low === high) {
      const room = Math.abs(low) * 0.1 || 1;
      low -= whole ? Math.ceil(room) : room;
      high += whole ? Math.ceil(room) : room;
    }
    const middle = (low + high) / 2;
    return { low, high, marks: [...new Set([low, whole ? Math.round(middle) : middle, high])] };
  }, [points]);
  const inner = Math.max(width - pad.left - pad.right, 10);
  const x = (i: number) => pad.left + (points.length === 1 ? inner / 2 : (inner * i) / (points.length - 1));
  const y = (v: number) => pad.top + (height - pad.top - pad.bottom) * (1 - (v - scale.low) / (scale.high - scale.low));
  const chosen = at === null ? undefined : points[at];
  const last = points.at(-1);
  return (
    <div ref={sized}>
      <svg
        className="plot"
        height={height}
        role="img"
        aria-label={`${label}: ${points.length} values, last ${read(last?.value ?? 0)}`}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const i = Math.round(((event.clientX - box.left - pad.left) / inner) * (points.length - 1));
          setAt(Math.min(points.length - 1, Math.max(0, i || 0)));
        }}
        onPointerLeave={() => setAt(null)}
        onClick={() => chosen && onOpen(chosen.run)}
      >
        {scale.marks.map((v) => (
          <g key={v}>
            <line x1={pad.left} x2={width - pad.right} y1={y(v)} y2={y(v)} stroke="var(--line)" />
            <text x={pad.left - 6} y={y(v) + 3.5} textAnchor="end">
              {read(v)}
            </text>
          </g>
        ))}
        <polyline points={points.map((p, i) => `${x(i)},${y(p.value)}`).join(" ")} fill="none" stroke="var(--compute)" strokeWidth="1.6" strokeLinejoin="round" />
        {points.map((p, i) => (
          <circle key={p.run} cx={x(i)} cy={y(p.value)} r={i === at ? 4 : 2.4} fill="var(--compute)" />
        ))}
        {points.length > 1 && <text x={pad.left} y={height - 5}>oldest version</text>}
        {points.length > 1 && <text x={width - pad.right} y={height - 5} textAnchor="end">newest</text>}
      </svg>
      <p className="faint" style={{ fontSize: 12, minHeight: 18 }}>
        {chosen ? `${read(chosen.value)} · ${moment(chosen.at, now)} · run ${chosen.run.slice(0, 8)}` : ""}
      </p>
    </div>
  );
}
