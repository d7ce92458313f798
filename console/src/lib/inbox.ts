/** The inbox as it is kept: what the server said is pending, and what became of what was pending a moment ago. */
import type { Approval, Page } from "../api/types";
import type { ServerEvent } from "./sse";

/** changed takes one approval into the list: a new or changed one that is pending stays, any other leaves. */
export function changed(list: Approval[], one: Approval): Approval[] {
  const rest = list.filter((a) => a.id !== one.id);
  return one.state === "pending" ? [one, ...rest] : rest;
}

/** told is what an event of the stream says; null for one that this console does not know. */
export function told(event: ServerEvent): { reset: Approval[] } | { one: Approval } | null {
  let data: unknown;
  try {
    data = JSON.parse(event.data);
  } catch {
    return null;
  }
  if (event.event === "reset") {
    const items = Array.isArray(data) ? data : (data as { items?: unknown } | null)?.items;
    return { reset: Array.isArray(items) ? items.filter(isApproval) : [] };
  }
  return event.event === "approval" && isApproval(data) ? { one: data } : null;
}

function isApproval(data: unknown): data is Approval {
  return typeof data === "object" && data !== null && "id" in data && "state" in data;
}

/** take changes a page of pending approvals by an event. */
export function take(page: Page<Approval>, what: { reset: Approval[] } | { one: Approval }, asOf: string): Page<Approval> {
  if ("one" in what) return { ...page, items: changed(page.items, what.one), as_of: asOf };
  return { items: what.reset.filter((a) => a.state === "pending"), next: null, as_of: asOf };
}

const RISKS = { low: 0, medium: 1, high: 2 } as const;

/** byUrgency puts first what expires first; of equals the riskier, then the older one. */
export function byUrgency(a: Approval, b: Approval): number {
  return (
    compare(a.expires, b.expires) || RISKS[b.risk_level] - RISKS[a.risk_level] || compare(a.asked, b.asked) || compare(a.id, b.id)
  );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export interface Filter {
  agent?: string | undefined;
  tool?: string | undefined;
  run?: string | undefined;
  risk?: string | undefined;
  tenant?: string | undefined;
}

export function fits(a: Approval, f: Filter): boolean {
  return (
    (!f.agent || a.agent_id === f.agent) && (!f.tool || a.tool_name === f.tool) && (!f.run || a.run_id === f.run) &&
    (!f.risk || a.risk_level === f.risk) && (!f.tenant || a.tenant === f.tenant)
  );
}

/** Why somebody is not offered to decide. The server asks again, and has the last word. */
export type Hindrance = "notPending" | "role" | "own" | "voted";

export interface Reader {
  key_id: string;
  user: string | null;
  role: string;
}

export function hindrance(a: Approval, who: Reader | undefined): Hindrance | null {
  if (a.state !== "pending") return "notPending";
  if (!who || !mayDecide(who.role) || !(who.role === "admin" || !a.approver_role || a.approver_role === who.role)) return "role";
  if (isOwn(a, who)) return "own";
  const same = a.votes.some((v) => v.by === who.key_id || (who.user !== null && v.user === who.user));
  return same ? "voted" : null;
}

export function isOwn(a: Approval, who: Reader | undefined): boolean {
  return who !== undefined && (a.key_id === who.key_id || (who.user !== null && a.user_id === who.user));
}

export const mayDecide = (role: string | undefined) => role === "approver" || role === "admin";

/** given counts those who have approved. */
export const given = (a: Approval) => a.votes.filter((v) => v.verdict === "approve").length;
