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
