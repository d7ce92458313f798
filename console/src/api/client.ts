/** The one place that speaks HTTP. It adds the CSRF header to writes and turns refusals into ApiError. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy: string | null,
    readonly requestId: string | null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export type Params = Record<string, string | number | undefined | null>;

/** query writes parameters in a fixed order and leaves out what is empty, so equal filters are equal URLs. */
export function query(params: Params): string {
  const out = new URLSearchParams();
  for (const name of Object.keys(params).sort()) {
    const value = params[name];
    if (value !== undefined && value !== null && value !== "") out.set(name, String(value));
  }
  const text = out.toString();
  return text === "" ? "" : "?" + text;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>(path, { method: "GET", ...(signal ? { signal } : {}) });
}

/** Exact is a body that is sent as it was written: a number keeps its digits, a name that is there twice stays so. */
export class Exact {
  constructor(readonly json: string) {}
}

export async function send<T>(method: "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "X-Signalbox-Console": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return request<T>(path, { method, headers, ...(body === undefined ? {} : { body: body instanceof Exact ? body.json : JSON.stringify(body) }) });
}

/** sendExact is send for an answer whose numbers have to keep their digits: it is given as it came. */
export async function sendExact(path: string, body: Exact): Promise<string> {
  const headers = { "X-Signalbox-Console": "1", "Content-Type": "application/json" };
  return (await ask("/api/v1" + path, { method: "POST", headers, body: body.json })).text();
}

/** raw asks for a path that is not of the control API: the log's checkpoint and its tiles. */
export async function raw(path: string, signal?: AbortSignal): Promise<Response> {
  return ask(path, { method: "GET", ...(signal ? { signal } : {}) });
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await ask("/api/v1" + path, init);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, credentials: "same-origin" });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "unreachable", "", null, null);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer: Response): Promise<ApiError> {
  const id = answer.headers.get("X-Request-Id");
  try {
    const { error } = (await answer.json()) as { error: Record<string, string | null | undefined> };
    return new ApiError(
      answer.status,
      error.code ?? "internal",
      error.message ?? "",
      error.remedy || null,
      error.request_id || id,
    );
  } catch {
    // A proxy in between may answer with its own page: the status is all that is known then.
    return new ApiError(answer.status, "http_" + answer.status, answer.statusText, null, id);
  }
}
