import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { callQuery } from "../api/queries";
import type { Attempt, CallDetail as Data, GuardSide } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { count, duration, NONE, stamp } from "../lib/format";
import { showMoney } from "../lib/money";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Copy, Fact, Loading, PageHead, Risk, Simulated } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { Visible } from "../ui/Visible";
import { Report } from "./Incidents";
import { Track } from "./Track";

export function CallDetail() {
  const { t } = useI18n();
  const { id } = useParams({ from: "/shell/calls/$id" });
  const { data, error, isFetching, refetch } = useQuery(callQuery(id));
  const asOf = data?.as_of;
  return (
    <>
      <PageHead title={data ? (data.tool_name ?? data.model_name ?? t("call.title")) : t("call.title")}>
        {data && <Signal status={data.outcome} />}
        {data?.simulated && <Simulated />}
        <span className="spacer" />
        <AsOf asOf={asOf} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && <Body call={data} />}
    </>
  );
}

function Body({ call }: { call: Data }) {
  const { t } = useI18n();
  return (
    <>
      <div className="trace-tools">
        {call.trace_id && (
          <Link className="button" to="/traces/$id" params={{ id: call.trace_id }} search={call.span_id ? { span: call.span_id } : {}}>
            {t("call.openTrace")}
          </Link>
        )}
        {call.run_id && (
          <>
            <Link className="button" to="/runs/$id" params={{ id: call.run_id }} search={{ tenant: call.tenant }}>
              {t("call.openRun")}
            </Link>
            <Link className="button" to="/calls" search={{ run: call.run_id }}>
              {t("call.callOf")}
            </Link>
          </>
        )}
        <Report of={{ call_id: call.id }} />
        <code className="quiet break">{call.id}</code>
        <Copy text={call.id} />
      </div>
      {call.error && <Failure error={call.error} />}
      <section className="section">
        <div className="section-head">
          <h2>{t("call.track")}</h2>
          <p>{t("call.trackHint")}</p>
        </div>
        <Track call={call} />
      </section>
      <section className="section">
        <h2>{t("call.fields")}</h2>
        <TenFields call={call} />
      </section>
      <Attempts call={call} />
      <div className="two">
        <Rates call={call} />
        <Record call={call} />
      </div>
      <div className="two">
        <Summary title={t("call.input")} text={call.input_summary} />
        <Summary title={t("call.output")} text={call.output_summary} />
      </div>
      <section className="section">
        <h2>{t("call.more")}</h2>
        <Details call={call} />
      </section>
    </>
  );
}

function Failure({ error }: { error: NonNullable<Data["error"]> }) {
  const { t } = useI18n();
  return (
    <div className="notice bad">
      <h2 className="stop">{t("call.error")}</h2>
      <p>
        {error.message} <code className="quiet">{error.code}</code>
      </p>
      {error.remedy && (
        <p>
          <b>{t("error.remedy")}</b> {error.remedy}
        </p>
      )}
    </div>
  );
}

/** The ten fields every call carries, under the names they have in the log and the API. */
function TenFields({ call }: { call: Data }) {
  const { t } = useI18n();
  const text = (value: string | null, mono = false) => (value === null ? <span className="quiet">{NONE}</span> : <span className={mono ? "mono" : ""}>{value}</span>);
  const cost = call.cost_basis === "unpriced" ? t("cost.unpriced") : showMoney(call.cost_estimate);
  return (
    <dl className="facts ten panel">
      <Fact name={t("field.request_id")} code="request_id" copy={call.request_id}>{text(call.request_id, true)}</Fact>
      <Fact name={t("calls.run")} code="run_id" copy={call.run_id}>{text(call.run_id, true)}</Fact>
      <Fact name={t("calls.agent")} code="agent_id">{text(call.agent_id)}</Fact>
      <Fact name={t("calls.tool")} code="tool_name">{text(call.tool_name)}</Fact>
      <Fact name={t("calls.model")} code="model_name">{text(call.model_name)}</Fact>
      <Fact name={t("calls.latency")} code="latency_ms">{duration(call.latency_ms)}</Fact>
      <Fact name={t("costs.input")} code="input_tokens">{count(call.input_tokens)}</Fact>
      <Fact name={t("costs.output")} code="output_tokens">{count(call.output_tokens)}</Fact>
      <Fact name={t("calls.cost")} code="cost_estimate">
        <span title={call.cost_estimate === null ? "" : "$" + call.cost_estimate}>{cost}</span>
      </Fact>
      <Fact name={t("calls.risk")} code="risk_level"><Risk level={call.risk_level} /></Fact>
    </dl>
  );
}

const BASES: Record<string, Key> = {
  reported: "cost.basis.reported",
  estimated: "cost.basis.estimated",
  held: "cost.basis.held",
  unpriced: "cost.basis.unpriced",
  none: "cost.basis.none",
};

/** What a basis means, where that is not plain. */
const BASIS_HINTS: Record<string, Key> = { estimated: "cost.hint.estimated", held: "cost.hint.held", unpriced: "cost.hint.unpriced" };

const RATES: Record<string, Key> = {
  source: "rate.source",
  effective: "rate.effective",
  input: "rate.input",
  output: "rate.output",
  cache_read: "rate.cache_read",
  cache_write: "rate.cache_write",
  per_call: "rate.per_call",
};

/** guarded says what the guard did in one direction: the action, and how often each detector found something where. */
function guarded(side: GuardSide, nothing: string): string {
  const found = (side.found ?? []).map((f) => `${f.count} × ${f.detector} (${f.where})`);
  return `${side.action}: ${found.join(", ") || nothing}`;
}

function Details({ call }: { call: Data }) {
  const { t } = useI18n();
  const or = (value: string | number | null | undefined) => (value === null || value === undefined || value === "" ? NONE : String(value));
  const served = [call.provider, call.upstream_model].filter(Boolean).join(" / ");
  return (
    <dl className="facts">
      <Fact name={t("call.started")}><span title={call.time}>{stamp(call.time)}</span></Fact>
      <Fact name={t("call.protocol")}>{or(call.protocol)}, {t(call.stream ? "call.streamed" : "call.unary")}</Fact>
      <Fact name={t("calls.tenant")}>{call.tenant}</Fact>
      <Fact name={t("calls.team")}>{or(call.team)}</Fact>
      <Fact name={t("call.key")}>{or(call.key_id)}</Fact>
      <Fact name={t("call.user")}>{or(call.user)}</Fact>
      <Fact name={t("call.role")}>{or(call.agent_role)}</Fact>
      <Fact name={t("call.parent")}>{or(call.parent_agent_id)}</Fact>
      <Fact name={t("call.step")}>{or(call.step_index)}</Fact>
      <Fact name={t("call.upstream")}>{or(served)}</Fact>
      <Fact name={t("call.firstByte")}>{duration(call.first_byte_ms)}</Fact>
      <Fact name={t("call.cache")}>{count(call.cache_read_tokens)} / {count(call.cache_write_tokens)}</Fact>
      <Fact name={t("call.basis")}>{BASES[call.cost_basis ?? ""] ? t(BASES[call.cost_basis ?? ""]!) : or(call.cost_basis)}</Fact>
      <Fact name={t("call.route")}>{or(call.route)}</Fact>
      <Fact name={t("call.policy")}>{or(call.policy_version)}</Fact>
      {call.policy_rule && <Fact name={t("call.rule")}><Visible text={call.policy_rule} /></Fact>}
      {call.approval_id && <Fact name={t("call.approval")}><Link className="mono break" to="/approvals/$id" params={{ id: call.approval_id }}>{call.approval_id}</Link></Fact>}
      {call.approved_by && <Fact name={t("call.approvedBy")}>{call.approved_by}</Fact>}
      {call.break_glass && <Fact name={t("call.grant")}><Link className="mono break" to="/break-glass">{call.break_glass}</Link></Fact>}
      {call.guard?.input && <Fact name={t("call.guardInput")}>{guarded(call.guard.input, t("call.guardNothing"))}</Fact>}
      {call.guard?.output && <Fact name={t("call.guardOutput")}>{guarded(call.guard.output, t("call.guardNothing"))}</Fact>}
      <Fact name={t("calls.trace")} copy={call.trace_id}><span className="mono">{or(call.trace_id)}</span></Fact>
      <Fact name={t("call.span")} copy={call.span_id}><span className="mono">{or(call.span_id)}</span></Fact>
    </dl>
  );
}

function Attempts({ call }: { call: Data }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <h2>{t("call.attempts")}</h2>
      {call.attempts_detail.length === 0 ? (
        <p className="quiet">{t("call.noAttempts")}</p>
      ) : (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("call.attempts")}>
          <table className="attempts-table">
            <thead>
              <tr>
                <th className="num">{t("call.number")}</th>
                <th>{t("call.status")}</th>
                <th>{t("call.upstream")}</th>
                <th>{t("call.started")}</th>
                <th className="num">{t("calls.latency")}</th>
                <th className="num">{t("calls.tokens")}</th>
                <th className="num">{t("attempt.maxOutput")}</th>
                <th className="num">{t("attempt.held")}</th>
                <th className="num">{t("calls.cost")}</th>
                <th>{t("call.basis")}</th>
              </tr>
            </thead>
            <tbody>{call.attempts_detail.map((attempt) => <AttemptRow key={attempt.n} attempt={attempt} />)}</tbody>
          </table>
        </div>
      )}
      {call.attempts_detail.length > 0 && <p className="quiet">{t("attempt.heldHint")}</p>}
      {bases(call).map((hint) => <p key={hint} className="quiet">{t(hint)}</p>)}
    </section>
  );
}

/** bases are the hints that apply to this call's attempts, each once. */
function bases(call: Data): Key[] {
  return [...new Set(call.attempts_detail.map((attempt) => attempt.cost_basis))].flatMap((basis) => BASIS_HINTS[basis] ?? []);
}

function AttemptRow({ attempt }: { attempt: Attempt }) {
  const { t } = useI18n();
  const basis = BASES[attempt.cost_basis];
  return (
    <tr>
      <td className="num">{attempt.n}</td>
      <td>
        <Signal status={attempt.status} />{" "}
        <code className="quiet">{[attempt.error_code, attempt.http_status].filter((part) => part !== null && part !== undefined).join(" ")}</code>
        {attempt.error_message && <div className="quiet break">{attempt.error_message}</div>}
      </td>
      <td>
        {attempt.model_name ?? NONE}{" "}
        <span className="quiet">{[attempt.provider, attempt.upstream_model].filter(Boolean).join(" / ")}</span>
      </td>
      <td className="ellipsis" title={attempt.started ?? ""}>{stamp(attempt.started)}</td>
      <td className="num">{duration(attempt.latency_ms)}</td>
      <td className="num">{count(attempt.input_tokens)} / {count(attempt.output_tokens)}</td>
      <td className="num">{count(attempt.max_output)}</td>
      <td className="num" title={attempt.held === null ? "" : "$" + attempt.held}>{showMoney(attempt.held)}</td>
      <td className="num" title={attempt.cost_estimate === null ? "" : "$" + attempt.cost_estimate}>
        {attempt.overrun && <span className="tag risk-high" title={t("attempt.overrunHint")}>{t("attempt.overrun")}</span>} {showMoney(attempt.cost_estimate)}
      </td>
      <td className="basis">{basis ? t(basis) : attempt.cost_basis}</td>
    </tr>
  );
}

function Rates({ call }: { call: Data }) {
  const { t } = useI18n();
  const entries = Object.entries(call.rates ?? {}).filter(([, value]) => value !== null && value !== "");
  return (
    <section className="section">
      <div className="section-head">
        <h2>{t("call.rates")}</h2>
        {entries.length > 0 && <p>{t("call.ratesHint")}</p>}
      </div>
      {entries.length === 0 ? (
        <p className="quiet">{t("call.noRates")}</p>
      ) : (
        <dl className="facts">
          {entries.map(([name, value]) => (
            <Fact key={name} name={RATES[name] ? t(RATES[name]) : name}>{String(value)}</Fact>
          ))}
        </dl>
      )}
    </section>
  );
}

function Record({ call }: { call: Data }) {
  const { t } = useI18n();
  const index = (value: number | null) => (value === null ? <span className="quiet">{t("call.notWritten")}</span> : <code>#{value}</code>);
  return (
    <section className="section">
      <h2>{t("call.record")}</h2>
      <dl className="facts">
        <Fact name={t("call.intent")}>{index(call.record.intent_index)}</Fact>
        <Fact name={t("call.outcomeRecord")}>{index(call.record.outcome_index)}</Fact>
      </dl>
    </section>
  );
}

function Summary({ title, text }: { title: string; text: string | null }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <div className="section-head">
        <h2>{title}</h2>
        {text && <p>{t("call.masked")}</p>}
      </div>
      {text ? <pre className="panel block">{text}</pre> : <p className="quiet">{t("call.noSummary")}</p>}
    </section>
  );
}
