import { type MouseEvent, type ReactNode, createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";

/** Where the reader is: the path's parts, decoded, and what follows the question mark. */
export interface Place {
  parts: string[];
  query: URLSearchParams;
}

interface Router {
  place: Place;
  go: (to: string, options?: { replace?: boolean }) => void;
}

const Context = createContext<Router | null>(null);

function here(): Place {
  const parts = window.location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  return { parts, query: new URLSearchParams(window.location.search) };
}

export function RouterProvider({ children }: { children: ReactNode }) {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const moved = () => setPlace(here());
    window.addEventListener("popstate", moved);
    return () => window.removeEventListener("popstate", moved);
  }, []);
  const go = useCallback((to: string, options?: { replace?: boolean }) => {
    if (options?.replace) window.history.replaceState(null, "", to);
    else window.history.pushState(null, "", to);
    const next = here();
    setPlace((old) => {
      if (old.parts.join("/") !== next.parts.join("/")) window.scrollTo(0, 0);
      return next;
    });
  }, []);
  const value = useMemo(() => ({ place, go }), [place, go]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useRouter(): Router {
  const router = useContext(Context);
  if (router === null) throw new Error("useRouter outside RouterProvider");
  return router;
}

/** One value after the question mark, and how to change it. An empty one is taken out of the address. */
export function useParam(name: string, initial = ""): [string, (value: string) => void] {
  const { place, go } = useRouter();
  const value = place.query.get(name) ?? initial;
  const set = useCallback(
    (next: string) => {
      const query = new URLSearchParams(window.location.search);
      if (next === initial) query.delete(name);
      else query.set(name, next);
      const text = query.toString();
      go(window.location.pathname + (text ? `?${text}` : ""), { replace: true });
    },
    [go, name, initial],
  );
  return [value, set];
}

interface LinkProps {
  to: string;
  children: ReactNode;
  className?: string;
  title?: string;
  current?: boolean;
}

export function Link({ to, children, className, title, current }: LinkProps) {
  const { go } = useRouter();
  const onClick = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={onClick} className={className} title={title} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}

/** Addresses of the pages. */
export const at = {
  assets: (query = "") => (query ? `/?q=${encodeURIComponent(query)}` : "/"),
  asset: (id: string, tab = "") => `/assets/${encodeURIComponent(id)}${tab ? `?tab=${tab}` : ""}`,
  launch: (select: string) => `/launch?select=${encodeURIComponent(select)}`,
  again: (run: string, mode: string, steps = "") =>
    `/launch?run=${encodeURIComponent(run)}&mode=${mode}${steps ? `&steps=${encodeURIComponent(steps)}` : ""}`,
  runs: () => "/runs",
  run: (id: string, step = "") => `/runs/${encodeURIComponent(id)}${step ? `?step=${encodeURIComponent(step)}` : ""}`,
  inGraph: (run: string, step: string) => `${at.run(run, step)}&view=graph`,
};
