/**
 * The control API's shapes, as the console uses them.
 *
 * Money is a decimal string in US dollars and stays one: see lib/money.ts. Times are RFC 3339 in UTC.
 * A value that does not apply to a row is null, never absent.
 */

export type Outcome = "ok" | "denied" | "blocked" | "failed" | "cancelled" | "unknown" | "running";
export type CallKind = "model" | "tool";
export type CostBasis = "reported" | "estimated" | "unpriced" | "none";

export interface Identity {
  tenant: string;
  team: string | null;
  key_id: string;
  agent: string | null;
  user: string | null;
  role: string;
  expires_at: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  as_of: string;
}

export interface Call {
  id: string;
  time: string;
  tenant: string;
  team: string | null;
  key_id: string | null;
  user: string | null;
  request_id: string | null;
  run_id: string | null;
  agent_id: string | null;
  agent_role: string | null;
  parent_agent_id: string | null;
  step_index: number | null;
  kind: CallKind;
  protocol: string;
  tool_name: string | null;
  model_name: string | null;
  provider: string | null;
  upstream_model: string | null;
  stream: boolean;
  latency_ms: number | null;
  first_byte_ms: number | null;
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
  cost_estimate: string | null;
  cost_basis: CostBasis;
  risk_level: string | null;
  outcome: Outcome;
  error_code: string | null;
  attempts: number;
  trace_id: string | null;
  span_id: string | null;
  simulated: boolean;
}

export interface Attempt {
  n: number;
  model_name: string | null;
  provider: string | null;
  upstream_model: string | null;
  started: string | null;
  latency_ms: number | null;
  status: string;
  error_code: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  cost_estimate: string | null;
}

export type StationName = "gate" | "resolve" | "policy" | "guard_input" | "approval" | "guard_output";

export interface CallDetail extends Call {
  input_summary: string | null;
  output_summary: string | null;
  error: { code: string; message: string; remedy: string } | null;
  stations: Partial<Record<StationName, string>>;
  attempts_detail: Attempt[];
  rates: Record<string, string | number | null> | null;
  policy_version: string | null;
  record: { intent_index: number | null; outcome_index: number | null };
}

export type SpanKind = "agent" | "model" | "tool" | "attempt";
export type SpanStatus = "ok" | "error" | "running";

export interface Span {
  id: string;
  parent_id: string | null;
  depth: number;
  child_count: number;
  name: string;
  kind: SpanKind;
  status: SpanStatus;
  start_ms: number;
  duration_ms: number;
  self_ms: number;
  agent_id: string | null;
  model_name: string | null;
  tool_name: string | null;
  cost_estimate: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  call_id: string | null;
  inferred: boolean;
  simulated: boolean;
}

export interface TracePage {
  trace_id: string;
  start: string;
  end: string;
  span_count: number;
  total_cost: string;
  as_of: string;
  items: Span[];
  next: string | null;
}

export type CostBy = "tenant" | "team" | "agent" | "model" | "tool" | "provider" | "run";
export type Bucket = "hour" | "day";

export interface CostPoint {
  time: string;
  calls: number;
  failures: number;
  input_tokens: number;
  output_tokens: number;
  cost: string;
}

export interface CostTotal extends Omit<CostPoint, "time"> {
  key: string;
}

export interface Costs {
  by: CostBy;
  bucket: Bucket;
  from: string;
  to: string;
  as_of: string;
  series: { key: string; points: CostPoint[] }[];
  totals: CostTotal[];
}

export interface Overview {
  as_of: string;
  calls: number;
  failures: number;
  cost: string;
  input_tokens: number;
  output_tokens: number;
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  points: { time: string; calls: number; failures: number; cost: string }[];
}

export type FacetName = "tenant" | "team" | "agent" | "model" | "tool" | "provider";

export interface Facets {
  as_of: string;
  items: Partial<Record<FacetName, string[]>>;
}

export interface Health {
  version: string;
  started: string;
  data_as_of: string;
  log: { size: number; checkpoint_size: number; checkpoint_time: string | null; root: string };
  queue: { depth: number; capacity: number };
  projections: { cursor: number; lag_records: number };
  components: { name: string; status: "ok" | "degraded" | "down"; detail: string }[];
}
