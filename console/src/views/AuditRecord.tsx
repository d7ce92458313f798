/** One record: who, what, when and in which context, the trace of its call beside it, and its proof below. */
import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { recordQuery } from "../api/queries";
import type { AuditDetail, BudgetStand } from "../api/types";
import { useI18n } from "../i18n";
import { showAmount } from "../lib/budgets";
import { count, duration, NONE, stamp } from "../lib/format";
import { showMoney } from "../lib/money";
import { ErrorBox } from "../ui/ErrorBox";
import { Copy, Fact, Loading, PageHead, Risk, Simulated } from "../ui/parts";
import { ContentTag } from "../ui/Record";
import { Signal } from "../ui/Signal";
import { Proof } from "./Proof";
import { RecordTrace } from "./RecordTrace";
import { StationTrack } from "./Track";

export function AuditRecordView({ index }: { index: string }) {
  const { t } = useI18n();
  const { record: _, ...list } = useSearch({ from: "/shell/audit" });
  const { data, error, refetch } = useQuery(recordQuery(index));
  return (
    <>
      <PageHead title={t("audit.record", { index })}>
        {data && <code className="quiet">{data.what.action}</code>}
        {data?.outcome && <Signal status={data.outcome} />}
        {data && <ContentTag state={data.content} />}
        {data?.context.simulated && <Simulated />}
        <span className="spacer" />
        <Link className="button" to="/audit" search={list}>{t("audit.back")}</Link>
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && <Body r={data} />}
    </>
  );
}

function Body({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  return (
    <>
      <Ways r={r} />
      <p>{t(`audit.type.hint.${r.type}`)}</p>
      <Content r={r} />
      {r.error && (
        <div className="notice bad">
          <h2 className="stop">{t("call.error")}</h2>
          <p>{r.error.message} <code className="quiet">{r.error.code}</code></p>
          {r.error.remedy && <p><b>{t("error.remedy")}</b> {r.error.remedy}</p>}
        </div>
      )}
      {r.stations && (
        <section className="section">
          <div className="section-head">
            <h2>{t("audit.stations")}</h2>
            <p>{t("call.trackHint")}</p>
          </div>
          <StationTrack stations={r.stations} />
        </section>
      )}
      <div className="two">
        <div className="section record-facts">
          <Who r={r} />
          <What r={r} />
          <When r={r} />
          <Context r={r} />
        </div>
        <div className="section">
          <Trace r={r} />
          {r.budget && <Budget stand={r.budget} />}
          <Summary title={t("audit.input")} text={r.what.input_summary} />
          <Summary title={t("audit.output")} text={r.what.output_summary} />
        </div>
      </div>
      <Proof record={r} />
    </>
  );
}

function Ways({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  const { run_id: run } = r.context;
  if (!r.call_id && !run) return null;
  return (
    <div className="trace-tools">
      {r.call_id && (
        <>
          <Link className="button" to="/calls/$id" params={{ id: r.call_id }}>{t("trace.openCall")}</Link>
          <Link className="button" to="/audit" search={{ call: r.call_id }}>{t("audit.sameCall")}</Link>
        </>
      )}
      {run && (
        <>
          <Link className="button" to="/runs/$id" params={{ id: run }} search={{ tenant: r.who.tenant_id }}>{t("call.openRun")}</Link>
          <Link className="button" to="/audit" search={{ run }}>{t("audit.sameRun")}</Link>
        </>
      )}
      {r.call_id && (
        <>
          <code className="quiet break">{r.call_id}</code>
          <Copy text={r.call_id} />
        </>
      )}
    </div>
  );
}

/** Content says plainly what of the record can be read, and why the rest can not. */
function Content({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  const key = r.sealed_by ?? t("audit.content.noKey");
  if (r.content === "") return <p className="quiet">{t(r.sealed_by ? "audit.content.opened" : "audit.content.open", { key })}</p>;
  return (
    <div className={"notice " + (r.content === "sealed" ? "caution" : "gone")} role="note">
      <p>{t(`audit.content.${r.content}`, { key })}</p>
    </div>
  );
}

interface Row {
  name: string;
  value: string | number | null | undefined;
  mono?: boolean;
  copy?: boolean;
}

/** Rows leaves out what the record does not have: most records have few of the fields. */
function Rows({ title, rows, children }: { title: string; rows: Row[]; children?: React.ReactNode }) {
  const full = rows.filter((row) => row.value !== undefined && row.value !== null && row.value !== "");
  return (
    <section className="section">
      <h2>{title}</h2>
      <dl className="facts">
        {full.map(({ name, value, mono, copy }) => (
          <Fact key={name} name={name} copy={copy ? String(value) : null}><span className={mono ? "mono" : ""}>{value}</span></Fact>
        ))}
        {children}
      </dl>
      {full.length === 0 && !children && <p className="quiet">{NONE}</p>}
    </section>
  );
}

function Who({ r: { who } }: { r: AuditDetail }) {
  const { t } = useI18n();
  return (
    <Rows title={t("audit.whoTitle")} rows={[
      { name: t("calls.tenant"), value: who.tenant_id },
      { name: t("calls.team"), value: who.team },
      { name: t("calls.agent"), value: who.agent_id },
      { name: t("call.role"), value: who.agent_role },
      { name: t("call.parent"), value: who.parent_agent_id },
      { name: t("call.user"), value: who.user_id },
      { name: t("audit.subject"), value: who.subject_id },
      { name: t("call.key"), value: who.key_id, mono: true },
      { name: t("session.role"), value: who.role },
      { name: t("audit.source"), value: who.source },
    ]} />
  );
}

function What({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  const { what } = r;
  const tokens = what.tokens_used;
  return (
    <Rows title={t("audit.whatTitle")} rows={[
      { name: t("audit.action"), value: what.action, mono: true },
      { name: t("calls.tool"), value: what.tool_name },
      { name: t("audit.operation"), value: what.operation },
      { name: t("audit.resource"), value: what.resource_id },
      { name: t("calls.tokens"), value: tokens && `${count(tokens.input)} / ${count(tokens.output)}` },
      { name: t("calls.cost"), value: what.cost_usd && showMoney(what.cost_usd) },
      ...Object.entries(what.detail ?? {}).map(([name, value]) => ({ name, value, mono: true })),
    ]} />
  );
}

function When({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  const { when } = r;
  return (
    <Rows title={t("audit.whenTitle")} rows={[
      { name: t("audit.time"), value: stamp(r.time) },
      { name: t("audit.began"), value: when.timestamp.startsWith("0001-") ? null : stamp(when.timestamp) },
      { name: t("audit.took"), value: when.duration_ms === undefined ? null : duration(when.duration_ms) },
      { name: t("call.firstByte"), value: when.first_byte_ms === undefined ? null : duration(when.first_byte_ms) },
      { name: t("calls.trace"), value: when.trace_id, mono: true, copy: true },
      { name: t("call.span"), value: when.span_id, mono: true, copy: true },
    ]} />
  );
}

function Context({ r: { context: c } }: { r: AuditDetail }) {
  const { t } = useI18n();
  return (
    <Rows title={t("audit.contextTitle")} rows={[
      { name: t("field.request_id"), value: c.request_id, mono: true, copy: true },
      { name: t("calls.run"), value: c.run_id, mono: true, copy: true },
      { name: t("call.step"), value: [c.step_index, c.step_kind].filter((part) => part !== undefined && part !== null && part !== "").join(", ") },
      { name: t("audit.purpose"), value: c.purpose },
      { name: t("calls.model"), value: c.model_name },
      { name: t("audit.model"), value: c.requested_model === c.model_name ? null : c.requested_model },
      { name: t("calls.provider"), value: c.provider },
      { name: t("call.route"), value: c.route },
      { name: t("call.protocol"), value: c.protocol && `${c.protocol}, ${t(c.stream ? "call.streamed" : "call.unary")}` },
      { name: t("call.policy"), value: c.policy_version },
      { name: t("audit.approval"), value: c.approval_status },
      { name: t("call.approvedBy"), value: c.approved_by },
      { name: t("audit.replica"), value: c.replica },
    ]}>
      {c.risk_level && <Fact name={t("calls.risk")}><Risk level={c.risk_level} /></Fact>}
    </Rows>
  );
}

function Trace({ r }: { r: AuditDetail }) {
  const { t } = useI18n();
  const { trace_id: trace, span_id: span } = r.when;
  return (
    <section className="section">
      <div className="section-head">
        <h2>{t("audit.trace")}</h2>
        <span className="spacer" />
        {trace && <Link to="/traces/$id" params={{ id: trace }} search={span ? { span } : {}}>{t("call.openTrace")}</Link>}
      </div>
      {trace ? <RecordTrace trace={trace} span={span ?? null} /> : <p className="quiet">{t("audit.noTrace")}</p>}
    </section>
  );
}

function Budget({ stand }: { stand: BudgetStand }) {
  const { t } = useI18n();
  // The account's name ends with unit, window and its beginning: "tenant acme - - usd day 2026-11-22T15:00:00Z".
  const unit = stand.account.split(" ").at(-3) ?? "";
  const show = (value: string) => showAmount(unit, String(value));
  return (
    <section className="section">
      <h2>{t("audit.budget")}</h2>
      <dl className="facts">
        <Fact name={t("audit.budget.account")}><span className="mono">{stand.account}</span></Fact>
        <Fact name={t("audit.budget.max")}>{show(stand.max)}</Fact>
        <Fact name={t("audit.budget.before")}>{show(stand.before)}</Fact>
        <Fact name={t("audit.budget.after")}><span className={String(stand.after).startsWith("-") ? "stop" : ""}>{show(stand.after)}</span></Fact>
      </dl>
    </section>
  );
}

function Summary({ title, text }: { title: string; text: string | undefined }) {
  if (!text) return null;
  return (
    <section className="section">
      <h2>{title}</h2>
      <pre className="panel block">{text}</pre>
    </section>
  );
}
