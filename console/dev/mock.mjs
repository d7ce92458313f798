/**
 * A stand-in for Signalbox's control API, for work on the console without the server. It also serves console/dist with
 * the same content security policy as console/embed.go, so that the journeys can run against it.
 *
 *   node dev/mock.mjs [port]        the key is "sb_mock_console_key"
 */
import { readFileSync, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Desk } from "./approvals.mjs";
import { auditLog, auditPage, auditStatus } from "./audit.mjs";
import { accounts, alerts, brakes, keys, runDetail, runRows } from "./ledger.mjs";
import { Shelves } from "./servers.mjs";
import { BIG_TRACE, bigTrace, detail, makeCalls, smallTrace, tracePage, usd } from "./fixtures.mjs";

export const KEY = "sb_mock_console_key";
/** One key for each role, for looking at what is offered to it. */
const KEYS = { [KEY]: "operator", sb_mock_admin_key: "admin", sb_mock_approver_key: "approver", sb_mock_auditor_key: "auditor", sb_mock_developer_key: "developer" };
const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8" };

/** policy is read from the Go source, so that there is one. */
function policy() {
  const source = readFileSync(new URL("../embed.go", import.meta.url), "utf8");
  const block = /const contentSecurityPolicy = ([\s\S]*?)\n\n/.exec(source)?.[1] ?? "";
  return [...block.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join("");
}

const nano = (text) => Math.round(Number(text ?? 0) * 1e9);

export function start(port = 0) {
  const started = new Date(Date.now() - 7_500_000).toISOString();
  const calls = makeCalls(6_000, Date.now());
  const audit = auditLog(calls);
  const big = bigTrace(30_000);
  const sessions = new Map();
  const desk = new Desk();
  const shelves = new Shelves();
  const asOf = () => new Date(Date.now() - 900).toISOString();

  const matches = (call, q) =>
    ["tenant", "team", "kind", "outcome"].every((n) => !q.get(n) || call[n] === q.get(n)) &&
    [["agent", "agent_id"], ["model", "model_name"], ["tool", "tool_name"], ["run", "run_id"], ["trace", "trace_id"], ["provider", "provider"]]
      .every(([n, f]) => !q.get(n) || call[f] === q.get(n)) &&
    (!q.get("from") || call.time >= q.get("from")) && (!q.get("to") || call.time < q.get("to"));

  const ledger = { accounts: accounts(), alerts: alerts(), brakes: brakes() };
  const list = (items) => ({ items, next: null, as_of: asOf() });

  // A run that only occurs in calls.
  const named = (id) => {
    const own = calls.filter((call) => call.run_id === id);
    if (own.length === 0) return null;
    return { ...sum(own), id: own[0].run_id, tenant: own[0].tenant, team: own[0].team, agent_id: own[0].agent_id, key_id: null, state: null, started: own[own.length - 1].time, last: own[0].time };
  };

  const routes = {
    "GET /session": (_, role) => identity(role),
    "GET /calls": (q) => {
      const all = calls.filter((call) => matches(call, q));
      const at = Number(q.get("cursor") || 0);
      const limit = Number(q.get("limit") || 50);
      return { items: all.slice(at, at + limit), next: at + limit < all.length ? String(at + limit) : null, as_of: asOf() };
    },
    "GET /facets": () => {
      const set = (field) => [...new Set(calls.map((call) => call[field]).filter(Boolean))].sort();
      return { as_of: asOf(), items: { tenant: set("tenant"), team: set("team"), agent: set("agent_id"), model: set("model_name"), tool: set("tool_name"), provider: set("provider") } };
    },
    "GET /overview": (q) => {
      const own = calls.filter((call) => matches(call, q));
      const latency = own.map((call) => call.latency_ms).filter((ms) => ms !== null).sort((a, b) => a - b);
      const total = sum(own);
      return { as_of: asOf(), ...total, latency_p50_ms: latency[latency.length >> 1] ?? null, latency_p95_ms: latency[Math.floor(latency.length * 0.95)] ?? null, points: buckets(own, "hour").map(([time, part]) => ({ time, ...pickTotals(sum(part)) })) };
    },
    "GET /costs": (q) => {
      const by = q.get("by") ?? "model";
      const field = { agent: "agent_id", model: "model_name", tool: "tool_name", run: "run_id" }[by] ?? by;
      const own = calls.filter((call) => matches(call, new URLSearchParams({ from: q.get("from") ?? "", to: q.get("to") ?? "" })));
      const groups = new Map();
      for (const call of own) groups.set(call[field] ?? "", [...(groups.get(call[field] ?? "") ?? []), call]);
      const bucket = q.get("bucket") ?? "hour";
      return {
        by, bucket, from: q.get("from"), to: q.get("to"), as_of: asOf(),
        series: by === "run" ? [] : [...groups].map(([key, part]) => ({ key, points: buckets(part, bucket).map(([time, some]) => ({ time, ...sum(some) })) })),
        totals: [...groups].map(([key, part]) => ({ key, tenant: by === "run" ? part[0].tenant : null, ...sum(part) })), next: null,
      };
    },
    "GET /accounts": (q) => list(ledger.accounts.filter((a) => ["tenant", "kind"].every((n) => !q.get(n) || a[n] === q.get(n)))),
    "POST /accounts/reopen": (_, __, body) => Object.assign(ledger.accounts.find((a) => a.account === body.account), { closed: false }),
    "GET /runs": (q) => list([named(calls[0].run_id), ...runRows()].filter((r) => !q.get("tenant") || r.tenant === q.get("tenant"))),
    "GET /keys": () => list(keys()),
    "GET /alerts": (q) => list(ledger.alerts.filter((a) => [["tenant", "tenant"], ["run", "run_id"], ["level", "level"]].every(([n, f]) => !q.get(n) || a[f] === q.get(n)))),
    "GET /brakes": () => list(ledger.brakes.filter((b) => b.holds)),
    "GET /audit": (q) => auditPage(audit.records, q),
    "GET /audit/status": () => auditStatus(audit),
    "GET /health": () => ({
      version: "0.1.0-mock", started, data_as_of: asOf(),
      log: { size: 48_230, checkpoint_size: 48_216, checkpoint_time: new Date(Date.now() - 3_000).toISOString(), root: "pFh8nq1yqLCmC0CXoF3w5r2l6m4yQm0JwB1f8l8m3nE=" },
      in_flight: 3, queue: { depth: 14, capacity: 4096 }, projections: { cursor: 48_228, lag_records: 2 },
      components: [
        { name: "store", status: "ok", detail: "sqlite, WAL, synchronous=FULL" },
        { name: "projections", status: "ok", detail: "" },
        { name: "mcp.files", status: "degraded", detail: "2 of 5 calls timed out in the last minute" },
        { name: "otlp", status: "down", detail: "127.0.0.1:4318 refused the connection; spans are kept in memory up to the limit" },
      ],
    }),
  };

  const server = createServer((req, res) => {
    const url = new URL(req.url, "http://mock");
    if (url.pathname === "/audit/checkpoint") return res.end(audit.log.checkpoint(audit.key));
    if (url.pathname.startsWith("/audit/tile/")) return res.end(Buffer.from(audit.log.tile(url.pathname.slice("/audit/".length))));
    if (url.pathname.startsWith("/mcp/")) return read(req, (message) => {
      const [status, headers, answer] = shelves.called(url.pathname.slice("/mcp/".length), req.headers, message);
      res.writeHead(status, headers);
      res.end(JSON.stringify(answer));
    });
    if (!url.pathname.startsWith("/api/")) return file(url.pathname, res);
    const path = url.pathname.replace("/api/v1", "");
    const id = /sb_session=(\w+)/.exec(req.headers.cookie ?? "")?.[1];
    const say = (status, body) => {
      res.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
      res.end(body === undefined ? "" : JSON.stringify(body));
    };
    const refuse = (status, code, message, remedy) => say(status, { error: { code, message, remedy, field: null, request_id: "req_mock" } });
    if (req.method !== "GET" && req.headers["x-signalbox-console"] !== "1") return refuse(403, "forbidden", "The header X-Signalbox-Console is missing.", "Send it.");
    if (path === "/session" && req.method === "POST") {
      let body = "";
      req.on("data", (chunk) => (body += chunk));
      req.on("end", () => {
        const role = KEYS[JSON.parse(body).key];
        if (!role) return refuse(401, "unauthenticated", "The key is not known.", "Create one.");
        const made = Math.random().toString(36).slice(2);
        sessions.set(made, role);
        res.setHeader("Set-Cookie", `sb_session=${made}; Path=/; HttpOnly; SameSite=Strict`);
        say(200, identity(role));
      });
      return;
    }
    if (path === "/session" && req.method === "DELETE") {
      sessions.delete(id);
      return say(204);
    }
    if (path === "/login") return say(200, { providers: [{ id: "corporate", issuer: "https://id.acme.example" }] });
    if (!sessions.has(id)) return refuse(401, "unauthenticated", "There is no session.", "Sign in.");
    const role = sessions.get(id);
    if (path === "/approvals/events") return desk.stream(req, res, url.searchParams.get("id"));
    if (/^\/(approvals|policy|break-glass|incidents|sessions|servers|tools|pins)(\/|$)/.test(path)) {
      read(req, (body) => {
        const found = [desk, shelves].map((one) => one.answer(req.method, path, url.searchParams, body, identity(role))).find((one) => one !== null);
        return found ? say(...found) : refuse(404, "not_found", "No such path.", "See /api/v1/openapi.json.");
      });
      return;
    }
    const one = /^\/(calls|traces)\/([^/]+)$/.exec(path);
    if (one?.[1] === "calls") {
      const call = calls.find((c) => c.id === decodeURIComponent(one[2])) ?? (one[2].startsWith("call_") ? null : undefined);
      return call ? say(200, detail(call)) : refuse(404, "not_found", "No call has this id.", "Check the id; retention may have removed it.");
    }
    if (one) {
      const trace = one[2] === BIG_TRACE ? big : smallTrace(calls, one[2]);
      if (!trace) return refuse(404, "not_found", "No trace has this id.", "Check the id; retention may have removed it.");
      return say(200, tracePage(trace, url.searchParams.get("cursor"), Number(url.searchParams.get("limit") || 1000)));
    }
    const record = /^\/audit\/(\d+)$/.exec(path);
    if (record) {
      const found = audit.records[Number(record[1])];
      return found ? say(200, found) : refuse(404, "not_found", "The log has no such record.", "Ask for a number below its size.");
    }
    const lift = /^\/brakes\/([^/]+)\/lift$/.exec(path);
    if (lift && req.method === "POST") {
      const brake = ledger.brakes.find((b) => b.id === lift[1]);
      Object.assign(brake, { holds: false, lifted: new Date().toISOString(), lifted_by: "key_support" });
      return say(200, brake);
    }
    const run = /^\/runs\/([^/]+)$/.exec(path);
    if (run) {
      const id = decodeURIComponent(run[1]);
      const seen = named(id);
      const found = seen ? { ...seen, ended: null, idle_timeout_seconds: null, plan: null, brake: null, accounts: [], as_of: asOf() } : runDetail(id);
      return found ? say(200, found) : refuse(404, "not_found", "No run has this id.", "Check the id; retention may have removed it.");
    }
    const route = routes[`${req.method} ${path}`];
    if (route && req.method === "POST") {
      let body = "";
      req.on("data", (chunk) => (body += chunk));
      req.on("end", () => say(200, route(url.searchParams, true, JSON.parse(body))));
      return;
    }
    return route ? say(200, route(url.searchParams, role)) : refuse(404, "not_found", "No such path.", "See /api/v1/openapi.json.");
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}` })));
}

/** read reads a body of JSON; none is an empty object. */
function read(req, done) {
  let text = "";
  req.on("data", (chunk) => (text += chunk));
  req.on("end", () => done(text ? JSON.parse(text) : {}));
}

function identity(role) {
  return { tenant: "acme", team: "cs", key_id: "key_support", agent: null, user: "mina.kim", role, expires_at: new Date(Date.now() + 8 * 3_600_000).toISOString() };
}

function sum(calls) {
  const total = { calls: calls.length, failures: 0, refusals: 0, running: 0, unpriced: 0, input_tokens: 0, output_tokens: 0, cost: 0 };
  for (const call of calls) {
    if (["failed", "unknown"].includes(call.outcome)) total.failures++;
    if (["denied", "blocked"].includes(call.outcome)) total.refusals++;
    if (call.outcome === "running") total.running++;
    if (call.cost_basis === "unpriced") total.unpriced++;
    total.input_tokens += call.input_tokens ?? 0;
    total.output_tokens += call.output_tokens ?? 0;
    total.cost += nano(call.cost_estimate);
  }
  return { ...total, cost: usd(total.cost) };
}

const pickTotals = ({ calls, failures, cost }) => ({ calls, failures, cost });

function buckets(calls, bucket) {
  const groups = new Map();
  for (const call of calls) {
    const time = call.time.slice(0, bucket === "day" ? 10 : 13) + (bucket === "day" ? "T00:00:00Z" : ":00:00Z");
    groups.set(time, [...(groups.get(time) ?? []), call]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

function file(path, res) {
  const wanted = join(DIST, normalize(path));
  const found = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile();
  if (!found && extname(path) !== "" && !path.startsWith("/servers/")) return res.writeHead(404).end();
  const name = found ? wanted : join(DIST, "index.html");
  if (!existsSync(name)) return res.writeHead(503).end("npm run build first");
  res.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", "Content-Security-Policy": policy(), "Cache-Control": "no-cache" });
  res.end(readFileSync(name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start(Number(process.argv[2] ?? 8099));
  console.log(`${url}  key ${KEY}  big trace /traces/${BIG_TRACE}`);
}
