/** Reads of approvals, the policy, break-glass grants, incidents and sessions; and who is offered what. */
import { infiniteQueryOptions, queryOptions, useQuery } from "@tanstack/react-query";
import { get, query, send, type Params } from "./client";
import { sessionQuery } from "./queries";
import type { Approval, Explanation, Grant, Incident, OpenSession, Page, Policy, PolicyVersion, Provider, Question, Role } from "./types";

/** The inbox holds this many at first; the stream brings all that are pending. */
export const INBOX_PAGE = 100;
/** How often the inbox is asked for without a stream. */
export const POLL_MS = 10_000;
/** How often the number beside the navigation is renewed on other pages. */
export const COUNT_MS = 30_000;

/** One answer for the inbox and for the number in the navigation. */
export const inboxQuery = queryOptions({
  queryKey: ["approvals", "pending"],
  queryFn: ({ signal }) => get<Page<Approval>>("/approvals" + query({ state: "pending", limit: INBOX_PAGE }), signal),
});

export const APPROVALS_PAGE = 50;
export const approvalsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["approvals", "list", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Approval>>("/approvals" + query({ ...filters, limit: APPROVALS_PAGE, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const approvalPath = (id: string, act = "") => "/approvals/" + encodeURIComponent(id) + act;

export const approvalQuery = (id: string) =>
  queryOptions({
    queryKey: ["approval", id],
    queryFn: ({ signal }) => get<Approval>(approvalPath(id), signal),
  });

export const policyQuery = queryOptions({
  queryKey: ["policy"],
  queryFn: ({ signal }) => get<Policy & { as_of?: string }>("/policy", signal),
});

/** A question is asked by POST, but it changes nothing: equal questions are one answer. */
export const explainQuery = (question: Question | null) =>
  queryOptions({
    queryKey: ["explain", question],
    queryFn: () => send<Explanation>("POST", "/policy/explain", question),
    enabled: question !== null,
    retry: false,
  });

export const policyVersionsQuery = queryOptions({
  queryKey: ["policy-versions"],
  queryFn: ({ signal }) => get<{ items: PolicyVersion[] }>("/policy/versions", signal),
});

export const policyVersionQuery = (version: string) =>
  queryOptions({
    queryKey: ["policy-version", version],
    queryFn: ({ signal }) => get<PolicyVersion>("/policy/versions/" + encodeURIComponent(version), signal),
    enabled: version !== "",
    staleTime: Infinity,
  });

export const grantsQuery = queryOptions({
  queryKey: ["grants"],
  queryFn: ({ signal }) => get<Page<Grant>>("/break-glass", signal),
  refetchInterval: 30_000,
});

export const incidentsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["incidents", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Incident>>("/incidents" + query({ ...filters, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: ({ signal }) => get<Page<OpenSession>>("/sessions", signal),
});

/** Open to everybody: what the page for signing in offers beside a key. */
export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => get<{ providers: Provider[] | null }>("/login", signal),
  retry: false,
  staleTime: 60_000,
});

const ACTS = {
  seeApprovals: ["approver", "auditor", "operator", "admin", "developer"],
  decide: ["approver", "admin"],
  seePolicy: ["developer", "approver", "auditor", "operator", "admin"],
  seeGrants: ["approver", "auditor", "operator", "admin"],
  grant: ["approver", "operator", "admin"],
  endGrant: ["approver", "operator", "admin"],
  reviewGrant: ["approver", "auditor", "operator", "admin"],
  seeIncidents: ["developer", "approver", "auditor", "operator", "admin"],
  openIncident: ["developer", "approver", "operator", "admin"],
  closeIncident: ["approver", "operator", "admin"],
  seeSessions: ["developer", "approver", "auditor", "operator", "admin"],
} as const satisfies Record<string, readonly Role[]>;

export type Act = keyof typeof ACTS;

/** may says what a role is offered. The server asks again. */
export function may(role: Role | undefined, act: Act): boolean {
  return role !== undefined && (ACTS[act] as readonly Role[]).includes(role);
}

export function useMay(act: Act): boolean {
  return may(useQuery(sessionQuery).data?.role, act);
}
