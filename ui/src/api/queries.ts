import { QueryCache, QueryClient, keepPreviousData, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { isOver } from "../logic/status";
import { unpacked } from "../logic/picture";
import { type RunTree, NOTHING, folded, joined } from "../logic/tree";
import { ApiError, get, post } from "./client";
import { useStream } from "./live";
import type { Drawing as Sent } from "./schema";
import type {
  AssetDetail,
  Assets,
  AssetsDelta,
  FormReply,
  FormRequest,
  History,
  LogLine,
  Logs,
  OpStates,
  PlanReply,
  Project,
  RunDelta,
  RunDetail,
  RunRequest,
  Runs,
  Session,
  StepDetail,
  Timeline,
  Tree,
} from "./types";

export function newClient(): QueryClient {
  // A token that is refused anywhere is refused everywhere: the frame asks who it is again, and says so.
  const queryCache = new QueryCache({
    onError: (error, query) => {
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== "session") void client.invalidateQueries({ queryKey: ["session"] });
    },
  });
  const client: QueryClient = new QueryClient({
    queryCache,
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (n, error) => n < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
        retryDelay: (n) => 400 * 2 ** n,
      },
    },
  });
  return client;
}

export const useSession = () =>
  useQuery({ queryKey: ["session"], queryFn: ({ signal }) => get<Session>("/session", {}, signal), staleTime: Infinity });

/** The definitions as they stand. What was worked out from earlier ones is asked for anew when they have changed, or load again. */
export function useProject() {
  const client = useQueryClient();
  const found = useQuery({
    queryKey: ["project"],
    queryFn: ({ signal }) => get<Project>("/project", {}, signal),
    refetchInterval: (query) => (query.state.data?.status === "loading" ? 300 : 15_000),
  });
  const stamp = found.data && `${found.data.manifest} ${found.data.status === "broken"}`;
  const before = useRef(stamp);
  useEffect(() => {
    if (before.current !== undefined && before.current !== stamp) {
      for (const name of ["assets", "drawing", "asset", "plan", "form"]) void client.invalidateQueries({ queryKey: [name] });
    }
    before.current = stamp;
  }, [client, stamp]);
  return found;
}

export const useAssets = (query: string) =>
  useQuery({
    queryKey: ["assets", query],
    queryFn: ({ signal }) => get<Assets>("/assets", { query }, signal),
    placeholderData: keepPreviousData,
  });

export const useDrawing = (query: string, open: string[], fold: string[] = [], job = "") =>
  useQuery({
    queryKey: ["drawing", query, open, fold, job],
    queryFn: async ({ signal }) => unpacked(await get<Sent>("/drawing", { query, open, fold, job }, signal)),
    placeholderData: keepPreviousData,
    structuralSharing: false, // comparing thousands of boxes takes longer than drawing them
  });

/** An asset with so many of its ops, or one of them. */
export const useAsset = (id: string, ops: number, op = "") =>
  useQuery({
    queryKey: ["asset", id, ops, op],
    queryFn: ({ signal }) => get<AssetDetail>(`/assets/${id}`, { ops, op }, signal),
    placeholderData: (old) => (old?.id === id && op === "" ? old : undefined),
    staleTime: 2000,
    enabled: id !== "",
  });

/** How an op stood when it last ran. */
export interface OpState {
  key: string;
  status: string | null;
  run: string | null;
  n: number;
  /** In seconds, from the run's start. */
  started: number;
  /** In seconds. */
  took: number;
  /** Of a fan-out, how its ops stand. */
  counts: Record<string, number> | undefined;
}

/** How the ops of some assets stand, by the key of their steps. */
export function useOpStates(assets: string[]): Map<string, OpState> {
  return useQueries({
    queries: assets.map((id) => ({
      queryKey: ["asset", id, "ops"],
      queryFn: ({ signal }: { signal: AbortSignal }) => get<OpStates>(`/assets/${id}/ops`, {}, signal),
      staleTime: 2000,
    })),
    combine: stated,
  });
}

function stated(results: { data: OpStates | undefined }[]): Map<string, OpState> {
  const found = new Map<string, OpState>();
  for (const { data } of results) {
    data?.key.forEach((key, i) => {
      const [started, took] = [(data.started_us[i] as number) / 1e6, (data.took_us[i] as number) / 1e6];
      const [status, n, run] = [data.status[i] ?? null, data.n[i] as number, data.runs[data.run[i] as number] ?? null];
      found.set(key, { key, status, run, n, started, took, counts: data.counts[key] });
    });
  }
  return found;
}

export const useHistory = (id: string, limit = 100) =>
  useQuery({ queryKey: ["history", id, limit], queryFn: ({ signal }) => get<History>(`/assets/${id}/history`, { limit }, signal) });

export const usePlan = (body: RunRequest | null) =>
  useQuery({
    queryKey: ["plan", body],
    queryFn: ({ signal }) => post<PlanReply>("/plan", body, signal),
    enabled: body !== null,
    placeholderData: keepPreviousData,
    staleTime: 0,
    retry: false,
  });

export const useForm = (body: FormRequest | null) =>
  useQuery({
    queryKey: ["form", body],
    queryFn: ({ signal }) => post<FormReply>("/form", body, signal),
    enabled: body !== null,
    retry: false,
  });

export interface RunFilters {
  status: string;
  asset: string;
  job: string;
  by: string;
}

export const useRuns = (filters: RunFilters, cursor: string, limit = 50) =>
  useQuery({
    queryKey: ["runs", filters, cursor, limit],
    queryFn: ({ signal }) => get<Runs>("/runs", { ...filters, cursor, limit }, signal),
    placeholderData: keepPreviousData,
    staleTime: 2000,
  });

export const useTimeline = (from: number, to: number) =>
  useQuery({
    queryKey: ["timeline", from, to],
    queryFn: ({ signal }) => get<Timeline>("/timeline", { from, to }, signal),
    placeholderData: keepPreviousData,
    staleTime: 2000,
  });

export const useStep = (run: string, n: number | null, stamp: string) =>
  useQuery({
    queryKey: ["step", run, n, stamp],
    queryFn: ({ signal }) => get<StepDetail>(`/runs/${run}/steps/${n}`, {}, signal),
    enabled: n !== null,
    placeholderData: (old) => (old?.n === n ? old : undefined),
  });

export const useRun = (id: string) =>
  useQuery({ queryKey: ["run", id], queryFn: ({ signal }) => get<RunDetail>(`/runs/${id}`, {}, signal), enabled: id !== "", staleTime: 2000 });

/** Keeps what is on every page true while runs go on and definitions change. */
export function useGlobalStream(on: boolean): boolean {
  const client = useQueryClient();
  const renew = (...names: string[]) => {
    for (const name of names) void client.invalidateQueries({ queryKey: [name] });
  };
  return useStream(on ? "/api/stream" : null, {
    assets: (delta: AssetsDelta) => {
      const states = new Map(delta.assets.map((asset) => [asset.id, asset]));
      client.setQueriesData<Assets>({ queryKey: ["assets"] }, (old) =>
        old && { ...old, assets: old.assets.map((asset) => ({ ...asset, ...states.get(asset.id) })) },
      );
      for (const id of states.keys()) {
        void client.invalidateQueries({ queryKey: ["asset", id] });
        void client.invalidateQueries({ queryKey: ["history", id] });
      }
    },
    run: (delta: RunDelta) => {
      let known = false;
      client.setQueriesData<Runs>({ queryKey: ["runs"] }, (old) => {
        if (!old) return old;
        known ||= old.runs.some((run) => run.run_id === delta.run.run_id);
        return { ...old, runs: old.runs.map((run) => (run.run_id === delta.run.run_id ? delta.run : run)) };
      });
      if (!known || isOver(delta.run.status)) renew("runs", "timeline");
    },
    project: (project: Project) => client.setQueryData(["project"], project),
    reset: () => void client.invalidateQueries(),
  });
}

const MOST_LINES = 20_000;

/** What the engine did in a run: asked for only when somebody wants to see it. */
export const useEvents = (run: string, wanted: boolean, live: boolean) =>
  useQuery({
    queryKey: ["events", run, live],
    enabled: wanted,
    refetchInterval: live ? 2000 : false,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const all: LogLine[] = [];
      for (let after = "", more = true; more && all.length < MOST_LINES; ) {
        const page = await get<Logs>(`/runs/${run}/logs`, { after, kinds: "event", limit: 2000 }, signal);
        all.push(...page.lines);
        more = page.more;
        after = page.after;
      }
      return all;
    },
  });

export interface LiveRun {
  tree: RunTree;
  /** How many rows there are to come while the first pages are fetched; null: all are here. */
  loading: boolean;
  lines: LogLine[];
  error: unknown;
  openBelow: (id: string) => Promise<void>;
}

/** Every page of the rows below one. Returns how many facts were known when the first was asked for. */
async function pages(run: string, parent: string, each: (page: Tree) => void, signal: AbortSignal): Promise<number> {
  const first = await get<Tree>(`/runs/${run}/tree`, { parent, limit: 1000 }, signal);
  each(first);
  for (let { cursor } = first; cursor !== null; ) {
    const page: Tree = await get<Tree>(`/runs/${run}/tree`, { parent, cursor, limit: 1000 }, signal);
    each(page);
    ({ cursor } = page);
  }
  return first.seq;
}

/**
 * A run's rows and lines, kept true by its stream. That goes on from what was fetched until it has told of the run's end,
 * whatever is known of that by then, so that no row is left as it stood before.
 */
export function useLiveRun(run: string, known: boolean): LiveRun {
  const client = useQueryClient();
  const [tree, setTree] = useState<RunTree>(NOTHING);
  const [lines, setLines] = useState<LogLine[]>([]);
  const [loading, setLoading] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  const [from, setFrom] = useState<string | null>(null); // where the stream begins; null: there is none
  const [queue] = useState<RunDelta[]>([]);
  const opened = useRef(new Set<string>());

  useEffect(() => {
    const stop = new AbortController();
    const fetchAll = async () => {
      let fresh = NOTHING;
      const take = (below: string) => (page: Tree) => {
        fresh = folded(fresh, page.rows, below);
        queue.length = 0; // what a stream told before is older
        setTree(fresh);
      };
      const seq = await pages(run, "", take(""), stop.signal);
      for (const id of opened.current) await pages(run, id, take(id), stop.signal);
      setLoading(false);
      let after = "";
      let all: LogLine[] = [];
      for (let more = true; more && all.length < MOST_LINES; ) {
        const page = await get<Logs>(`/runs/${run}/logs`, { after, limit: 1000 }, stop.signal);
        all = [...all, ...page.lines];
        setLines(all);
        more = page.more;
        after = page.after;
      }
      setFrom(`${seq}.${after.split(".")[0]}`);
    };
    setLoading(true);
    setError(null);
    setFrom(null);
    fetchAll().catch((problem: unknown) => {
      if (stop.signal.aborted) return;
      setError(problem);
      setLoading(false);
    });
    return () => stop.abort();
  }, [run, round]);

  const take = () => {
    const delta = joined(queue.splice(0));
    if (!delta) return;
    setTree((old) => folded(old, delta.rows));
    if (delta.lines.length) {
      setLines((old) => {
        const last = old.at(-1)?.id ?? -1;
        const fresh = delta.lines.filter((line) => line.id > last);
        return fresh.length ? [...old, ...fresh].slice(-MOST_LINES) : old;
      });
    }
    const before = client.getQueryData<RunDetail>(["run", run]);
    client.setQueryData<RunDetail>(["run", run], (old) => old && { ...old, ...delta.run, counts: delta.counts, total: delta.total, seq: delta.seq });
    const over = isOver(delta.run.status);
    if (delta.lagging) setRound((n) => n + 1);
    else if (over) setFrom(null);
    if (over && before && !isOver(before.status)) void client.invalidateQueries({ queryKey: ["asset"] });
    if (before && (before.status !== delta.run.status || before.counts["failed"] !== delta.counts["failed"])) void client.invalidateQueries({ queryKey: ["run", run] });
  };

  useStream(from === null || !known ? null : `/api/runs/${run}/stream?after=${from}`, {
    run: (delta: RunDelta) => {
      queue.push(delta);
      if (queue.length === 1) window.setTimeout(take, 60);
    },
    reset: () => {
      setRound((n) => n + 1);
      void client.invalidateQueries({ queryKey: ["run", run] });
    },
  });

  const openBelow = async (id: string) => {
    if (tree.below.has(id)) return;
    opened.current.add(id);
    setTree((old) => folded(old, [], id));
    await pages(run, id, (page) => setTree((old) => folded(old, page.rows, id)), new AbortController().signal);
  };
  return { tree, loading, lines, error, openBelow };
}
