import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { useEvents } from "../api/queries";
import type { LogLine, TreeRow } from "../api/types";
import { clock, leaf, plural } from "../logic/format";
import { chosenLines } from "../logic/logs";

interface Props {
  run: string;
  lines: LogLine[];
  step: TreeRow | null;
  live: boolean;
  events: boolean;
  onEvents: (shown: boolean) => void;
}

/** What the ops said, as they say it. The engine's own events are behind a switch. */
export function LogsPanel({ run, lines, step, live, events, onEvents }: Props) {
  const [search, setSearch] = useState("");
  const [own, setOwn] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const n = own ? (step?.n ?? null) : null;
  const { data: did } = useEvents(run, events, live);
  const rows = useMemo(() => chosenLines(lines, (events && did) || [], { search, step: n }), [lines, did, search, events, n]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 18,
    overscan: 20,
    getItemKey: (i) => rows[i]?.id ?? i,
  });
  useEffect(() => {
    if (live && atEnd.current && rows.length) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [rows.length, live]);
  return (
    <>
      <div className="logtools">
        <input className="field" type="search" placeholder="Search the lines" aria-label="Search the lines" value={search} onChange={(event) => setSearch(event.target.value)} />
        <label className="row" style={{ gap: 5 }}>
          <input type="checkbox" checked={events} onChange={(event) => onEvents(event.target.checked)} />
          engine events
        </label>
        {step && (
          <label className="row" style={{ gap: 5, minWidth: 0 }}>
            <input type="checkbox" checked={own} onChange={(event) => setOwn(event.target.checked)} />
            <span className="cut">only {leaf(step.key || step.name)}</span>
          </label>
        )}
        <span className="grow" />
        <span className="faint">{plural(rows.length, "line")}</span>
      </div>
      {rows.length === 0 ? (
        <p className="empty">
          {search
            ? "No line has that in it."
            : live
              ? "Nothing was said yet. What ops print or log appears here at once."
              : n !== null
                ? "This op said nothing."
                : "The ops said nothing. print() and context.log.info() are shown here."}
        </p>
      ) : (
        <div
          ref={scroller}
          className="logs"
          role="log"
          aria-label="Lines"
          tabIndex={0}
          onScroll={(event) => {
            const box = event.currentTarget;
            atEnd.current = box.scrollTop + box.clientHeight > box.scrollHeight - 30;
          }}
        >
          <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((item) => {
              const line = rows[item.index];
              return line ? (
                <div key={item.key} ref={virtual.measureElement} data-index={item.index} className={`logline ${line.kind} ${line.level.toLowerCase()}`} style={{ transform: `translateY(${item.start}px)` }}>
                  <time>{clock(line.time)}</time>
                  {n === null && (
                    <span className="from cut" title={line.step}>
                      {line.step}
                    </span>
                  )}
                  {line.kind === "log" && line.level !== "INFO" && <span className="level">{line.level.toLowerCase()}</span>}
                  <span className="text">{marked(line.text, search)}</span>
                </div>
              ) : null;
            })}
          </div>
        </div>
      )}
    </>
  );
}

function marked(text: string, search: string): ReactNode {
  if (!search) return text;
  const at = text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {text.slice(at + search.length)}
    </>
  );
}
