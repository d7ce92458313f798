/** A canned log in the control API's shapes: records of the mock's calls, with a real tree and a real key, and its state. */
import { createHash } from "node:crypto";
import { Log, signer } from "./tree.mjs";

const CALLS = 240;
const STATIONS = { gate: "passed", resolve: "passed", policy: "not_run", guard_input: "passed", approval: "not_run", attempt: "passed", guard_output: "passed" };
const digest = (text) => createHash("sha256").update(text).digest("base64");

function ofCall(call, type, i) {
  const outcome = type === "outcome";
  return {
    time: outcome ? new Date(Date.parse(call.time) + (call.latency_ms ?? 0)).toISOString() : call.time, type, call_id: call.id,
    who: { tenant_id: call.tenant, team: call.team ?? undefined, agent_id: call.agent_id ?? undefined, user_id: i % 3 === 0 ? "mina@example.com" : undefined, subject_id: i % 7 === 0 ? "customer-8812" : undefined, key_id: "key_support", role: "member", source: "10.4.0.17" },
    what: {
      action: call.kind === "model" ? "llm_call" : "tool_call", kind: call.kind, tool_name: call.tool_name ?? undefined,
      input_summary: "Summarise the ticket of [EMAIL] about invoice 4471.", ...(outcome ? { output_summary: "The customer asks for a corrected invoice.", tokens_used: { input: call.input_tokens ?? 0, output: call.output_tokens ?? 0 }, cost_usd: call.cost_estimate } : {}),
    },
    when: { timestamp: call.time, duration_ms: outcome ? (call.latency_ms ?? undefined) : undefined, trace_id: call.trace_id ?? undefined, span_id: call.span_id ?? undefined },
    context: { request_id: call.request_id ?? undefined, run_id: call.run_id ?? undefined, step_index: i % 9, risk_level: call.risk_level ?? undefined, model_name: call.model_name ?? undefined, requested_model: call.model_name ?? undefined, provider: call.provider ?? undefined, route: "default", protocol: "openai", simulated: call.simulated, replica: "local" },
    outcome: outcome ? call.outcome : null,
    error: outcome && call.error_code ? { code: call.error_code, message: "The provider answered 503 three times.", remedy: "Wait, or add a second candidate to the route." } : null,
    content: i % 23 === 5 ? "erased" : i % 31 === 9 ? "sealed" : "", sealed_by: i % 3 === 0 || i % 23 === 5 || i % 31 === 9 ? "sk_01k9e7" : null,
    stations: outcome ? STATIONS : null,
    budget: outcome ? { account: `tenant ${call.tenant} - - usd day 2026-11-22T15:00:00Z`, max: "250.000000000", before: "18.881795500", after: "18.869795500" } : null,
  };
}

function ofAdmin(action, time, detail) {
  return {
    time, type: "admin", call_id: null, who: { tenant_id: "acme", key_id: "key_ops", role: "operator", source: "10.4.0.2" }, what: { action, detail },
    when: { timestamp: time }, context: { replica: "local" }, outcome: null, error: null, content: "", sealed_by: null, stations: null, budget: null,
  };
}

function destroyed(record) {
  return { ...record, who: { tenant_id: record.who.tenant_id }, what: { action: "" }, when: { timestamp: "0001-01-01T00:00:00Z" }, context: {}, outcome: null, error: null, stations: null, budget: null, sealed_by: null, content: "destroyed" };
}

/** locked takes out what is about a person, as a server without the key has it. */
function locked(record) {
  const { user_id: _u, subject_id: _s, ...who } = record.who;
  const { input_summary: _i, output_summary: _o, ...what } = record.what;
  return { ...record, who, what };
}

/** auditLog makes the log of the newest calls; its records are in order, each with its leaf. */
export function auditLog(calls) {
  const rows = calls.slice(0, CALLS).flatMap((call, i) => [...(call.outcome === "running" ? [] : [ofCall(call, "outcome", i)]), ofCall(call, "intent", i)]);
  const ends = [rows[0].time, rows.at(-1).time];
  rows.push(ofAdmin("key_created", ends[1], { id: "key_support", role: "member" }), ofAdmin("content_destroyed", ends[0], { tenant: "acme", rule: "tenants.acme.retention", records: "3" }));
  rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  const records = rows.map((row, index) => {
    const shown = index < 3 ? destroyed(row) : row.content === "" ? row : locked(row);
    const content_sha256 = digest("content " + index);
    const time = shown.time.replace("Z", "000Z");
    const leaf = JSON.stringify({ call: shown.call_id ?? "", content: content_sha256, index, tenant: shown.who.tenant_id, time, type: shown.type, v: 1 });
    return { ...shown, index, leaf, leaf_data: Buffer.from(leaf).toString("base64"), leaf_hash: digest("\0" + leaf), content_sha256 };
  });
  const log = new Log(records.map((record) => record.leaf));
  return { records: records.map(({ leaf: _, ...record }) => ({ ...record, tree_size: log.size })), log, key: signer("signalbox/mock", 1) };
}

const FIELDS = {
  tenant: (r) => r.who.tenant_id, user: (r) => r.who.user_id, subject: (r) => r.who.subject_id, agent: (r) => r.who.agent_id, action: (r) => r.what.action,
  risk: (r) => r.context.risk_level, run: (r) => r.context.run_id, call: (r) => r.call_id,
};

/** auditPage answers GET /audit; the cursor is the index above the page. */
export function auditPage(records, q) {
  const limit = Number(q.get("limit") || 50);
  const before = q.get("cursor") ? Number(q.get("cursor")) : Infinity;
  const all = records.filter((r) => r.index < before && Object.entries(FIELDS).every(([name, of]) => !q.get(name) || of(r) === q.get(name)) && (!q.get("from") || r.time >= q.get("from")) && (!q.get("to") || r.time < q.get("to"))).reverse();
  const items = all.slice(0, limit).map(({ leaf_data: _l, leaf_hash: _h, content_sha256: _c, tree_size: _t, ...row }) => row);
  return { items, next: all.length > limit ? String(items.at(-1).index) : null, as_of: new Date(Date.now() - 900).toISOString() };
}

export function auditStatus({ log, key }) {
  const time = new Date(Date.now() - 3_000).toISOString();
  return {
    tree: { size: log.size, checkpoint_size: log.size, checkpoint_time: time, root: log.root().toString("base64"), origin: key.origin, keys: [{ name: key.origin, id: key.id.toString("hex"), active: true }, { name: key.origin, id: "5d1c00aa", active: false }] },
    anchors: [
      { kind: "file", target: "/mnt/worm/checkpoints", size: log.size, time, error: null },
      { kind: "webhook", target: "https://anchor.example/checkpoints", size: log.size - 40, time: new Date(Date.now() - 90_000).toISOString(), error: null },
      { kind: "witness", target: "https://witness.example", size: 0, time: null, error: "409: the witness has seen a larger tree" },
    ],
    retention: [{ tenant: "acme", domain: "", min_days: 365, content_days: 730, destroyed: 3 }, { tenant: "globex", domain: "support", min_days: 1825, content_days: 0, destroyed: 0 }],
    archives: [{ first: 0, last: 199, time, file: "archive-000000000000-000000000199.tar", sha256: createHash("sha256").update("archive").digest("hex") }],
    subject_keys: { open: 118, destroyed: 4 },
  };
}
