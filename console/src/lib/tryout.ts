/**
 * A call of a tool as any client of MCP makes it: by the gateway's own path, with the key of an agent, through all stations.
 * The console's session has no part in it: the cookie is not sent, and would open nothing there.
 */
import { readJson, writeJson, type Json } from "./json";
import { headerValue, paramHeaders } from "./mirror";
import { memberOf, textOf } from "./schema";
import { SseParser } from "./sse";

const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol/";
/** What a server may ask its reader for: a form, or to visit an address. */
const ELICIT = "elicitation/create";

export interface Ask {
  server: string;
  tool: string;
  /** Of the arguments: it says which of them are repeated in headers. */
  schema: Json | null | undefined;
  /** A JSON object, sent as it is written. */
  args: string;
  /** The call may become a task. */
  task: boolean;
  key: string;
  /** Whom a key names that is bound to no agent; "" for nobody. */
  agent: string;
}

/** With whose key calls are made. */
export type Who = Pick<Ask, "key" | "agent">;

/** The key is kept for other tools, in this page's memory alone, until the reader signs out. */
let kept: Who = { key: "", agent: "" };
export const keptKey = (): Who => kept;
export const keepKey = (who: Who): Who => (kept = who);
export const dropKey = (): void => void keepKey({ key: "", agent: "" });

export interface Progress {
  done: string;
  total: string;
  message: string;
}

/** What the head of an answer says of the call; null where it says nothing. */
export interface Head {
  call: string | null;
  cost: string | null;
  /** The approval that the call waits for. */
  approval: string | null;
}

export interface Refusal {
  code: string;
  /** The number that the protocol has for it; "" where there is none. */
  number: string;
  message: string;
  remedy: string;
  field: string;
  /** The approval that is needed; "" where none is. */
  approval: string;
}

/** Question is what a server asks before it goes on. */
export interface Question {
  key: string;
  message: string;
  /** An address to visit; "" where a form is asked for. */
  url: string;
  schema: Json | undefined;
  /** The question as JSON where it is none that can be answered here. */
  other: string;
}

/** Reply answers all questions of an outcome. */
export interface Reply {
  /** A JSON object: an answer for each key. */
  responses: string;
  to: Outcome;
}

export interface Task {
  id: string;
  status: string;
  message: string;
  pollMs: number;
}

export interface Outcome {
  /** The tool says that it has failed. */
  isError: boolean;
  /** The texts of its answer, in order. */
  texts: string[];
  /** The whole answer as JSON; "" of a refusal. */
  result: string;
  refusal: Refusal | null;
  /** Not empty: the call goes on with a Reply. */
  questions: Question[];
  /** What a reply gives back, as JSON; "" for nothing. */
  state: string;
  /** One that has not ended. */
  task: Task | null;
}

export interface Watch {
  head: (head: Head) => void;
  progress: (progress: Progress) => void;
  task: (task: Task) => void;
}

interface Message {
  path: string;
  headers: Record<string, string>;
  body: string;
}

function message({ server, key, agent, task }: Ask, method: string, name: string, params: string, more: Record<string, string> = {}): Message {
  const can = { elicitation: { form: {}, url: {} }, ...(task ? { extensions: { [META + "tasks"]: {} } } : {}) };
  const meta = { [META + "protocolVersion"]: VERSION, [META + "clientInfo"]: { name: "signalbox-console", version: "1" }, [META + "clientCapabilities"]: can, progressToken: "try-out" };
  return {
    path: "/mcp/" + encodeURIComponent(server),
    headers: {
      Authorization: "Bearer " + key, "Content-Type": "application/json", Accept: "application/json, text/event-stream",
      "Mcp-Protocol-Version": VERSION, "Mcp-Method": method, "Mcp-Name": headerValue(name), ...(agent ? { "X-Signalbox-Agent": agent } : {}), ...more,
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${params},"_meta":${JSON.stringify(meta)}}}`,
  };
}

/** request is what is sent for a call, and again with a reply. */
export function request(ask: Ask, reply?: Reply): Message {
  const more = reply ? `,"inputResponses":${reply.responses}` + (reply.to.state && `,"requestState":${reply.to.state}`) : "";
  return message(ask, "tools/call", ask.tool, `"name":${JSON.stringify(ask.tool)},"arguments":${ask.args}${more}`, paramHeaders(ask.schema, ask.args));
}

const about = (ask: Ask, id: string, method: string, more = "") => message(ask, "tasks/" + method, id, `"taskId":${JSON.stringify(id)}${more}`);

/** callTool makes the call, or goes on with it, and gives what came of it; a task is asked for until it ends. What it rejects with is that nobody answered, or that the signal ended it. */
export async function callTool(ask: Ask, watch: Watch, signal: AbortSignal, reply?: Reply, send: typeof fetch = fetch): Promise<Outcome> {
  const quiet = { ...watch, head: () => {} };
  let task = reply?.to.task ?? null;
  let done = await (reply && task ? post(about(ask, task.id, "update", `,"inputResponses":${reply.responses}`), quiet, signal, send) : post(request(ask, reply), watch, signal, send));
  if (done.refusal) return done;
  while ((task = done.task ?? task) && done.questions.length === 0) {
    watch.task(task);
    await pause(task.pollMs, signal);
    done = await post(about(ask, task.id, "get"), quiet, signal, send);
    if (!done.task) return done;
  }
  return done;
}

/** cancelTask says that the task is not wanted any more. What becomes of it is seen by asking for it. */
export const cancelTask = async (ask: Ask, id: string): Promise<unknown> => fetch(...sent(about(ask, id, "cancel")));

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done, ended) => {
    signal.throwIfAborted();
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), ended(new Error())), { once: true });
  });

const sent = ({ path, headers, body }: Message, signal: AbortSignal | null = null) =>
  [path, { method: "POST", headers, body, signal, credentials: "omit", cache: "no-store", redirect: "error" }] as const;

async function post(what: Message, watch: Watch, signal: AbortSignal, send: typeof fetch): Promise<Outcome> {
  const answer = await send(...sent(what, signal));
  const say = (name: string) => answer.headers.get("X-Signalbox-" + name);
  watch.head({ call: say("Call"), cost: say("Cost-Usd"), approval: say("Approval") });
  if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return outcome(await answer.text(), answer.status);
  const reader = answer.body!.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).getReader();
  const parser = new SseParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return broken(answer.status);
    for (const { data } of parser.feed(value)) {
      const message = readJson(data);
      if (textOf(memberOf(message, "method")) === "") return outcome(data, answer.status);
      const told = progressOf(message);
      if (told) watch.progress(told);
    }
  }
}

function progressOf(message: Json | null): Progress | null {
  if (textOf(memberOf(message, "method")) !== "notifications/progress") return null;
  const params = memberOf(message, "params");
  const number = (name: string) => {
    const value = memberOf(params, name);
    return value?.kind === "number" ? value.raw : "";
  };
  return { done: number("progress"), total: number("total"), message: textOf(memberOf(params, "message")) };
}

const NOTHING: Outcome = { isError: false, texts: [], result: "", refusal: null, questions: [], state: "", task: null };

const refused = (refusal: Pick<Refusal, "code" | "message"> & Partial<Refusal>): Outcome => ({ ...NOTHING, refusal: { number: "", remedy: "", field: "", approval: "", ...refusal } });
const broken = (status: number): Outcome => refused({ code: "http_" + status, message: "" });

/** outcome reads the message that ends a request. */
export function outcome(text: string, status: number): Outcome {
  const message = readJson(text);
  const error = memberOf(message, "error");
  const result = memberOf(message, "result");
  return error ? failure(error) : result ? read(result) : broken(status);
}

function failure(error: Json): Outcome {
  const data = memberOf(error, "data");
  const of = (name: string) => textOf(memberOf(data, name));
  const number = writeJson(memberOf(error, "code") ?? error);
  return refused({
    code: of("code") || number, number: of("code") && number, message: of("message") || textOf(memberOf(error, "message")),
    remedy: of("remedy"), field: of("field"), approval: textOf(memberOf(memberOf(data, "approval"), "id")),
  });
}

function read(result: Json): Outcome {
  const of = (name: string) => textOf(memberOf(result, name));
  const requests = memberOf(result, "inputRequests");
  const state = memberOf(result, "requestState");
  const poll = memberOf(result, "pollIntervalMs");
  const id = of("taskId");
  const failed = memberOf(result, "isError");
  const content = memberOf(result, "content");
  const blocks = content?.kind === "array" ? content.items : [];
  // What a task came to is within it.
  const inner = memberOf(result, "result");
  const wrong = memberOf(result, "error");
  if (id && inner && of("status") === "completed") return read(inner);
  if (id && wrong && of("status") === "failed") return failure(wrong);
  if (id && /^(failed|cancelled)$/.test(of("status"))) return refused({ code: of("status"), message: of("statusMessage") });
  return {
    isError: failed?.kind === "word" && failed.raw === "true", result: writeJson(result), refusal: null, state: state ? writeJson(state) : "",
    texts: blocks.filter((b) => textOf(memberOf(b, "type")) === "text").map((b) => textOf(memberOf(b, "text"))),
    questions: requests?.kind === "object" ? requests.members.map((m) => question(m.name, m.value)) : [],
    task: id ? { id, status: of("status"), message: of("statusMessage"), pollMs: poll?.kind === "number" ? Math.min(10_000, Math.max(500, Number(poll.raw))) : 2000 } : null,
  };
}

function question(key: string, asked: Json): Question {
  const params = memberOf(asked, "params");
  const of = (name: string) => textOf(memberOf(params, name));
  return { key, message: of("message"), url: of("url"), schema: memberOf(params, "requestedSchema"), other: textOf(memberOf(asked, "method")) === ELICIT ? "" : writeJson(asked) };
}
