/** Canned accounts, runs, alerts and brakes in the control API's shapes, for the mock server and the journeys. */

const ACME = "acme";
const RUN = "run_0b7c41d29ce84f60a1d4";
const HALTED = "run_77e02a9b35d14c0f8c21";
export const LEDGER_RUN = RUN;

const nano = (text) => {
  const [whole, rest = ""] = text.replace("-", "").split(".");
  const value = BigInt(whole) * 1_000_000_000n + BigInt(rest.padEnd(9, "0"));
  return text.startsWith("-") ? -value : value;
};
const text = (unit, value) => {
  const size = value < 0n ? -value : value;
  const whole = (value < 0n ? "-" : "") + size / 1_000_000_000n;
  const rest = String(size % 1_000_000_000n).padStart(9, "0");
  return unit === "usd" ? `${whole}.${rest}` : whole;
};

function account(owner, unit, per, cap, settled, held, more = {}) {
  const starts = per === null || per === "run" ? null : "2026-11-22T15:00:00Z";
  const left = cap === null ? null : text(unit, nano(cap) - nano(settled) - nano(held));
  const name = owner.team ?? owner.key_id ?? owner.run_id ?? (owner.kind === "agent" ? owner.agent_id : "-");
  const inner = owner.kind === "run_agent" ? owner.agent_id : "-";
  return {
    account: [owner.kind, owner.tenant, name, inner, unit, per ?? "-", starts ?? "-"].join(" "), team: null, key_id: null, agent_id: null, run_id: null,
    ...owner, unit, per, starts_at: starts, resets_at: starts === null ? null : "2026-11-23T15:00:00Z", cap, settled, held, left, soft: false,
    closed: false, on_cap: cap === null ? null : "refuse", ...more,
  };
}

const tenant = { kind: "tenant", tenant: ACME };
const team = (name) => ({ kind: "team", tenant: ACME, team: name });
const key = (name) => ({ kind: "key", tenant: ACME, key_id: name });
const agent = (name) => ({ kind: "agent", tenant: ACME, agent_id: name });
const run = (id) => ({ kind: "run", tenant: ACME, run_id: id });
const inRun = (id, name) => ({ kind: "run_agent", tenant: ACME, run_id: id, agent_id: name });
const part = (kind, id) => ({ kind, tenant: ACME, run_id: id });

export function accounts() {
  return [
    account(tenant, "usd", "month", "5000.000000000", "1893.402114750", "12.750000000"),
    account(tenant, "usd", "day", "250.000000000", "231.118204500", "12.750000000", { on_cap: "shrink" }),
    account(tenant, "concurrent", null, "200", "0", "37"),
    account(tenant, "requests", "minute", "1200", "418", "37"),
    account(team("cs"), "usd", "day", "80.000000000", "80.412300000", "0.000000000", { closed: true }),
    account(team("research"), "usd", "day", "120.000000000", "61.002000125", "9.300000000"),
    account(team("research"), "tokens", "day", null, "18204551", "204800"),
    account(key("key_support"), "usd", "month", "600.000000000", "212.440000000", "0.000000000"),
    account(key("key_nightly"), "usd", "day", "40.000000000", "12.000000001", "3.200000000", { soft: true }),
    account(key("key_ops"), "requests", "hour", "5000", "112", "0"),
    account(agent("writer"), "output_tokens", "day", "2000000", "311204", "16384"),
    account(run(RUN), "usd", "run", "0.500000000", "0.214618250", "0.061440000"),
    account(run(RUN), "steps", "run", "40", "17", "1"),
    account(run(HALTED), "usd", "run", "5.000000000", "4.998120000", "0.000000000"),
    account(inRun(RUN, "planner"), "usd", "run", "0.150000000", "0.081204000", "0.000000000"),
    account(inRun(RUN, "planner"), "output_tokens", "run", "4000", "2210", "0"),
    account(inRun(RUN, "researcher-a"), "usd", "run", "0.160000000", "0.120414250", "0.039000000"),
    account(inRun(RUN, "writer"), "usd", "run", "0.100000000", "0.000000000", "0.022440000"),
    account(inRun(RUN, "checker"), "usd", "run", null, "0.013000000", "0.000000000"),
    account(part("planned", RUN), "usd", "run", "0.425000000", "0.201618250", "0.061440000"),
    account(part("reserve", RUN), "usd", "run", "0.075000000", "0.013000000", "0.000000000"),
  ];
}

export function keys() {
  const one = (id, team) => ({ id, hint: "…k7", tenant: ACME, team, agent: null, user: null, role: "developer", static: true, created: null, revoked: null });
  return [one("key_support", "cs"), one("key_nightly", "research"), one("key_ops", null)];
}

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const figures = { failures: 1, input_tokens: 48_204, output_tokens: 6_120, unpriced: 0 };

export function runRows() {
  const row = (id, state, key_id, calls, cost, minutes) => ({
    id, tenant: ACME, team: "research", agent_id: "planner", key_id, state, started: ago(minutes), last: ago(1), running: state === "running" ? 1 : 0,
    ...figures, calls, cost,
  });
  return [
    row(RUN, "running", "key_nightly", 17, "0.214618250", 6),
    row(HALTED, "halted", "key_nightly", 61, "4.998120000", 44),
    row("run_4f1f5b0c9a7d4bd6b6aa", "ended", "key_nightly", 23, "0.377410000", 120),
    row("nightly-2026-11-21", null, null, 9, "0.041000000", 900),
  ];
}

const agentPlan = (agent_id, priority, more) => ({ agent_id, max_input_tokens: null, max_output_tokens: null, max_cost_usd: null, max_steps: null, model: null, priority, ...more });

export function runDetail(id) {
  const row = runRows().find((one) => one.id === id);
  if (!row) return null;
  const opened = row.state !== null;
  return {
    ...row, ended: row.state === "ended" ? ago(80) : null, idle_timeout_seconds: opened ? 3600 : null,
    plan: id !== RUN ? null : {
      total_max_cost_usd: "0.500000000", reserve_percent: 15, reserve_usd: "0.075000000", planned_usd: "0.425000000", max_steps: 40,
      agents: [
        agentPlan("planner", "critical", { max_cost_usd: "0.150000000", max_output_tokens: 4_000, model: "claude-sonnet" }),
        agentPlan("researcher-a", "normal", { max_cost_usd: "0.160000000", max_input_tokens: 60_000 }),
        agentPlan("writer", "normal", { max_cost_usd: "0.100000000", max_steps: 6 }),
        agentPlan("checker", "optional", {}),
      ],
    },
    brake: brakes().find((brake) => brake.run_id === id) ?? null,
    accounts: accounts().filter((one) => one.run_id === id), as_of: ago(0),
  };
}

export function brakes() {
  const brake = (id, kind, run_id, reason, since, until) => ({ id, kind, tenant: ACME, run_id, reason, since, until, lifted: null, lifted_by: null, holds: true });
  return [
    brake("alrt_01", "halt", HALTED, "A run of acme has cost $4.998120000, over the limit of $4.50 of rule run-critical.", ago(12), null),
    brake("alrt_02", "throttle", null, "Today's cost of acme passed $230 of rule day-warning.", ago(31), new Date(Date.now() + 29 * 60_000).toISOString()),
  ];
}

export function alerts() {
  const [halt, throttle] = brakes();
  const delivery = (channel, state, tries, more) => ({ channel, state, tries, created: ago(12), next: null, done: null, last_note: null, ...more });
  const alert = (id, rule, level, action, per, threshold, value, minutes, textOf, more) => ({
    id, rule, level, action, per, tenant: ACME, run_id: null, agent_id: null, call_id: null, account: null, unit: "usd", threshold, value,
    raised: ago(minutes), text: textOf, brake: null, deliveries: [], ...more,
  });
  return [
    alert("alrt_01", "run-critical", "critical", "halt", "run", "4.500000000", "4.998120000", 12, halt.reason, {
      run_id: HALTED, agent_id: "planner", brake: halt,
      deliveries: [delivery("ops-webhook", "delivered", 1, { done: ago(12), last_note: "200" }), delivery("audit-webhook", "waiting", 4, { next: ago(-2), last_note: "the receiver answered 503" })],
    }),
    alert("alrt_02", "day-warning", "warning", "throttle", "day", "230.000000000", "231.118204500", 31, throttle.reason, { brake: throttle, deliveries: [delivery("ops-webhook", "failed", 12, { done: ago(3), last_note: "the receiver answered 410" })] }),
    alert("alrt_03", "overrun", "critical", "notify", null, "80.000000000", "80.412300000", 55, "The provider billed more than the bound: team cs per day is closed.", { account: "team acme cs - usd day 2026-11-22T15:00:00Z" }),
    alert("alrt_04", "budget", "warning", "log", "day", "1600000", "1601204", 70, "Agent writer has used 80 % of its output tokens of the day.", { unit: "output_tokens", agent_id: "writer" }),
    alert("alrt_05", "request-info", "info", "log", "request", "0.100000000", "0.114000000", 90, "One call cost $0.114.", { call_id: "call_0000", brake: null }),
  ];
}
