/** Reads of servers and their tools. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { get, query, type Params } from "./client";
import type { Page, Tool, ToolDetail, ToolServer } from "./types";

/** How often it is asked how it stands with servers. */
const STATE_MS = 5_000;

export const serversQuery = queryOptions({
  queryKey: ["servers"],
  queryFn: ({ signal }) => get<Page<ToolServer>>("/servers" + query({ limit: 500 }), signal),
  refetchInterval: STATE_MS,
});

const serverPath = (id: string, more = "") => "/servers/" + encodeURIComponent(id) + more;

export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: ["servers", id],
    queryFn: ({ signal }) => get<ToolServer & { as_of: string }>(serverPath(id), signal),
    refetchInterval: STATE_MS,
  });

export const toolsQuery = (server: string, range: Params, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ["tools", server, range, limit],
    queryFn: ({ signal, pageParam }) => get<Page<Tool>>(serverPath(server, "/tools") + query({ ...range, limit, cursor: pageParam }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    enabled: server !== "",
  });

export const toolQuery = (id: string, range: Params = {}) =>
  queryOptions({
    queryKey: ["tool", id, range],
    queryFn: ({ signal }) => get<ToolDetail>("/tools/" + encodeURIComponent(id) + query(range), signal),
    placeholderData: keepPreviousData,
  });
