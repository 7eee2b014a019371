import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { type Tone, look } from "../logic/status";
import { Icon, type IconName } from "./icons";

export function Status({ of, word }: { of: string; word?: string }) {
  const { tone, icon, word: usual } = look(of);
  return (
    <span className="status" data-tone={tone}>
      <Icon name={icon} />
      {word ?? usual}
    </span>
  );
}

export interface Share {
  tone: Tone;
  n: number;
}

/** How far something is: done, reused, failed, running, out of all. */
export function Meter({ shares, total, label }: { shares: Share[]; total: number; label: string }) {
  return (
    <span className="meter" role="img" aria-label={label} title={label}>
      {shares.map(({ tone, n }) =>
        n ? <i key={tone} data-tone={tone} style={{ width: `${(100 * n) / Math.max(total, 1)}%` }} /> : null,
      )}
    </span>
  );
}

export function Notice({ tone, icon = tone === "idle" ? "ring" : "warn", children }: { tone: Tone; icon?: IconName; children: ReactNode }) {
  return (
    <div className="notice" data-tone={tone} role={tone === "bad" ? "alert" : "status"}>
      <Icon name={icon} />
      <div className="grow">{children}</div>
    </div>
  );
}

/** A command to type, with a button that copies it. */
export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <span className="command">
      <span className="cut">{text}</span>
      <button
        type="button"
        className="button small bare"
        aria-label={copied ? "Copied" : `Copy: ${text}`}
        onClick={() => void navigator.clipboard?.writeText(text).then(() => setCopied(true))}
      >
        <Icon name={copied ? "check" : "copy"} />
      </button>
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** What the server said when it could not answer. */
export function Problem({ error }: { error: unknown }) {
  const text = error instanceof Error ? error.message : String(error);
  return (
    <Notice tone="bad">
      <pre>{text}</pre>
    </Notice>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="empty" role="status">
      Loading {what} …
    </p>
  );
}

interface TabsProps {
  tabs: { id: string; label: ReactNode }[];
  current: string;
  onChange: (id: string) => void;
  label: string;
  children?: ReactNode;
}

export function Tabs({ tabs, current, onChange, label, children }: TabsProps) {
  const move = (by: number) => {
    const i = tabs.findIndex((tab) => tab.id === current);
    const next = tabs[(i + by + tabs.length) % tabs.length];
    if (next) {
      onChange(next.id);
      document.getElementById(`tab-${next.id}`)?.focus();
    }
  };
  return (
    <div className="tabs">
      <div role="tablist" aria-label={label} className="row" style={{ gap: 2 }}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`tab-${tab.id}`}
            role="tab"
            type="button"
            aria-selected={tab.id === current}
            tabIndex={tab.id === current ? 0 : -1}
            onClick={() => onChange(tab.id)}
            onKeyDown={(event) => {
              if (event.key === "ArrowRight") move(1);
              if (event.key === "ArrowLeft") move(-1);
            }}
          >
            {tab.label}
          </button>
        ))}
      </div>
      {children}
    </div>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, children, action, onYes, onNo }: { title: string; children: ReactNode; action: string; onYes: () => void; onNo: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog ref={ref} onClose={onNo} aria-labelledby={id}>
      <div className="stack">
        <h2 id={id}>{title}</h2>
        <div className="quiet">{children}</div>
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" className="button" onClick={onNo}>Back</button>
          <button type="button" className="button danger" onClick={onYes}>{action}</button>
        </div>
      </div>
    </dialog>
  );
}

/** The time now in seconds, renewed every second while something goes on. */
export function useNow(live = true): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!live) return;
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}

/** The size of an element, followed as it changes. */
export function useSize<T extends HTMLElement>(): [(element: T | null) => void, { width: number; height: number }] {
  const [element, setElement] = useState<T | null>(null);
  const [box, setBox] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(() => setBox({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    setBox({ width: element.clientWidth, height: element.clientHeight });
    return () => observer.disconnect();
  }, [element]);
  return [setElement, box];
}
