/** Reads of approvals, the policy, break-glass grants, incidents and sessions; and who is offered what. */
import { infiniteQueryOptions, queryOptions, useQuery } from "@tanstack/react-query";
import { Exact, get, query, send, type Params } from "./client";
import { sessionQuery } from "./queries";
import type { Approval, Explanation, Grant, Incident, OpenSession, Page, Policy, PolicyText, PolicyVersion, Provider, Question, Role } from "./types";

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

/** All states but the one in which it waits. */
export const DECIDED = "approved,denied,expired,stale,withdrawn";

/** The newest that are decided: what became of those that left the inbox while nobody listened. */
export const goneQuery = queryOptions({
  queryKey: ["approvals", "gone"],
  queryFn: ({ signal }) => get<Page<Approval>>("/approvals" + query({ state: DECIDED, limit: INBOX_PAGE }), signal),
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
  queryFn: ({ signal }) => get<Policy>("/policy", signal),
});

/** A question is asked by POST, but it changes nothing: equal questions are one answer. The arguments are sent as they are written. */
export const explainQuery = (question: Question | null, args: string) =>
  queryOptions({
    queryKey: ["explain", question, args],
    queryFn: () => {
      const rest = JSON.stringify(question);
      return send<Explanation>("POST", "/policy/explain", new Exact(args === "" ? rest : `${rest.slice(0, -1)},"arguments":${args}}`));
    },
    enabled: question !== null,
    retry: false,
  });

export const policyVersionsQuery = queryOptions({
  queryKey: ["policy-versions"],
  queryFn: ({ signal }) => get<Page<PolicyVersion>>("/policy/versions" + query({ limit: 200 }), signal),
});

export const policyVersionQuery = (version: string) =>
  queryOptions({
    queryKey: ["policy-version", version],
    queryFn: ({ signal }) => get<PolicyText>("/policy/versions/" + encodeURIComponent(version), signal),
    enabled: version !== "",
    staleTime: Infinity,
  });

export const grantsQuery = queryOptions({
  queryKey: ["grants"],
  queryFn: ({ signal }) => get<Page<Grant>>("/break-glass" + query({ limit: 200 }), signal),
  refetchInterval: 30_000,
});

export const incidentsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["incidents", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Incident>>("/incidents" + query({ ...filters, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: ({ signal }) => get<Page<OpenSession>>("/sessions" + query({ limit: 500 }), signal),
});

/** Open to everybody: what the page for signing in offers beside a key. */
export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => get<{ providers: Provider[] | null }>("/login", signal),
  retry: false,
  staleTime: 60_000,
});

const PEOPLE = ["developer", "approver", "operator", "admin"] as const;
const READERS = [...PEOPLE, "auditor"] as const;

/** Who may give grants is the configuration's to say; these are its own words for it where it says nothing. */
const GIVERS = ["operator", "admin"] as const;

const ACTS = {
  seeApprovals: READERS,
  seeServers: READERS,
  seePolicy: READERS,
  seeGrants: READERS,
  grant: GIVERS,
  endGrant: GIVERS,
  reviewGrant: ["approver", "operator", "admin"],
  seeIncidents: READERS,
  openIncident: PEOPLE,
  closeIncident: PEOPLE,
} as const satisfies Record<string, readonly Role[]>;

export type Act = keyof typeof ACTS;

/** may says what a role is offered. The server asks again. */
export function may(role: string | undefined, act: Act): boolean {
  return role !== undefined && (ACTS[act] as readonly string[]).includes(role);
}

export function useMay(act: Act): boolean {
  return may(useQuery(sessionQuery).data?.role, act);
}
