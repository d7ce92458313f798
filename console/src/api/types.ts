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
export type GuardSide = Schemas["GuardSide"];
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

/** Permissions, approvals and people. The document can not say that a part is null, so that is said here. */
export type Role = Schemas["SessionRow"]["role"];
export type Approval = Schemas["Approval"];
export type Operation = NonNullable<Approval["operation"]>;
export type RiskLevel = Approval["risk_level"];
export type BatchAnswer = { items: (Omit<Schemas["DeniedOne"], "error"> & { error: Schemas["ErrorBody"] | null })[] };

export type ToolLine = Schemas["PolicyPermission"];
export type PolicyAgent = Omit<Schemas["PolicyAgent"], "data" | "network"> & {
  data: Schemas["PolicyData"] | null;
  network: Schemas["PolicyNetwork"] | null;
};
export type Policy = Omit<Schemas["PolicyView"], "agents"> & { agents: PolicyAgent[] };
export type Question = Omit<Schemas["ExplainRequest"], "arguments">;
export type Explanation = Schemas["PolicyAnswer"];
export type PolicyVersion = Schemas["PolicyVersionRow"];
export type PolicyText = Schemas["PolicyVersionText"];

export type Grant = Schemas["Grant"];
export type Incident = Schemas["Incident"];
export type OpenSession = Schemas["SessionRow"];
export type Provider = Schemas["LoginProvider"];

/** Servers and their tools. */
export type ToolServer = Schemas["Server"];
export type Tool = Schemas["Tool"];
/** One tool comes with its forms. The document can not say that they may be null. */
export type PinForm = Schemas["PinForm"];
export type Pin = Omit<Schemas["PinDetail"], "pinned" | "new"> & { pinned: PinForm | null; new: PinForm | null };
export type ToolDetail = Omit<Schemas["ToolDetail"], "pin"> & { pin: Pin | null };
