/** One server: how it stands, and its tools with what they may do, cost and were called. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { serverQuery, toolsQuery } from "../api/tools";
import type { Tool, ToolServer } from "../api/types";
import { useI18n } from "../i18n";
import { count, duration, NONE } from "../lib/format";
import { showMoney } from "../lib/money";
import { bounds, type Range } from "../lib/time";
import { Does } from "../ui/Approval";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Fact, Loading, PageHead, RangePicker } from "../ui/parts";
import { PerCall, PinState, ServerState, ToolLink } from "../ui/Tool";
import { Visible } from "../ui/Visible";
import { Choice, Text } from "./CallFilters";
import { Counts } from "./Servers";

const STATES = ["pinned", "held", "rejected"] as const;

/** useBounds is a range that ends when the page was opened or refreshed last. */
export function useBounds(range: Range) {
  const [at, setAt] = useState(Date.now);
  return { ...useMemo(() => bounds(range, at), [range, at]), renew: () => setAt(Date.now()) };
}

export function Server() {
  const { t } = useI18n();
  const { id } = useParams({ from: "/shell/servers/$id" });
  const search = useSearch({ from: "/shell/servers/$id" });
  const navigate = useNavigate({ from: "/servers/$id" });
  const range = search.range ?? "24h";
  const { from, to, renew } = useBounds(range);
  const server = useQuery(serverQuery(id));
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery(toolsQuery(id, { from, to, state: search.state }));
  const set = (name: "name" | "state" | "range", value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    void navigate({ search: value ? { ...rest, [name]: value } : rest, replace: true });
  };
  const tools = data?.pages.flatMap((page) => page.items).filter((tool) => tool.name.includes(search.name ?? ""));
  const narrowed = search.name !== undefined || search.state !== undefined;
  return (
    <>
      <PageHead title={id}>
        <span className="crumb"><Link to="/servers" search={{}}>{t("servers.title")}</Link></span>
        <span className="spacer" />
        <AsOf asOf={server.data?.as_of} busy={isFetching} refresh={() => (renew(), void server.refetch())} />
      </PageHead>
      {server.error && <ErrorBox error={server.error} retry={() => void server.refetch()} />}
      {server.data && <Facts of={server.data} />}
      {!server.error && (
        <section className="section">
          <div className="section-head">
            <h2>{t("server.tools")}</h2>
            <span className="spacer" />
            <Link to="/try" search={{ server: id }}>{t("try.title")}</Link>
          </div>
          <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
            <Text label={t("servers.filter")} value={search.name} set={(v) => set("name", v)} />
            <Choice label={t("tool.state")} value={search.state} values={STATES} show={(v) => t(`tool.state.${v as (typeof STATES)[number]}`)} set={(v) => set("state", v)} />
            <RangePicker value={range} onChange={(value) => set("range", value)} />
          </form>
          {error && <ErrorBox error={error} retry={() => void refetch()} />}
          {!data && !error && <Loading />}
          {tools?.length === 0 && <p className="panel empty" role="status">{t(narrowed ? "tools.noMatch" : "tools.none")}</p>}
          {tools && tools.length > 0 && <Tools rows={tools} />}
          {hasNextPage && <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>{t(isFetchingNextPage ? "app.loading" : "calls.more")}</button>}
        </section>
      )}
    </>
  );
}

function Facts({ of: s }: { of: ToolServer }) {
  const { t } = useI18n();
  return (
    <dl className="facts">
      <Fact name={t("health.state")}><ServerState of={s} /></Fact>
      <Fact name={t("calls.kind")}>{t(`server.kind.${s.kind}`)}</Fact>
      <Fact name={t("call.protocol")}>{s.protocol_version ?? NONE} {s.era && <span className="tag">{t(`server.${s.era}`)}</span>}</Fact>
      <Fact name={t("server.tools")}><Counts of={s} /></Fact>
      <Fact name={t("server.inFlight")}>{count(s.in_flight)} / {count(s.places)}</Fact>
      <Fact name={t("server.failures")}>{count(s.failures_in_row)}</Fact>
      <Fact name={t("server.declined")}>{count(s.declined)}</Fact>
      <Fact name={t("sessions.title")}>{count(s.sessions)}</Fact>
      <Fact name={t("server.credential")}>{t(`server.credential.${s.credential}`)}</Fact>
      <Fact name={t("server.price")}><PerCall price={s.price_per_call} /></Fact>
    </dl>
  );
}

function Tools({ rows }: { rows: Tool[] }) {
  const { t } = useI18n();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("server.tools")}>
      <table className="tools-table">
        <thead>
          <tr>
            <th>{t("calls.tool")}</th><th>{t("tool.state")}</th><th>{t("audit.operation")}</th><th className="num">{t("server.price")}</th>
            <th className="num">{t("calls.title")}</th><th className="num">{t("overview.failures")}</th><th className="num">{t("tool.refused")}</th>
            <th className="num">{t("overview.latency")}</th><th className="num">{t("overview.p95")}</th><th className="num">{t("calls.cost")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((tool) => (
            <tr key={tool.id}>
              <td className="break"><ToolLink of={tool} />{tool.description && <p className="quiet clip"><Visible text={tool.title ?? tool.description} /></p>}</td>
              <td><PinState of={tool} /></td>
              <td className="nowrap">{tool.operations.map((operation) => <Does key={operation} operation={operation} />)}</td>
              <td className="num"><PerCall price={tool.price_per_call} /></td>
              <td className="num">{count(tool.use.calls)}</td>
              <td className={"num" + (tool.use.failures > 0 ? " stop" : "")}>{count(tool.use.failures)}</td>
              <td className="num">{count(tool.use.refusals)}</td>
              <td className="num">{duration(tool.use.latency_p50_ms)}</td>
              <td className="num">{duration(tool.use.latency_p95_ms)}</td>
              <td className="num" title={"$" + tool.use.cost}>{showMoney(tool.use.cost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
