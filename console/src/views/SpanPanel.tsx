import { Link } from "@tanstack/react-router";
import type { Span } from "../api/types";
import { useI18n } from "../i18n";
import { count, duration, NONE } from "../lib/format";
import { showMoney } from "../lib/money";
import { Simulated } from "../ui/parts";
import { Signal } from "../ui/Signal";

export function SpanPanel({ span, close }: { span: Span; close: () => void }) {
  const { t } = useI18n();
  const facts: [string, string | null][] = [
    [t("calls.kind"), t(`kind.${span.kind}`)],
    [t("trace.at"), duration(span.start_ms)],
    [t("trace.duration"), duration(span.duration_ms)],
    [t("trace.self"), duration(span.self_ms)],
    [t("calls.agent"), span.agent_id],
    [t("calls.model"), span.model_name],
    [t("calls.tool"), span.tool_name],
    [t("costs.input"), count(span.input_tokens)],
    [t("costs.output"), count(span.output_tokens)],
  ];
  return (
    <aside className="span-panel" aria-label={t("trace.detail")}>
      <header>
        <h2>{span.name}</h2>
        <button className="button plain" type="button" onClick={close}>
          {t("keys.close")}
        </button>
      </header>
      <div className="trace-tools">
        <Signal status={span.status} />
        {span.simulated && <Simulated />}
        {span.inferred && <span className="tag sim">{t("trace.inferred")}</span>}
      </div>
      {span.inferred && <p className="quiet">{t("trace.inferredHint")}</p>}
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value ?? NONE}</dd>
          </div>
        ))}
        <div>
          <dt>{t("calls.cost")}</dt>
          <dd title={span.cost_estimate === null ? "" : "$" + span.cost_estimate}>{showMoney(span.cost_estimate)}</dd>
        </div>
        <div>
          <dt>{t("call.span")}</dt>
          <dd className="mono">{span.id}</dd>
        </div>
      </dl>
      {span.call_id && (
        <Link className="button" to="/calls/$id" params={{ id: span.call_id }}>
          {t("trace.openCall")}
        </Link>
      )}
    </aside>
  );
}
