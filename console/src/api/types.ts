/**
 * The control API's shapes, taken from its OpenAPI document: "npm run types" writes schema.gen.ts anew.
 *
 * Money is a decimal string in US dollars and stays one: see lib/money.ts. Times are RFC 3339 in UTC.
 * A value that does not apply to a row is null, never absent.
 */
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Identity = Schemas["Identity"];
export type Call = Schemas["Call"];
export type CallDetail = Schemas["CallDetail"];
export type Attempt = Schemas["Attempt"];
export type Span = Schemas["Span"];
export type TracePage = Schemas["Trace"];
/** The two words that the client itself sends come back as they were. */
export type Costs = Omit<Schemas["Costs"], "by" | "bucket"> & { by: CostBy; bucket: Bucket };
export type CostTotal = Schemas["CostTotal"];
export type CostPoint = Schemas["CostPoint"];
export type Overview = Schemas["Overview"];
export type Facets = Omit<Schemas["FacetLists"], "items"> & { items: Partial<Schemas["FacetListsItemsStruct"]> };
export type Health = Schemas["Health"];

export type StationName = keyof Schemas["Stations"];
export type FacetName = keyof Schemas["FacetListsItemsStruct"];
export type CostBy = "tenant" | "team" | "agent" | "model" | "tool" | "provider" | "run";
export type Bucket = "hour" | "day";

export interface Page<T> {
  items: T[];
  next: string | null;
  as_of: string;
}

/** The ledger's shapes. The document cannot say that a part is null, so that is said here. */
export type Account = Schemas["Account"];
export type Brake = Schemas["Brake"];
export type Delivery = Schemas["Delivery"];
export type Alert = Omit<Schemas["Alert"], "brake"> & { brake: Brake | null };
export type Run = Schemas["Run"];
export type AgentPlan = Schemas["AgentPlan"];
export type RunPlan = Schemas["RunPlan"];
export type RunDetail = Omit<Schemas["RunDetail"], "brake" | "plan"> & { brake: Brake | null; plan: RunPlan | null };
export type ApiKey = Schemas["Key"];

/** The log's shapes. What of them the document does not hold, or can not say, is said here. */
export type RecordType = Schemas["Record"]["type"];
/** "" where all of a record can be read. */
export type ContentState = "" | "sealed" | "erased" | "destroyed";
export interface BudgetStand {
  account: string;
  max: string;
  before: string;
  after: string;
}
export type AuditRecord = Pick<Schemas["Record"], "index" | "time" | "type" | "call_id" | "what" | "when" | "context" | "outcome"> & {
  who: Schemas["Who"] & { subject_id?: string };
  error: Schemas["CallFailure"] | null;
  content: ContentState;
  stations: Partial<Record<StationName, string>> | null;
  budget: BudgetStand | null;
  sealed_by: string | null;
};
/** One record comes with its leaf, whose hashes are in base64, and the size of the newest checkpoint. */
export type AuditDetail = AuditRecord & { leaf_data: string; leaf_hash: string; content_sha256: string; tree_size: number };

export interface AuditStatus {
  tree: {
    size: number;
    checkpoint_size: number | null;
    checkpoint_time: string | null;
    root: string | null;
    origin: string;
    keys: { name: string; id: string; active: boolean }[] | null;
  } | null;
  anchors: { kind: string; target: string; size: number | null; time: string | null; error: string | null }[] | null;
  retention: { tenant: string; domain: string; min_days: number; content_days: number; destroyed: number }[] | null;
  archives: { first: number; last: number; time: string; file: string; sha256: string }[] | null;
  subject_keys: { open: number; destroyed: number } | null;
}

/**
 * Permissions, approvals and people. Written by hand: the document cannot say that a part is null, and the words that
 * are fixed are fixed here.
 */
export type Role = Identity["role"];
export type RiskLevel = "low" | "medium" | "high";
export type Operation = "read" | "write" | "delete";
export type ApprovalState = "pending" | "approved" | "denied" | "expired" | "stale" | "withdrawn";

export interface Vote {
  by: string;
  user: string | null;
  role: string;
  verdict: "approve" | "deny";
  reason: string | null;
  at: string;
  via: string;
}

export interface Approval {
  id: string;
  tenant: string;
  state: ApprovalState;
  asked: string;
  expires: string;
  decided: string | null;
  use_by: string | null;
  used: string | null;
  used_by: string | null;
  call_id: string | null;
  trace_id: string | null;
  run_id: string | null;
  agent_id: string | null;
  key_id: string | null;
  user_id: string | null;
  kind: string;
  tool_name: string;
  operation: Operation | null;
  resources: string[] | null;
  risk_level: RiskLevel;
  approvers_required: number;
  approver_role: string | null;
  policy_version: string;
  rule: string | null;
  /** What the call can cost at the most, in US dollars. */
  cost_bound: string | null;
  votes: Vote[] | null;
  /** JSON as text, exactly as it would be sent. Null for readers who may not see it, and where it can not be read. */
  arguments: string | null;
  /** Their size, also where a list leaves them out for it. Null where they can not be seen. */
  arguments_bytes: number | null;
  /** The last approved one of the same tool and agent. */
  previous: string | null;
  edited_from: string | null;
  content: "" | "sealed" | "erased";
}

export interface BatchAnswer {
  items: { id: string; ok: boolean; error: { code: string; message: string; remedy?: string | null } | null }[];
}

export interface ToolLine {
  name: string;
  operations: Operation[];
  resources: string[];
  max_per_minute: number | null;
  source: string | null;
}

export interface PolicyAgent {
  id: string;
  role: string | null;
  /** false: the agent is named by permissions only, not in the configuration's list of agents. */
  declared: boolean;
  models: string[] | null;
  requires_approval: boolean;
  max_tokens: number | null;
  tools: ToolLine[] | null;
  data: Record<string, unknown> | null;
  network: Record<string, unknown> | null;
}

export interface PolicyTool {
  id: string;
  server: string | null;
  operation: Operation | null;
  resources: { argument: string; kind: string; operation: Operation | null }[] | null;
  source: string | null;
}

export interface Policy {
  version: string;
  since: string | null;
  agents: PolicyAgent[] | null;
  tools: PolicyTool[] | null;
  forbids: number;
  risk_rules: { when: string; level: RiskLevel; source: string | null }[] | null;
  tiers: Record<RiskLevel, { approvers: number; role: string | null }>;
  approval_rules: { agent: string; tool: string; approvers: number; role: string | null; source: string | null }[] | null;
  warnings: { text: string; source: string | null }[] | null;
}

export interface Question {
  tenant?: string;
  agent: string;
  tool: string;
  arguments?: unknown;
  model?: string;
  purpose?: string;
  step_kind?: string;
}

export interface Explanation {
  allowed: boolean;
  rule: string | null;
  message: string | null;
  would_change: string[] | null;
  operation: Operation | null;
  accesses: { operation: Operation; resource: string; rule: string | null }[] | null;
  risk_level: RiskLevel | null;
  risk_rule: string | null;
  approvers_required: number;
  approver_role: string | null;
  why_approval: string | null;
  policy_version: string;
}

export interface PolicyVersion {
  version: string;
  time: string;
  text?: string;
}

export interface Grant {
  id: string;
  tenant: string;
  agent_id: string;
  tool: string;
  reason: string;
  by: string;
  from: string;
  until: string;
  ended: string | null;
  reviewed: string | null;
  reviewer: string | null;
  review: string | null;
  overdue: string | boolean | null;
  active: boolean;
}

export interface Incident {
  id: string;
  tenant: string;
  call_id: string | null;
  run_id: string | null;
  tool_name: string | null;
  agent_id: string | null;
  write: boolean;
  severity: RiskLevel;
  text: string;
  opened: string;
  opened_by: string;
  closed: string | null;
  closed_by: string | null;
  resolution: string | null;
}

export interface OpenSession {
  id: string;
  key_id: string | null;
  user_id: string | null;
  tenant: string;
  role: string;
  opened: string;
  expires: string;
  source: string | null;
  current: boolean;
}

export interface Provider {
  id: string;
  issuer: string;
}
