/**
 * Canned data in the control API's shapes, from one seed: the same on every run, for the mock server and the tests.
 * Nothing of this is part of the built console.
 */

export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** usd writes integer nano-dollars as the API does. */
export function usd(nano) {
  const value = BigInt(Math.round(nano));
  return `${value / 1000000000n}.${String(value % 1000000000n).padStart(9, "0")}`;
}

export const BIG_TRACE = "b16b00b5000000000000000000030000";
const hex = (rnd, size) => Array.from({ length: size }, () => Math.floor(rnd() * 16).toString(16)).join("");
const pick = (rnd, list) => list[Math.floor(rnd() * list.length)];

function emptySpan(id, parent, depth, name, kind) {
  return {
    id, parent_id: parent, depth, child_count: 0, name, kind, status: "ok", start_ms: 0, duration_ms: 0, self_ms: 0,
    agent_id: null, model_name: null, tool_name: null, cost_estimate: null, input_tokens: null, output_tokens: null,
    call_id: null, inferred: false, simulated: false,
  };
}

/** bigTrace makes a trace with exactly `size` spans: agents that delegate, calls with attempts, and two long waits. */
export function bigTrace(size, id = BIG_TRACE) {
  const rnd = random(size);
  const spans = [];
  let clock = 0;
  const add = (parent, name, kind, agent) => {
    const span = emptySpan(hex(rnd, 16), parent?.id ?? null, parent ? parent.depth + 1 : 0, name, kind);
    span.agent_id = agent;
    span.start_ms = clock;
    if (parent) parent.child_count++;
    spans.push(span);
    return span;
  };
  const close = (span) => {
    span.duration_ms = Math.max(0.01, clock - span.start_ms);
    span.self_ms = span.duration_ms / 3;
  };
  const call = (parent, agent) => {
    const model = rnd() < 0.7;
    const name = model ? "claude-sonnet" : "search.web_search";
    const span = add(parent, name, model ? "model" : "tool", agent);
    span[model ? "model_name" : "tool_name"] = name;
    span.call_id = "call_" + span.id;
    span.simulated = rnd() < 0.3;
    if (model) [span.input_tokens, span.output_tokens] = [Math.floor(rnd() * 9000), Math.floor(rnd() * 900)];
    span.cost_estimate = usd(rnd() * 4e7);
    const tries = rnd() < 0.08 ? 2 : 1;
    for (let n = 0; n < tries && spans.length < size; n++) {
      const attempt = add(span, `attempt ${n + 1}`, "attempt", agent);
      attempt.status = n + 1 < tries ? "error" : "ok";
      clock += 5 + rnd() * 300;
      close(attempt);
    }
    clock += rnd() * 4;
    span.status = rnd() < 0.01 ? "error" : "ok";
    close(span);
  };
  const agent = (parent, level) => {
    const name = pick(rnd, ["planner", "researcher", "writer", "checker"]);
    const span = add(parent, name, "agent", name);
    span.inferred = rnd() < 0.1;
    const parts = 3 + Math.floor(rnd() * 9);
    for (let i = 0; i < parts && spans.length < size; i++) {
      if (level < 7 && rnd() < 0.28) agent(span, level + 1);
      else call(span, name);
    }
    close(span);
  };
  const root = add(null, "nightly analysis", "agent", "planner");
  const waits = [size * 0.3, size * 0.7];
  while (spans.length < size) {
    if (spans.length > waits[0]) {
      waits.shift();
      clock += 5_400_000 + rnd() * 1e6;
    }
    agent(root, 1);
  }
  close(root);
  const start = Date.UTC(2026, 10, 21, 22, 0, 0);
  return {
    trace_id: id, spans, span_count: spans.length, start: new Date(start).toISOString(),
    end: new Date(start + root.duration_ms).toISOString(), total_cost: usd(spans.length * 1.4e7),
  };
}

/** tracePage cuts a page as the API does. */
export function tracePage(trace, cursor, limit) {
  const from = Number(cursor || 0);
  const items = trace.spans.slice(from, from + limit);
  const { trace_id, start, end, span_count, total_cost } = trace;
  const next = from + items.length < trace.spans.length ? String(from + items.length) : null;
  return { trace_id, start, end, span_count, total_cost, as_of: new Date().toISOString(), items, next };
}

const AGENTS = [["planner", "plan"], ["researcher-a", "research"], ["researcher-b", "research"], ["writer", "write"], ["classifier", "classify"]];
const MODELS = [["claude-sonnet", "anthropic", "claude-sonnet-4-5"], ["claude-haiku", "anthropic", "claude-haiku-4-5"], ["gpt-large", "openai", "gpt-5.2"], ["sim", "sim", "simulated-1"]];
const TOOLS = ["search.web_search", "files.read_text_file", "files.move_file", "crm.lookup_customer"];
const TENANTS = [["acme", "cs"], ["acme", "research"], ["globex", "ops"]];
const ERRORS = {
  failed: ["upstream", "The provider closed the stream before its terminal event.", "Retry the call, or add a fallback model to the route."],
  denied: ["forbidden", "The agent “writer” may not use tool “files.move_file”.", "Add the tool to agents[writer].permissions.tools in the configuration."],
  blocked: ["blocked", "The input holds a secret of kind “aws-access-key”.", "Remove the secret from messages[2].content."],
  cancelled: ["cancelled", "The client went away.", "Nothing: the upstream was cancelled within a second."],
  unknown: ["unknown", "The process ended before an outcome was written.", "Look at the provider’s own log before you repeat a write."],
};

/** makeCalls makes calls newest first, in runs that share a trace. */
export function makeCalls(size, now) {
  const rnd = random(42);
  const calls = [];
  let at = now - 4_000;
  let run = null;
  for (let i = 0; i < size; i++) {
    if (!run || rnd() < 0.12) run = { id: "run_" + hex(rnd, 20), trace: hex(rnd, 32), tenant: pick(rnd, TENANTS), step: 0 };
    at -= rnd() < 0.02 ? 3_600_000 * rnd() : 3_000 + rnd() * 90_000;
    calls.push(makeCall(rnd, i, at, run));
  }
  return calls;
}

function makeCall(rnd, i, at, run) {
  const tool = rnd() < 0.28;
  const [agent, role] = pick(rnd, AGENTS);
  const [model, provider, upstream] = pick(rnd, MODELS);
  const dice = rnd();
  const outcome = i === 0 ? "running" : dice < 0.9 ? "ok" : pick(rnd, ["failed", "failed", "denied", "blocked", "cancelled", "unknown"]);
  const sent = outcome !== "denied" && outcome !== "blocked";
  const simulated = !tool && provider === "sim";
  const [input, output] = [Math.floor(200 + rnd() * 14_000), Math.floor(20 + rnd() * 1_900)];
  const unpriced = !tool && rnd() < 0.02;
  const latency = outcome === "running" ? null : Math.floor(tool ? 20 + rnd() * 900 : 400 + rnd() ** 4 * 42_000);
  return {
    id: "call_" + hex(rnd, 24), time: new Date(at).toISOString(), tenant: run.tenant[0], team: run.tenant[1], key_id: "key_support",
    user: rnd() < 0.5 ? "mina.kim" : null, request_id: "req_" + hex(rnd, 16), run_id: run.id, agent_id: agent, agent_role: role,
    parent_agent_id: agent === "planner" ? null : "planner", step_index: run.step++, kind: tool ? "tool" : "model",
    protocol: tool ? "mcp" : pick(rnd, ["openai.chat", "anthropic.messages"]), tool_name: tool ? pick(rnd, TOOLS) : null,
    model_name: tool ? null : model, provider: tool ? null : provider, upstream_model: tool ? null : upstream, stream: !tool && rnd() < 0.6,
    latency_ms: latency, first_byte_ms: tool || latency === null ? null : Math.floor(latency / 4),
    input_tokens: tool || !sent ? null : input, output_tokens: tool || !sent ? null : output,
    cache_read_tokens: tool || !sent ? null : Math.floor(input * rnd() * 0.6), cache_write_tokens: tool || !sent ? null : 0,
    cost_estimate: !sent || unpriced ? (unpriced ? null : "0.000000000") : tool ? usd(2e6) : simulated ? "0.000000000" : usd(input * 3_000 + output * 15_000),
    cost_basis: unpriced ? "unpriced" : !sent || simulated ? "none" : rnd() < 0.9 ? "reported" : "estimated",
    risk_level: pick(rnd, ["low", "low", "low", "medium", "high"]), outcome, error_code: ERRORS[outcome]?.[0] ?? null,
    attempts: sent ? (rnd() < 0.08 ? 2 : 1) : 0, trace_id: run.trace, span_id: hex(rnd, 16), simulated,
  };
}

export function detail(call) {
  const failed = ERRORS[call.outcome];
  const guarded = call.outcome === "blocked";
  const attempts = Array.from({ length: call.attempts }, (_, i) => {
    const last = i + 1 === call.attempts;
    const status = last ? (call.outcome === "running" ? "running" : failed ? "error" : "ok") : "error";
    return {
      n: i + 1, model_name: last ? call.model_name : "gpt-large", provider: last ? call.provider : "openai",
      upstream_model: last ? call.upstream_model : "gpt-5.2", started: call.time, latency_ms: last ? call.latency_ms : 312, status,
      error_code: status === "error" ? (last ? call.error_code : "rate_limited") : null,
      error_message: status === "error" && !last ? "The provider asked to wait 2 s." : null, http_status: status === "error" && !last ? 429 : null,
      finish_reason: null, simulated: call.simulated, cost_basis: call.cost_basis, held: call.simulated || call.kind === "tool" ? "0.002000000" : "0.096400000", max_output: call.kind === "tool" ? null : 4096, overrun: false,
      input_tokens: last ? call.input_tokens : null, output_tokens: last ? call.output_tokens : null, cost_estimate: last ? call.cost_estimate : "0.000000000",
    };
  });
  return {
    ...call,
    input_summary: call.kind === "model" ? "user: Please look up the contract of [EMAIL_1] and say when it ends. Their number is [PHONE_1]." : null,
    output_summary: call.outcome === "ok" ? "The contract ends on 31 March 2027. It renews by itself unless it is cancelled 60 days before." : null,
    error: failed ? { code: failed[0], message: failed[1], remedy: failed[2] } : null,
    stations: {
      gate: "passed", resolve: "passed", policy: call.outcome === "denied" ? "denied" : "not_run",
      guard_input: guarded ? "denied" : call.outcome === "denied" ? "not_run" : "passed", approval: "not_run",
      guard_output: call.outcome === "ok" ? "passed" : "not_run",
      attempt: call.outcome === "ok" ? "passed" : call.attempts > 0 && failed ? "failed" : "not_run",
    },
    attempts_detail: attempts,
    rates: call.cost_basis === "reported" ? { source: "anthropic.com/pricing", effective: "2026-09-01", input: "3.00", output: "15.00", cache_read: "0.30", cache_write: "3.75", per_call: "0.00" } : null,
    policy_version: null, policy_rule: null, approval_id: null, approved_by: null, break_glass: null, guard: null, route: null,
    record: { intent_index: 48_211, outcome_index: call.outcome === "running" ? null : 48_214 },
  };
}

/** smallTrace turns the calls of one trace into its spans: parents, children, a wait, and what the calls say. */
export function smallTrace(calls, id) {
  const own = calls.filter((call) => call.trace_id === id).reverse();
  if (own.length === 0) return null;
  const start = Date.parse(own[0].time);
  const spans = [];
  const end = Math.max(...own.map((call) => Date.parse(call.time) + (call.latency_ms ?? 500)));
  const root = emptySpan(id.slice(0, 16), null, 0, "planner", "agent");
  Object.assign(root, { agent_id: "planner", duration_ms: end - start, self_ms: 40, inferred: true });
  spans.push(root);
  let agent = root;
  for (const call of own) {
    const at = Date.parse(call.time) - start;
    if (call.agent_id !== agent.agent_id) {
      agent = emptySpan("a" + call.span_id.slice(1), root.id, 1, call.agent_id, "agent");
      Object.assign(agent, { agent_id: call.agent_id, start_ms: at, self_ms: 3, simulated: call.simulated });
      root.child_count++;
      spans.push(agent);
    }
    const span = emptySpan(call.span_id, agent.id, agent.depth + 1, call.tool_name ?? call.model_name, call.kind);
    agent.child_count++;
    Object.assign(span, {
      start_ms: at, duration_ms: call.latency_ms ?? 500, self_ms: call.latency_ms ?? 500, status: call.outcome === "ok" ? "ok" : call.outcome === "running" ? "running" : "error",
      agent_id: call.agent_id, model_name: call.model_name, tool_name: call.tool_name, cost_estimate: call.cost_estimate,
      input_tokens: call.input_tokens, output_tokens: call.output_tokens, call_id: call.id, simulated: call.simulated, child_count: call.attempts > 1 ? call.attempts : 0,
    });
    if (agent !== root) agent.duration_ms = at + span.duration_ms - agent.start_ms;
    spans.push(span);
    for (let n = 0; n < call.attempts && call.attempts > 1; n++) {
      const attempt = emptySpan(call.span_id.slice(2) + "x" + n, span.id, span.depth + 1, `attempt ${n + 1}`, "attempt");
      Object.assign(attempt, { start_ms: at + n * 312, duration_ms: n === 0 ? 312 : Math.max(span.duration_ms - 312, 1), status: n === 0 ? "error" : "ok", call_id: call.id, agent_id: call.agent_id });
      spans.push(attempt);
    }
  }
  return { trace_id: id, spans, span_count: spans.length, start: new Date(start).toISOString(), end: new Date(end).toISOString(), total_cost: usd(own.reduce((sum, c) => sum + Math.round(Number(c.cost_estimate ?? 0) * 1e9), 0)) };
}
