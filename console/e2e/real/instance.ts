/** The real binary with a configuration of its own: people of each role, an agent whose calls wait, and a way to change the policy. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Approval, Page } from "../../src/api/types";

const BINARY = process.env["SIGNALBOX_BIN"] || fileURLToPath(new URL("../../../bin/signalbox", import.meta.url));
const TOOLS = fileURLToPath(new URL("tools.mjs", import.meta.url));

/** People and agents by the id of their key, which is their user as well. */
export const KEYS = {
  writer: "writer-key-of-acme-0001", reader: "reader-key-of-acme-0001", ann: "ann-key-of-acme-0000001", bob: "bob-key-of-acme-0000001",
  dev: "dev-key-of-acme-0000001", olga: "olga-key-of-acme-000001", aud: "aud-key-of-acme-0000001", root: "root-key-of-acme-000001",
} as const;

export type Who = keyof typeof KEYS;

const config = (port: number, home: string) => `listen: 127.0.0.1:${port}
database: "sqlite:${home}/s.db"
tenants: [{id: acme}]
keys:
  - {id: writer, secret: ${KEYS.writer}, tenant: acme, role: agent, agent: writer}
  - {id: reader, secret: ${KEYS.reader}, tenant: acme, role: agent, agent: reader}
  - {id: ann, secret: ${KEYS.ann}, tenant: acme, role: approver, user: ann}
  - {id: bob, secret: ${KEYS.bob}, tenant: acme, role: approver, user: bob}
  - {id: dev, secret: ${KEYS.dev}, tenant: acme, role: developer, user: dev}
  - {id: olga, secret: ${KEYS.olga}, tenant: acme, role: operator, user: olga}
  - {id: aud, secret: ${KEYS.aud}, tenant: acme, role: auditor, user: aud}
  - {id: root, secret: ${KEYS.root}, tenant: acme, role: admin, user: root}
providers: {sim: {kind: simulated}}
models:
  small: {provider: sim, price: {input: 1, output: 2}}
  large: {provider: sim, price: {input: 10, output: 20}}
agents:
  - id: writer
    permissions:
      tools:
        - {name: "desk.*", operations: [read], resources: "*"}
        - {name: desk.write_file, operations: [write], resources: ["drafts/**"], rate_limit: {max_per_minute: 600}}
        - {name: desk.delete_file, operations: [delete], resources: ["drafts/**"]}
        - {name: "shelf.*", operations: [read, write], resources: "*"}
        - {name: "counter.*", operations: [read], resources: "*"}
      max_tokens: 50000
  - id: reader
    permissions:
      tools: [{name: desk.read_file, operations: [read], resources: ["docs/*"]}]
mcp_servers:
  desk:
    command: ["${process.execPath}", "${TOOLS}"]
    tools:
      read_file: {operation: read, resources: [{arg: path, kind: path}]}
      write_file: {operation: write, resources: [{arg: path, kind: path}]}
      delete_file: {operation: delete, resources: [{arg: path, kind: path}]}
  shelf:
    command: ["${process.execPath}", "${TOOLS}", shelf]
    price: {per_call: 0.002}
    tools:
      look: {operation: read}
      renew: {operation: read}
      fail: {operation: read}
      fetch: {operation: read}
  counter:
    command: ["${process.execPath}", "${TOOLS}", counter]
    asks: true
    tools:
      order: {operation: read}
      elicitation/create: {operation: read}
  cellar: {url: "http://127.0.0.1:1/mcp"}
policy:
  risk:
    - {when: 'call.kind == "model" && model == "large"', level: medium}
`;

export interface Instance {
  url: string;
  /** changeConfig replaces a text of the configuration and waits until another policy is in force. */
  changeConfig(from: string, to: string): Promise<void>;
  stop(): Promise<void>;
}

/** start runs the binary on a free port, with its files in a folder that stop removes. */
export async function start(): Promise<Instance> {
  const home = mkdtempSync(join(tmpdir(), "signalbox-console-"));
  const port = await freePort();
  const file = join(home, "signalbox.yml");
  writeFileSync(file, config(port, home), { mode: 0o600 });
  const child = spawn(BINARY, ["serve", "--config", file], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (log += part.toString()));
  const url = `http://127.0.0.1:${port}`;
  try {
    await until(() => ready(url, child, () => log), "is not ready");
  } catch (cause) {
    await stopped(child);
    throw cause;
  }
  return {
    url,
    changeConfig: async (from, to) => {
      const text = readFileSync(file, "utf8");
      if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
      const before = await version(url);
      writeFileSync(file, text.replace(from, to));
      await until(async () => (await version(url)) !== before, `takes no other policy into use:\n${log}\n`);
    },
    stop: async () => {
      await stopped(child);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** until asks again and again, also outside of tests. */
async function until(done: () => Promise<boolean>, trouble: string): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`${BINARY} ${trouble} after 30 seconds`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

async function ready(url: string, child: ChildProcess, log: () => string): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`${BINARY} ended before it was ready:\n${log()}`);
  return fetch(url + "/readyz").then((answer) => answer.ok, () => false);
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => done());
    child.kill("SIGTERM");
  });
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

/** A line between a browser and the instance that can be cut: what is open ends, and nothing new is taken. */
export interface Line {
  url: string;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function line(to: string): Promise<Line> {
  const port = Number(new URL(to).port);
  const open = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return void near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy()).on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  const cut = () => {
    whole = false;
    for (const socket of open) socket.destroy();
  };
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => (whole = true),
    close: () => {
      cut();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

const version = async (url: string) => ((await (await api(url, "root", "GET", "/policy")).json()) as { version: string }).version;

/** api asks the control API as somebody. */
export function api(url: string, who: Who, method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { authorization: "Bearer " + KEYS[who] };
  if (body !== undefined) headers["content-type"] = "application/json";
  return fetch(url + "/api/v1" + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
}

/** vote decides by the API, as another person elsewhere would. */
export async function vote(url: string, who: Who, id: string, verdict: "approve" | "deny", reason = "seen elsewhere"): Promise<void> {
  const answer = await api(url, who, "POST", `/approvals/${id}/${verdict}`, { reason });
  expect(answer.status, await answer.text()).toBe(200);
}

/** waiting gives what is pending, as soon as there are that many. */
export async function waiting(url: string, least = 1): Promise<Approval[]> {
  let items: Approval[] = [];
  await until(async () => {
    items = ((await (await api(url, "ann", "GET", "/approvals?state=pending&limit=100")).json()) as Page<Approval>).items;
    return items.length >= least;
  }, `has not ${least} calls that wait`);
  return items;
}

/** call makes a call of a tool; the answer comes when it was made or refused, which may wait for people. */
export async function call(url: string, tool: string, args: Record<string, unknown>, who: Who = "writer", headers: Record<string, string> = {}, server = "desk"): Promise<string> {
  const answer = await fetch(url + "/mcp/" + server, {
    method: "POST",
    headers: { authorization: "Bearer " + KEYS[who], "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool, arguments: args } }),
  });
  return answer.text();
}

/** chat asks a model and gives the answer as it is. */
export function chat(url: string, model: string, text: string, who: Who = "writer"): Promise<Response> {
  return fetch(url + "/v1/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer " + KEYS[who], "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: text }], max_tokens: 20 }),
  });
}
