import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { callsQuery, facetsQuery } from "../api/queries";
import { useI18n } from "../i18n";
import { count } from "../lib/format";
import { bounds } from "../lib/time";
import { CALL_FILTERS, type CallsSearch } from "../router";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { CallFilters } from "./CallFilters";
import { CallsTable } from "./CallsTable";

/**
 * The moment the list was last asked for. It outlives the view, so that coming back from a call finds the same pages
 * and the same place; after a minute the list is asked for again.
 */
let epoch = 0;
const KEEP_MS = 60_000;

function useEpoch(): [number, () => void] {
  const [value, set] = useState(() => {
    if (Date.now() - epoch > KEEP_MS) epoch = Date.now();
    return epoch;
  });
  return [value, () => set((epoch = Date.now()))];
}

export function Calls() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/calls" });
  const navigate = useNavigate({ from: "/calls" });
  const { searchStr } = useLocation();
  const [at, renew] = useEpoch();
  const filters = useMemo(() => apiFilters(search, at), [search, at]);
  const facets = useQuery(facetsQuery);
  const list = callsQuery(filters);
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...list,
    queryKey: [...list.queryKey, at],
    // Pages of one moment belong together: only a new moment replaces them.
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });
  const calls = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const change = (next: CallsSearch) => void navigate({ search: next, replace: true });
  return (
    <>
      <PageHead title={t("calls.title")}>
        {data && <span className="sub">{t("calls.loaded", { count: count(calls.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={renew} />
      </PageHead>
      <CallFilters search={search} facets={facets.data?.items ?? {}} change={change} />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && (
        <CallsTable
          key={searchStr}
          place={searchStr}
          calls={calls}
          filtered={Object.keys(search).length > 0}
          more={hasNextPage}
          busy={isFetchingNextPage}
          loadMore={() => void fetchNextPage()}
        />
      )}
    </>
  );
}

function apiFilters(search: CallsSearch, at: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of CALL_FILTERS) if (search[name]) out[name] = search[name];
  // A named range is open to the future, so that a refresh shows what came since.
  if (search.range) out["from"] = bounds(search.range, at).from;
  return out;
}
