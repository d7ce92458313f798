/** The log: its records, newest first, or the one of them that the address names. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState, type MouseEvent } from "react";
import { auditQuery, facetsQuery } from "../api/queries";
import type { AuditRecord } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, NONE, stamp } from "../lib/format";
import { bounds } from "../lib/time";
import { AUDIT_FILTERS, type AuditFilter, type AuditSearch } from "../router";
import { ContentTag, recordWhat, recordWho } from "../ui/Record";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, Risk } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { AuditRecordView } from "./AuditRecord";
import { Choice, Text, TimeFilter } from "./CallFilters";

export function Audit() {
  const search = useSearch({ from: "/shell/audit" });
  return search.record === undefined ? <List search={search} /> : <AuditRecordView key={search.record} index={search.record} />;
}

function List({ search }: { search: AuditSearch }) {
  const { t } = useI18n();
  const navigate = useNavigate({ from: "/audit" });
  const [at, setAt] = useState(Date.now);
  const filters = useMemo(() => apiFilters(search, at), [search, at]);
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...auditQuery(filters),
    placeholderData: keepPreviousData,
  });
  const records = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  // A named range begins anew with each refresh, which then asks other times; everything else is asked for again.
  const renew = () => (search.range ? setAt(Date.now()) : void refetch());
  const filtered = Object.keys(search).length > 0;
  return (
    <>
      <PageHead title={t("audit.title")}>
        {data && <span className="sub">{t("audit.loaded", { count: count(records.length) })}</span>}
        <span className="spacer" />
        <Link to="/health" className="button plain">{t("log.state")}</Link>
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={renew} />
      </PageHead>
      <Filters search={search} change={(next) => void navigate({ search: next, replace: true })} />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && records.length === 0 && (
        // One answer looks at a part of the log only: what does not match there says nothing of what is older.
        <p className="panel empty" role="status">{t(hasNextPage ? "audit.emptyYet" : filtered ? "audit.empty" : "audit.none")}</p>
      )}
      {(records.length > 0 || hasNextPage) && (
        <div>
          {records.length > 0 && <Table records={records} search={search} />}
          <div className="vfoot">
            {hasNextPage ? (
              <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                {t(isFetchingNextPage ? "app.loading" : records.length > 0 ? "calls.more" : "audit.further")}
              </button>
            ) : (
              <span>{t("calls.end")}</span>
            )}
          </div>
        </div>
      )}
    </>
  );
}

function apiFilters(search: AuditSearch, at: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of AUDIT_FILTERS) if (search[name]) out[name] = search[name];
  if (search.range) out["from"] = bounds(search.range, at).from;
  return out;
}

const RISKS = ["low", "medium", "high"];
/** The actions that the log knows. Others can be typed. */
const ACTIONS = [
  "llm_call", "tool_call", "key_created", "key_revoked", "refusals", "started", "stopped", "log_resumed", "run_opened", "run_ended",
  "alert_raised", "brake_lifted", "cost_reconciled", "account_reopened", "config_reloaded", "config_rejected", "replica_joined",
  "replica_fenced", "login", "logout", "erasure", "subject_exported", "content_destroyed", "log_archived", "log_exported",
  "signing_key_rotated", "master_key_rotated",
];

function Filters({ search, change }: { search: AuditSearch; change: (next: AuditSearch) => void }) {
  const { t } = useI18n();
  const facets = useQuery(facetsQuery).data?.items ?? {};
  const set = (name: AuditFilter) => (value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  return (
    <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
      <TimeFilter search={search} change={change} />
      <Text label={t("audit.action")} value={search.action} set={set("action")} suggest={ACTIONS} />
      <Choice label={t("calls.tenant")} value={search.tenant} values={facets.tenant ?? []} set={set("tenant")} />
      <Choice label={t("calls.agent")} value={search.agent} values={facets.agent ?? []} set={set("agent")} />
      <Choice label={t("calls.risk")} value={search.risk} values={RISKS} set={set("risk")} />
      <Text label={t("call.user")} value={search.user} set={set("user")} />
      <Text label={t("audit.subject")} value={search.subject} set={set("subject")} />
      <Text label={t("calls.run")} value={search.run} set={set("run")} />
      <Text label={t("call.title")} value={search.call} set={set("call")} />
      {Object.keys(search).length > 0 && (
        <button className="button plain" type="button" onClick={() => change({})}>{t("calls.clear")}</button>
      )}
    </form>
  );
}

function Table({ records, search }: { records: AuditRecord[]; search: AuditSearch }) {
  const { t } = useI18n();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("audit.tableLabel")}>
      <table className="audit-table">
        <thead>
          <tr>
            <th className="num">{t("audit.index")}</th>
            <th>{t("audit.time")}</th>
            <th>{t("audit.type")}</th>
            <th>{t("audit.action")}</th>
            <th>{t("audit.what")}</th>
            <th>{t("audit.who")}</th>
            <th>{t("calls.tenant")}</th>
            <th>{t("calls.outcome")}</th>
            <th>{t("calls.risk")}</th>
          </tr>
        </thead>
        <tbody>{records.map((record) => <Row key={record.index} record={record} search={search} />)}</tbody>
      </table>
    </div>
  );
}

function Row({ record: r, search }: { record: AuditRecord; search: AuditSearch }) {
  const { t } = useI18n();
  // A click anywhere in the row opens it, except where text is being selected.
  const open = (event: MouseEvent<HTMLElement>) => {
    if (event.target instanceof Element && !event.target.closest("a") && !getSelection()?.toString()) event.currentTarget.querySelector("a")?.click();
  };
  return (
    <tr onClick={open}>
      <td className="num">
        <Link to="/audit" search={{ ...search, record: String(r.index) }}>{r.index}</Link>
      </td>
      <td className="nowrap"><time dateTime={r.time} title={stamp(r.time)}>{clock(r.time, new Date())}</time></td>
      <td className="nowrap">{t(`audit.type.${r.type}`)}</td>
      <td className="nowrap"><code>{r.what.action || NONE}</code> <ContentTag state={r.content} /></td>
      <td className="cut" title={recordWhat(r)}>{recordWhat(r)}</td>
      <td className="cut" title={recordWho(r)}>{recordWho(r)}</td>
      <td className="nowrap">{r.who.tenant_id || NONE}</td>
      <td>{r.outcome ? <Signal status={r.outcome} title={r.error?.code ?? null} /> : <span className="quiet">{NONE}</span>}</td>
      <td><Risk level={r.context.risk_level || null} /></td>
    </tr>
  );
}
