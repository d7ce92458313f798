/** Every read of the console, as TanStack Query options. A page uses at most five requests: see e2e/journeys.test.ts. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { get, query, raw, type Params } from "./client";
import type { Source } from "../lib/proof";
import type { Account, Alert, ApiKey, AuditDetail, AuditRecord, AuditStatus, Brake, Call, CallDetail, Costs, Facets, Health, Identity, Overview, Page, Run, RunDetail, TracePage } from "./types";

export const CALLS_PAGE = 100;
/** The first page of a trace is small so that it paints at once, the later ones are large so that there are few. */
export const TRACE_FIRST_PAGE = 2_000;
export const TRACE_PAGE = 10_000;

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => get<Identity>("/session", signal),
  staleTime: 5 * 60_000,
  retry: false,
});

export const facetsQuery = queryOptions({
  queryKey: ["facets"],
  queryFn: ({ signal }) => get<Facets>("/facets", signal),
  staleTime: 60_000,
});

export const overviewQuery = (from: string, to: string) =>
  queryOptions({
    queryKey: ["overview", from, to],
    queryFn: ({ signal }) => get<Overview>("/overview" + query({ from, to }), signal),
  });

export const callsQuery = (filters: Params, limit = CALLS_PAGE) =>
  infiniteQueryOptions({
    queryKey: ["calls", filters, limit],
    queryFn: ({ signal, pageParam }) =>
      get<Page<Call>>("/calls" + query({ ...filters, limit, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const callQuery = (id: string) =>
  queryOptions({
    queryKey: ["call", id],
    queryFn: ({ signal }) => get<CallDetail>("/calls/" + encodeURIComponent(id), signal),
  });

export const traceQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["trace", id],
    queryFn: ({ signal, pageParam }) =>
      get<TracePage>(
        "/traces/" +
          encodeURIComponent(id) +
          query({ limit: pageParam === "" ? TRACE_FIRST_PAGE : TRACE_PAGE, cursor: pageParam }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    staleTime: 60_000,
  });

/** By run, a page is some runs of the range; by everything else the first page is all. */
export const costsQuery = (params: { by: string; bucket: string; from: string; to: string }) =>
  infiniteQueryOptions({
    queryKey: ["costs", params],
    queryFn: ({ signal, pageParam }) => get<Costs>("/costs" + query({ ...params, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const RUNS_PAGE = 100;
export const runsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["runs", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Run>>("/runs" + query({ ...filters, limit: RUNS_PAGE, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const runPath = (id: string, tenant: string | undefined, act = "") =>
  "/runs/" + encodeURIComponent(id) + act + query({ tenant });

export const runQuery = (id: string, tenant: string | undefined) =>
  queryOptions({
    queryKey: ["run", id, tenant ?? ""],
    queryFn: ({ signal }) => get<RunDetail>(runPath(id, tenant), signal),
  });

export const ACCOUNTS_PAGE = 500;
export const accountsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["accounts", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Account>>("/accounts" + query({ ...filters, limit: ACCOUNTS_PAGE, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

/** Only operators, admins and auditors may read keys. */
export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => get<Page<ApiKey>>("/keys" + query({ limit: 500 }), signal),
  staleTime: 60_000,
});

export const ALERTS_PAGE = 100;
export const alertsQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["alerts", filters],
    queryFn: ({ signal, pageParam }) => get<Page<Alert>>("/alerts" + query({ ...filters, limit: ALERTS_PAGE, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const brakesQuery = (filters: Params = {}) =>
  queryOptions({
    queryKey: ["brakes", filters],
    queryFn: ({ signal }) => get<Page<Brake>>("/brakes" + query(filters), signal),
  });

export const AUDIT_PAGE = 100;
export const auditQuery = (filters: Params) =>
  infiniteQueryOptions({
    queryKey: ["audit", filters],
    queryFn: ({ signal, pageParam }) => get<Page<AuditRecord>>("/audit" + query({ ...filters, limit: AUDIT_PAGE, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

export const recordQuery = (index: string) =>
  queryOptions({
    queryKey: ["record", index],
    queryFn: ({ signal }) => get<AuditDetail>("/audit/" + encodeURIComponent(index), signal),
  });

export const auditStatusQuery = queryOptions({
  queryKey: ["audit-status"],
  queryFn: ({ signal }) => get<AuditStatus>("/audit/status", signal),
  refetchInterval: 15_000,
});

/** logSource reads the log's own paths, as any client of C2SP tlog-tiles would. */
export const logSource: Source = {
  checkpoint: async () => (await raw("/audit/checkpoint")).text(),
  tile: async (path) => new Uint8Array(await (await raw("/audit/" + path)).arrayBuffer()),
};

export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => get<Health>("/health", signal),
  refetchInterval: 15_000,
});
