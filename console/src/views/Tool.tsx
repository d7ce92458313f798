/** One tool: what it says, who may call it, what its calls were like, and in which form it may be used. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { toolQuery } from "../api/tools";
import type { Pin, ToolDetail } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { clock, compact, count, duration, NONE, stamp } from "../lib/format";
import { readJson, writeJson } from "../lib/json";
import { showMoney } from "../lib/money";
import { memberOf } from "../lib/schema";
import { Does } from "../ui/Approval";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Fact, Loading, PageHead, RangePicker } from "../ui/parts";
import { PerCall, PinState } from "../ui/Tool";
import { Arguments, LongText, Visible } from "../ui/Visible";
import { Activity } from "./Activity";
import { Source } from "./Matrix";
import { Review } from "./Review";
import { useBounds } from "./Server";

export function Tool() {
  const { t } = useI18n();
  const { id, name } = useParams({ from: "/shell/servers/$id/tools/$name" });
  const range = useSearch({ from: "/shell/servers/$id/tools/$name" }).range ?? "24h";
  const navigate = useNavigate({ from: "/servers/$id/tools/$name" });
  const { from, to, renew } = useBounds(range);
  const { data: found, error, isFetching, refetch } = useQuery(toolQuery(`${id}.${name}`, { from, to }));
  const tool = found?.id === `${id}.${name}` ? found : undefined;
  return (
    <>
      <PageHead title={name}>
        <span className="crumb"><Link to="/servers/$id" params={{ id }} search={{}}>{id}</Link></span>
        <span className="spacer" />
        {tool?.state && <Link className="button" to="/try" search={{ server: id, tool: name }}>{t("tools.try")}</Link>}
        <AsOf asOf={tool?.as_of} busy={isFetching} refresh={renew} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!tool && !error && <Loading />}
      {tool && (
        <>
          {tool.pin && tool.pin.new && <Review pin={tool.pin} />}
          <Said of={tool} />
          <section className="section">
            <div className="section-head">
              <h2>{t("calls.title")}</h2>
              <RangePicker value={range} onChange={(value) => void navigate({ search: { range: value }, replace: true })} />
              <span className="spacer" />
              <Link to="/calls" search={{ tool: tool.id, range }}>{t("tool.allCalls")}</Link>
            </div>
            <Figures of={tool} />
            {tool.use.calls > 0 && <Activity data={{ ...tool.use, points: tool.points }} from={from} to={to} height={150} />}
          </section>
          <Who of={tool} />
          <Schemas of={tool.pin} />
        </>
      )}
    </>
  );
}

function Said({ of: tool }: { of: ToolDetail }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <h2>{t("tool.description")}</h2>
      <div className="panel block">{tool.description ? <LongText text={tool.description} /> : <span className="quiet">{t("tool.noDescription")}</span>}</div>
      <dl className="facts">
        <Fact name={t("tool.state")}><PinState of={tool} /></Fact>
        <Fact name={t("audit.operation")}>
          {tool.operations.map((operation) => <Does key={operation} operation={operation} />)}{" "}
          {tool.declared ? <Source text={tool.source} /> : <span className="quiet">{t("tool.assumed")}</span>}
        </Fact>
        <Fact name={t("server.price")}><PerCall price={tool.price_per_call} /></Fact>
        {tool.resources.length > 0 && <Fact name={t("tool.resources")}>{tool.resources.map((r) => <code key={r.argument} className="break">{r.argument} ({r.kind}) </code>)}</Fact>}
        {tool.pin && <History of={tool.pin} />}
      </dl>
    </section>
  );
}

/** History is what became of its forms, oldest first. */
function History({ of: pin }: { of: Pin }) {
  const { t } = useI18n();
  const events = ([["tool.seen", pin.first_seen], ["tool.pinnedForm", pin.pinned?.seen], ["tool.newForm", pin.new?.seen], ["tool.reviewed", pin.reviewed]] as [Key, string | null | undefined][])
    .filter(([key, at], n, all) => at && (n === 0 || key === "tool.reviewed" || at !== all[0]![1])).sort(([, a], [, b]) => Date.parse(a!) - Date.parse(b!));
  return (
    <Fact name={t("alert.history")}>
      <ol className="lines">
        {events.map(([key, at]) => (
          <li key={key}>
            <time dateTime={at!} title={stamp(at)}>{clock(at, new Date())}</time> {t(key)}
            {key === "tool.reviewed" && <> <span className="quiet">{pin.reviewer}</span> <Visible text={pin.reason ?? ""} /></>}
          </li>
        ))}
      </ol>
    </Fact>
  );
}

function Figures({ of: { use } }: { of: ToolDetail }) {
  const { t } = useI18n();
  const figures = [
    [t("calls.title"), compact(use.calls), count(use.calls)], [t("overview.failures"), compact(use.failures), count(use.failures)],
    [t("tool.refused"), compact(use.refusals), count(use.refusals)], [t("calls.cost"), showMoney(use.cost), "$" + use.cost],
    [t("overview.latency"), duration(use.latency_p50_ms), ""], [t("overview.p95"), duration(use.latency_p95_ms), ""],
  ];
  return <dl className="strip">{figures.map(([name, value, exact]) => <div key={name}><dt>{name}</dt><dd className="value" title={exact}>{value}</dd></div>)}</dl>;
}

function Who({ of: tool }: { of: ToolDetail }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <div className="section-head"><h2>{t("tool.who")}</h2><p>{t("tool.whoHint")}</p></div>
      {tool.agents.length > 0 && (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("tool.who")}>
          <table>
            <thead><tr><th>{t("calls.agent")}</th><th>{t("tool.by")}</th><th>{t("policy.title")}</th></tr></thead>
            <tbody>
              {tool.agents.map(({ agent, rule }) => (
                <tr key={agent}>
                  <td><code>{agent}</code></td>
                  <td className="break"><Source text={rule || NONE} /></td>
                  <td className="nowrap"><Link to="/policy" search={{ tab: "explain", agent, tool: tool.id }}>{t("explain.ask")}<span className="visually-hidden"> {agent}</span></Link></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p className="quiet">{tool.agents.length === 0 && t("tool.nobody")} {tool.agents_without > 0 && t("tool.others", { count: count(tool.agents_without) })}</p>
    </section>
  );
}

/** Schemas are those of the form that may be used, else of the new one. */
function Schemas({ of: pin }: { of: Pin | null }) {
  const { t } = useI18n();
  const definition = readJson((pin?.pinned ?? pin?.new)?.definition ?? "");
  return (["inputSchema", "outputSchema"] as const).map((member) => {
    const schema = memberOf(definition, member);
    const title = t(member === "inputSchema" ? "tool.input" : "tool.output");
    return schema && <section key={member} className="section"><h2>{title}</h2><Arguments text={writeJson(schema)} of={title} /></section>;
  });
}
