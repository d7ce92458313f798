/** What was decided, newest first: by whom, with what reason, and whether the call was made. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { approvalsQuery, DECIDED } from "../api/people";
import type { Approval } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, NONE, stamp } from "../lib/format";
import type { ApprovalsSearch } from "../router";
import { Does, State } from "../ui/Approval";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, Risk } from "../ui/parts";
import { Visible } from "../ui/Visible";
import { ApprovalFilters } from "./Approvals";

export function ApprovalHistory({ search }: { search: ApprovalsSearch }) {
  const { t } = useI18n();
  const { state, tenant, agent, tool, run } = search;
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...approvalsQuery({ state: state === "decided" ? DECIDED : state, tenant, agent, tool, run }),
    placeholderData: keepPreviousData,
  });
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  return (
    <>
      <PageHead title={t("approval.title")}>
        {data && <span className="sub">{t("calls.loaded", { count: count(rows.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <ApprovalFilters search={search} />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && rows.length === 0 && <p className="panel empty" role="status">{t("approval.noHistory")}</p>}
      {rows.length > 0 && (
        <>
          <Table rows={rows} />
          <div className="vfoot">
            {hasNextPage ? (
              <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                {isFetchingNextPage ? t("app.loading") : t("calls.more")}
              </button>
            ) : <span>{t("calls.end")}</span>}
          </div>
        </>
      )}
    </>
  );
}

function Table({ rows }: { rows: Approval[] }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("approval.decided")}>
      <table>
        <thead>
          <tr>
            <th>{t("approval.asked")}</th><th>{t("run.state")}</th><th>{t("calls.tool")}</th><th>{t("calls.agent")}</th><th>{t("calls.risk")}</th>
            <th>{t("approval.votes")}</th><th>{t("approval.decidedAt")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((a) => (
            <tr key={a.id}>
              <td className="nowrap" title={stamp(a.asked)}>{clock(a.asked, now)}</td>
              <td className="nowrap"><State of={a} /></td>
              <td><Link className="mono break" to="/approvals/$id" params={{ id: a.id }}><Visible text={a.tool_name} /></Link> <Does operation={a.operation} /></td>
              <td>{a.agent_id ?? NONE}</td>
              <td><Risk level={a.risk_level} /></td>
              <td className="break">{a.votes.length === 0 ? NONE : a.votes.map((v) => (
                <div key={v.by}>{v.user ?? v.by}{v.reason && <span className="quiet">: <Visible text={v.reason} /></span>}</div>
              ))}</td>
              <td className="nowrap" title={stamp(a.decided)}>{clock(a.decided, now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
