/**
 * A call of a tool as any client of MCP makes it: by the gateway's own path, with the key of an agent, through all stations.
 * The console's session has no part in it: the cookie is not sent, and would open nothing there.
 */
import { readJson, writeJson, type Json } from "./json";
import { memberOf, textOf } from "./schema";
import { SseParser } from "./sse";

const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol/";

export interface Ask {
  server: string;
  tool: string;
  /** A JSON object, sent as it is written. */
  args: string;
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
  message: string;
  remedy: string;
  field: string;
}

export interface Outcome {
  /** The tool says that it has failed. */
  isError: boolean;
  /** The texts of its answer, in order. */
  texts: string[];
  /** The whole answer as JSON; "" of a refusal. */
  result: string;
  refusal: Refusal | null;
}

export interface Watch {
  head: (head: Head) => void;
  progress: (progress: Progress) => void;
}

/** headerName writes a name as a header can hold it. */
export function headerName(name: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !name.startsWith("=?")) return name;
  return "=?base64?" + btoa(String.fromCharCode(...new TextEncoder().encode(name))) + "?=";
}

/** request is what is sent for a call. */
export function request({ server, tool, args, key, agent }: Ask): { path: string; headers: Record<string, string>; body: string } {
  const meta = { [META + "protocolVersion"]: VERSION, [META + "clientInfo"]: { name: "signalbox-console", version: "1" }, [META + "clientCapabilities"]: {}, progressToken: "try-out" };
  return {
    path: "/mcp/" + encodeURIComponent(server),
    headers: {
      Authorization: "Bearer " + key, "Content-Type": "application/json", Accept: "application/json, text/event-stream",
      "Mcp-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": headerName(tool), ...(agent ? { "X-Signalbox-Agent": agent } : {}),
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${args},"_meta":${JSON.stringify(meta)}}}`,
  };
}

/** callTool makes the call and gives what came of it. What it rejects with is that nobody answered, or that the signal ended it. */
export async function callTool(ask: Ask, watch: Watch, signal: AbortSignal, send: typeof fetch = fetch): Promise<Outcome> {
  const { path, headers, body } = request(ask);
  const answer = await send(path, { method: "POST", headers, body, signal, credentials: "omit", cache: "no-store", redirect: "error" });
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

const broken = (status: number): Outcome => refused({ code: "http_" + status, message: "", remedy: "", field: "" });
const refused = (refusal: Refusal): Outcome => ({ isError: false, texts: [], result: "", refusal });

/** outcome reads the message that ends a call. */
export function outcome(text: string, status: number): Outcome {
  const message = readJson(text);
  const error = memberOf(message, "error");
  if (error) {
    const data = memberOf(error, "data");
    const of = (name: string) => textOf(memberOf(data, name));
    return refused({ code: of("code") || writeJson(memberOf(error, "code") ?? error), message: of("message") || textOf(memberOf(error, "message")), remedy: of("remedy"), field: of("field") });
  }
  const result = memberOf(message, "result");
  if (!result) return broken(status);
  const failed = memberOf(result, "isError");
  const content = memberOf(result, "content");
  const blocks = content?.kind === "array" ? content.items : [];
  return {
    isError: failed?.kind === "word" && failed.raw === "true", result: writeJson(result), refusal: null,
    texts: blocks.filter((b) => textOf(memberOf(b, "type")) === "text").map((b) => textOf(memberOf(b, "text"))),
  };
}
