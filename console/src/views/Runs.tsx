/** Runs, newest first: those that were opened with a budget, and those that calls merely name. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { facetsQuery, runsQuery } from "../api/queries";
import type { Run } from "../api/types";
import { useI18n } from "../i18n";
import { clock, compact, count, stamp } from "../lib/format";
import { showMoney } from "../lib/money";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { Choice } from "./CallFilters";
import { RunState } from "./Run";

export function Runs() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const facets = useQuery(facetsQuery);
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...runsQuery({ tenant: search.tenant }),
    placeholderData: keepPreviousData,
  });
  const runs = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  return (
    <>
      <PageHead title={t("runs.title")}>
        {data && <span className="sub">{t("runs.loaded", { count: count(runs.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
        <Choice
          label={t("calls.tenant")}
          value={search.tenant}
          values={facets.data?.items.tenant ?? []}
          set={(tenant) => void navigate({ search: tenant ? { tenant } : {}, replace: true })}
        />
      </form>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && runs.length === 0 && <p className="panel empty" role="status">{t(search.tenant ? "runs.noMatch" : "runs.none")}</p>}
      {runs.length > 0 && (
        <>
          <Table runs={runs} />
          <div className="vfoot">
            {hasNextPage ? (
              <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                {isFetchingNextPage ? t("app.loading") : t("calls.more")}
              </button>
            ) : (
              <span>{t("calls.end")}</span>
            )}
          </div>
        </>
      )}
    </>
  );
}

function Table({ runs }: { runs: Run[] }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("runs.title")}>
      <table className="runs-table">
        <thead>
          <tr>
            <th>{t("call.started")}</th>
            <th>{t("calls.run")}</th>
            <th>{t("run.state")}</th>
            <th>{t("calls.tenant")}</th>
            <th>{t("calls.team")}</th>
            <th>{t("calls.agent")}</th>
            <th className="num">{t("calls.title")}</th>
            <th className="num">{t("overview.failures")}</th>
            <th className="num">{t("calls.tokens")}</th>
            <th className="num">{t("calls.cost")}</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.tenant + " " + run.id}>
              <td className="nowrap" title={stamp(run.started)}>{clock(run.started, now)}</td>
              <td className="nowrap"><Link className="mono" to="/runs/$id" params={{ id: run.id }} search={{ tenant: run.tenant }}>{run.id}</Link></td>
              <td><RunState run={run} /></td>
              <td>{run.tenant}</td>
              <td>{run.team ?? "–"}</td>
              <td>{run.agent_id ?? "–"}</td>
              <td className="num">{count(run.calls)}</td>
              <td className={"num" + (run.failures > 0 ? " stop" : "")}>{count(run.failures)}</td>
              <td className="num" title={`${count(run.input_tokens)} / ${count(run.output_tokens)}`}>{compact(run.input_tokens)} / {compact(run.output_tokens)}</td>
              <td className="num" title={"$" + run.cost}>{showMoney(run.cost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
