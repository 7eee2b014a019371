import { useEffect, useRef, useState } from "react";

type Handlers = Record<string, (data: never) => void>;

/**
 * Listens to a stream of server-sent events as long as the component is there. The browser takes a broken stream up
 * again after the last event it got; where the server knows that event no more it says `reset`.
 *
 * @param url null: nothing to listen to.
 * @returns whether the stream is open.
 */
export function useStream(url: string | null, handlers: Handlers): boolean {
  const [open, setOpen] = useState(false);
  const latest = useRef(handlers);
  latest.current = handlers;
  const names = Object.keys(handlers).sort().join(",");
  useEffect(() => {
    if (url === null) return;
    let source: EventSource | null = null;
    let timer = 0;
    let wait = 1000;
    const connect = () => {
      const opened = new EventSource(url);
      source = opened;
      opened.onopen = () => {
        wait = 1000;
        setOpen(true);
      };
      opened.onerror = () => {
        setOpen(false);
        if (opened.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
        timer = window.setTimeout(() => {
          latest.current["reset"]?.({ why: "the stream was refused" } as never);
          connect();
        }, wait);
        wait = Math.min(wait * 2, 30_000);
      };
      for (const name of names.split(",")) {
        opened.addEventListener(name, (event) => {
          latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data) as never);
        });
      }
    };
    connect();
    return () => {
      window.clearTimeout(timer);
      source?.close();
      setOpen(false);
    };
  }, [url, names]);
  return open;
}
