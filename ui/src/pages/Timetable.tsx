import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { RunDetail, TreeRow } from "../api/types";
import { count, duration, plural } from "../logic/format";
import { labelSide, type Window, moved, pieces, ticks, zoomed } from "../logic/gantt";
import { isOver, look } from "../logic/status";
import { allOf, counted, fanned, shares } from "../logic/tree";
import { Icon } from "../parts/icons";
import { TimesLegend } from "../parts/plots";
import { useSize } from "../parts/parts";

interface Props {
  rows: TreeRow[];
  open: ReadonlySet<string>;
  /** What runs below a row. */
  doing: ReadonlyMap<string, TreeRow>;
  run: RunDetail;
  now: number;
  selected: string | null;
  marked: ReadonlySet<string>;
  onToggle: (id: string) => void;
  onPick: (n: number | null, more: boolean) => void;
}

const HEIGHT = 26;

/** The tree of a run beside its bars. Only the rows in view are there. */
export function Timetable({ rows, open, doing, run, now, selected, marked, onToggle, onPick }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [laneSized, lane] = useSize<HTMLDivElement>();
  const [cursor, setCursor] = useState(0);
  const over = isOver(run.status);
  const all = useMemo((): Window => {
    const from = run.started ?? run.created;
    let to = over ? (run.ended ?? from) : now;
    for (const row of rows) if (row.ended !== null && row.ended > to) to = row.ended;
    const whole = Math.max(to - from, 0.001);
    return { from, to: from + whole * 1.02 }; // room for the bars that end last
  }, [run.started, run.created, run.ended, over, now, rows]);
  const [window_, setWindow] = useState<Window | null>(null);
  const view = window_ ?? all;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => HEIGHT, overscan: 16, getItemKey: (i) => rows[i]?.id ?? i });

  useEffect(() => {
    const i = rows.findIndex((row) => row.id === selected);
    if (i >= 0) {
      setCursor(i);
      virtual.scrollToIndex(i, { align: "auto" });
    }
    // only when another row is chosen: scrolling must stay free while rows come in
  }, [selected]);

  // A run that failed begins at the op that did, one that was stopped at what it was at. It stays in sight while the
  // page takes its shape, until somebody moves.
  const failed = useRef(false);
  const held = useRef<number | null>(null);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const sized = new ResizeObserver(() => held.current !== null && virtual.scrollToIndex(held.current, { align: "center" }));
    const free = () => (held.current = null);
    sized.observe(element);
    for (const act of ["wheel", "pointerdown", "keydown"]) element.addEventListener(act, free, { passive: true });
    return () => {
      sized.disconnect();
      for (const act of ["wheel", "pointerdown", "keydown"]) element.removeEventListener(act, free);
    };
  }, [virtual]);
  useEffect(() => {
    const i = rows.findIndex((row) => (row.status === "failed" || row.status === "interrupted") && (row.mapped || !row.expandable));
    if (i < 0 || failed.current || selected) return;
    failed.current = true;
    held.current = i;
    setCursor(i);
    virtual.scrollToIndex(i, { align: "center" });
  }, [rows, selected, virtual]);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      const tree = element.querySelector<HTMLElement>(".what")?.offsetWidth ?? 0;
      const box = element.getBoundingClientRect();
      const place = (event.clientX - box.left - tree) / Math.max(box.width - tree, 1);
      if (event.ctrlKey && place > 0) {
        event.preventDefault();
        setWindow((old) => zoomed(old ?? all, all, Math.exp(event.deltaY * 0.008), place));
      } else if (event.deltaX !== 0 && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        setWindow((old) => old && moved(old, all, event.deltaX / 900));
      }
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [all]);

  const keys = (event: KeyboardEvent) => {
    const row = rows[cursor];
    const to = (i: number) => {
      const next = Math.min(rows.length - 1, Math.max(0, i));
      setCursor(next);
      virtual.scrollToIndex(next);
    };
    if (event.key === "ArrowDown") to(cursor + 1);
    else if (event.key === "ArrowUp") to(cursor - 1);
    else if (event.key === "Home") to(0);
    else if (event.key === "End") to(rows.length - 1);
    else if (event.key === "PageDown") to(cursor + 20);
    else if (event.key === "PageUp") to(cursor - 20);
    else if (row && event.key === "ArrowRight" && row.expandable && !open.has(row.id)) onToggle(row.id);
    else if (row && event.key === "ArrowLeft" && open.has(row.id)) onToggle(row.id);
    else if (row && event.key === "ArrowLeft" && row.parent) to(rows.findIndex((each) => each.id === row.parent));
    else if (row && (event.key === "Enter" || event.key === " ")) {
      if (row.n === null || row.mapped) onToggle(row.id);
      else onPick(row.n, event.ctrlKey || event.metaKey);
    } else return;
    event.preventDefault();
  };

  const marks = ticks({ from: 0, to: view.to - view.from }, Math.max(2, Math.floor(lane.width / 110)));
  const offset = view.from - all.from;
  const atCursor = rows[cursor]?.id;
  return (
    <div className="rows">
      <div className="rows-head">
        <div>
          <span className="grow">{plural(rows.length, "row")}</span>
          {window_ && (
            <button type="button" className="button small bare" onClick={() => setWindow(null)}>
              whole time
            </button>
          )}
        </div>
        <div ref={laneSized} aria-hidden="true" title="Ctrl and the wheel zoom">
          {marks.filter((t) => t < 0.95 * (view.to - view.from)).map((t) => (
            <span key={t} className="tick" style={{ left: `${(100 * t) / (view.to - view.from)}%` }}>
              {t + offset === 0 ? "0" : duration(t + offset)}
            </span>
          ))}
        </div>
      </div>
      <div
        ref={scroller}
        className="rows-body"
        role="treegrid"
        aria-label="Ops of the run"
        aria-rowcount={rows.length}
        tabIndex={0}
        aria-activedescendant={atCursor ? `row-${atCursor}` : undefined}
        onKeyDown={keys}
      >
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return row ? (
              <Row
                key={row.id}
                row={row}
                index={item.index}
                top={item.start}
                open={open.has(row.id)}
                doing={open.has(row.id) ? undefined : doing.get(row.id)}
                selected={row.id === selected || marked.has(row.key)}
                current={item.index === cursor}
                from={view.from}
                to={view.to}
                now={row.ended === null && row.started !== null ? now : 0}
                onToggle={onToggle}
                onPick={onPick}
              />
            ) : null;
          })}
        </div>
      </div>
      <div className="rows-foot"><TimesLegend /></div>
    </div>
  );
}

interface RowProps {
  row: TreeRow;
  index: number;
  top: number;
  open: boolean;
  doing: TreeRow | undefined;
  selected: boolean;
  current: boolean;
  from: number;
  to: number;
  now: number;
  onToggle: (id: string) => void;
  onPick: (n: number | null, more: boolean) => void;
}

const Row = memo(function Row({ row, index, top, open, doing, selected, current, from, to, now, onToggle, onPick }: RowProps) {
  const { tone, icon, word } = look(row.status);
  const whole = row.expandable;
  const took = row.started !== null ? duration((row.ended ?? now) - row.started) : "";
  const click = useCallback(
    (event: { ctrlKey: boolean; metaKey: boolean }) => (row.n !== null && !row.mapped ? onPick(row.n, event.ctrlKey || event.metaKey) : onToggle(row.id)),
    [row, onPick, onToggle],
  );
  const settled = row.status === "reused" || row.status === "skipped" || row.status === "blocked";
  const words = row.mapped ? fanned(row.status, row.counts) : doing ? `${doing.name} · ${row.counts["succeeded"] ?? 0} of ${count(allOf(row.counts))} done` : settled ? word : "";
  return (
    <div
      id={`row-${row.id}`}
      role="row"
      aria-rowindex={index + 1}
      aria-level={row.depth + 1}
      aria-expanded={row.expandable ? open : undefined}
      aria-selected={selected}
      className={`trow ${row.kind}${whole ? " whole" : ""}${current ? " current" : ""}`}
      data-tone={tone}
      style={{ transform: `translateY(${top}px)` }}
      onClick={click}
    >
      <div className="what" role="gridcell" style={{ ["--depth" as string]: row.depth }} title={[row.path, word, row.mapped && counted(row.counts), row.reason, row.because, row.message].filter(Boolean).join("\n")}>
        {row.expandable ? (
          <button
            type="button"
            className="twist"
            tabIndex={-1}
            aria-label={open ? `Close ${row.name}` : `Open ${row.name}`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(row.id);
            }}
          >
            <Icon name="right" />
          </button>
        ) : (
          <span className="twist" />
        )}
        <span className="glyph">
          <Icon name={icon} />
          <span className="unseen">{word}</span>
        </span>
        <span className="label cut">{row.name}</span>
        {row.mapped && <span className="tag hide-narrow">× {allOf(row.counts) ? count(allOf(row.counts)) : row.ended === null ? "n" : 0}</span>}
        {row.attempts > 1 && <span className="tag stale hide-narrow">{row.attempts} tries</span>}
        <span className={`words cut${took ? " hide-narrow" : ""}`}>{took && !row.mapped && !doing ? "" : words}</span>
        <span className="took">{took}</span>
      </div>
      <div className="lane" role="gridcell">
        <Bars row={row} from={from} to={to} now={now} words={row.mapped ? row.message : row.message || (row.because && `needs ${row.because}`) || (row.status === "reused" ? row.reason : "")} />
      </div>
    </div>
  );
});

const LABEL = {
  after: (_: number, right: number) => ({ left: `${100 * right}%`, maxWidth: `${100 * (1 - right)}%` }),
  before: (begins: number) => ({ right: `${100 * (1 - begins)}%`, maxWidth: `${100 * begins}%` }),
};

function Bars({ row, from, to, now, words }: { row: TreeRow; from: number; to: number; now: number; words: string }) {
  if (row.started === null) return words ? <span className="barlabel" style={{ left: 0 }}>{words}</span> : null;
  const end = row.ended ?? Math.max(now, row.started); // this clock may be behind
  const at = (time: number) => Math.min(1.05, Math.max(-0.05, (time - from) / (to - from)));
  const left = at(row.started);
  const right = at(end);
  const label = [row.mapped || (row.status === "failed" && !row.expandable) ? words : "", row.expandable ? "" : duration(end - row.started)].filter(Boolean).join(" · ");
  const begins = Math.min(left - row.times.queue_us / 1e6 / (to - from), ...row.tries.map(([start]) => at(start)));
  const side = labelSide(begins, right);
  const text = label && side ? <span className={`barlabel ${side}`} style={LABEL[side](begins, right)}>{label}</span> : null;
  if (row.expandable) {
    const { reused: _reused, ...ran } = row.counts; // what was reused took none of the time
    const total = Math.max(1, allOf(ran));
    return (
      <>
        <span className="span" style={{ left: `${100 * left}%`, width: `${100 * Math.max(right - left, 0.002)}%` }}>
          {shares(ran).map(({ tone, n }) => n > 0 && <i key={tone} data-tone={tone} style={{ height: `${(100 * n) / total}%` }} />)}
        </span>
        {text}
      </>
    );
  }
  const { times } = row;
  const span = { queued: times.queue_us ? row.started - times.queue_us / 1e6 : null, started: row.started, ended: row.ended, load: times.load_us / 1e6, compute: times.compute_us / 1e6, store: times.store_us / 1e6 };
  const parts = pieces(span, { from, to }, now);
  const body = parts.filter((piece) => piece.part !== "queue");
  return (
    <>
      {row.tries[0] && <span className="piece queue" style={{ left: `${100 * at(row.tries[0][0])}%`, width: `${100 * (left - at(row.tries[0][0]))}%` }} />}
      {row.tries.map(([start, finish]) => (
        <span key={start} className="piece tried" title={`a try that failed, ${duration(finish - start)}`} style={{ left: `${100 * at(start)}%`, width: `${100 * (at(finish) - at(start))}%` }} />
      ))}
      {parts.map((piece) => (
        <span
          key={piece.part}
          className={`piece ${piece.part}${piece === body[0] ? " first" : ""}${piece === body.at(-1) ? " last" : ""}`}
          style={{ left: `${100 * piece.left}%`, width: `${100 * piece.width}%` }}
        />
      ))}
      {text}
    </>
  );
}
