import type { Mistake, Problem } from "./types";

/** What the server answered when it could not do what it was asked. `status` 0: it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly kind = "",
    readonly problems: Mistake[] = [],
  ) {
    super(message);
  }
}

type Params = Record<string, string | number | boolean | null | undefined | string[]>;

export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) for (const each of value) query.append(name, each);
    else if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

async function ask<T>(url: string, init: RequestInit): Promise<T> {
  let reply: Response;
  try {
    reply = await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is `opgraph dev` still running?");
  }
  if (reply.ok) return (await reply.json()) as T;
  let problem: Partial<Problem> = {};
  try {
    problem = (await reply.json()) as Partial<Problem>;
  } catch {
    // a reply that is not ours, as from a proxy
  }
  throw new ApiError(reply.status, problem.text ?? `${reply.status} ${reply.statusText}`, problem.kind, problem.problems);
}

export function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return ask<T>(address(path, params), signal ? { signal } : {});
}

export function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return ask<T>(`/api${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}
