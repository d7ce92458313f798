/** The policy in force: who may do what and by which line, why one call would be let through, and what changed when. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { policyQuery } from "../api/people";
import type { Policy as Data, PolicyAgent, RiskLevel } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, NONE, stamp } from "../lib/format";
import { unused } from "../lib/policy";
import type { PolicySearch } from "../router";
import { ErrorBox } from "../ui/ErrorBox";
import { Loading, PageHead, Risk, Segments } from "../ui/parts";
import { Explorer } from "./Explorer";
import { Matrix, Source } from "./Matrix";
import { PolicyVersions } from "./PolicyVersions";

const TABS = ["matrix", "explain", "versions"] as const;
type Tab = (typeof TABS)[number];

export function Policy() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/policy" });
  const navigate = useNavigate({ from: "/policy" });
  const tab: Tab = TABS.find((one) => one === search.tab) ?? "matrix";
  const change = (next: PolicySearch) => void navigate({ search: next, replace: true });
  return (
    <>
      <PageHead title={t("policy.title")}>
        <Segments
          legend={t("policy.view")} name="tab" value={tab} options={TABS.map((value) => ({ value, text: t(`policy.tab.${value}`) }))}
          onChange={(value) => void navigate({ search: value === "matrix" ? {} : { tab: value } })}
        />
      </PageHead>
      {tab === "matrix" && <InForce search={search} change={change} />}
      {tab === "explain" && <Explorer search={search} change={change} />}
      {tab === "versions" && <PolicyVersions search={search} change={change} />}
    </>
  );
}

interface Props {
  search: PolicySearch;
  change: (next: PolicySearch) => void;
}

function InForce({ search, change }: Props) {
  const { t } = useI18n();
  const { data, error, refetch } = useQuery(policyQuery);
  if (error) return <ErrorBox error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <>
      <p className="quiet">
        {t("policy.version")} <code>{data.version}</code>
        , {t("policy.since")} <time dateTime={data.since} title={stamp(data.since)}>{clock(data.since, new Date())}</time>
        {data.forbids > 0 && <>, {t("policy.forbids", { count: count(data.forbids) })}</>}
      </p>
      <Warnings policy={data} />
      <Matrix policy={data} search={search} change={change} />
      <Agents policy={data} />
      <div className="two">
        <Tiers policy={data} />
        <Rules policy={data} />
      </div>
    </>
  );
}

function Warnings({ policy }: { policy: Data }) {
  const { t } = useI18n();
  const warnings = policy.warnings;
  if (warnings.length === 0) return null;
  return (
    <div className="notice caution wide" role="note">
      <h2 className="warn">{t("policy.warnings", { count: count(warnings.length) })}</h2>
      <ul className="lines">{warnings.map((w, i) => <li key={i}>{w.text} <Source text={w.source} /></li>)}</ul>
    </div>
  );
}

function Agents({ policy }: { policy: Data }) {
  const { t } = useI18n();
  const agents = policy.agents;
  return (
    <section className="section">
      <div className="section-head"><h2>{t("policy.agents")}</h2><p>{t("policy.agentsHint")}</p></div>
      <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("policy.agents")}>
        <table className="agents-table">
          <thead>
            <tr>
              <th>{t("calls.agent")}</th><th>{t("session.role")}</th><th>{t("policy.models")}</th><th>{t("policy.approval")}</th>
              <th className="num">{t("policy.tokens")}</th><th>{t("policy.rates")}</th><th>{t("policy.data")}</th><th>{t("policy.network")}</th><th>{t("policy.noTool")}</th>
            </tr>
          </thead>
          <tbody>{agents.map((agent) => <AgentRow key={agent.id} policy={policy} agent={agent} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function AgentRow({ policy, agent }: { policy: Data; agent: PolicyAgent }) {
  const { t } = useI18n();
  const rates = agent.tools.filter((line) => line.max_per_minute !== null && line.max_per_minute > 0);
  const idle = unused(policy, agent);
  return (
    <tr>
      <td><code>{agent.id}</code> {!agent.declared && <span className="tag">{t("policy.undeclared")}</span>}</td>
      <td>{agent.role || NONE}</td>
      <td className="break">{agent.models === null ? t("policy.allModels") : agent.models.length === 0 ? t("policy.noModels") : agent.models.join(", ")}</td>
      <td>{agent.requires_approval ? <span className="tag risk-medium">{t("policy.always")}</span> : t("policy.byRisk")}</td>
      <td className="num">{agent.max_tokens ? count(agent.max_tokens) : NONE}</td>
      <td>{rates.length === 0 ? NONE : rates.map((line, i) => <div key={i} className="nowrap"><code>{line.name}</code> {t("policy.perMinute", { count: count(line.max_per_minute) })}</div>)}</td>
      <td className="break"><Given of={agent.data} /></td>
      <td className="break"><Given of={agent.network} /></td>
      <td>{idle.length === 0 ? NONE : idle.map((line, i) => <div key={i} className="nowrap"><code>{line.name}</code> <Source text={line.source} /></div>)}</td>
    </tr>
  );
}

/** Given lists what was written of a permission that has no form of its own here. */
function Given({ of }: { of: object | null }) {
  const rows = Object.entries(of ?? {}).filter(([name, value]) => name !== "source" && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0));
  if (rows.length === 0) return <>{NONE}</>;
  return <>{rows.map(([name, value]) => <div key={name} className="break"><code>{name}</code> {Array.isArray(value) ? value.join(", ") : String(value)}</div>)}</>;
}

const LEVELS: readonly RiskLevel[] = ["low", "medium", "high"];

function Tiers({ policy }: { policy: Data }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <div className="section-head"><h2>{t("policy.tiers")}</h2><p>{t("policy.tiersHint")}</p></div>
      <table>
        <thead><tr><th>{t("calls.risk")}</th><th className="num">{t("policy.approvers")}</th><th>{t("session.role")}</th></tr></thead>
        <tbody>
          {LEVELS.map((level) => (
            <tr key={level}><td><Risk level={level} /></td><td className="num">{policy.tiers[level]?.approvers ?? 0}</td><td>{policy.tiers[level]?.role || NONE}</td></tr>
          ))}
        </tbody>
      </table>
      {policy.approval_rules.length > 0 && (
        <>
          <h2>{t("policy.overrides")}</h2>
          <ul className="lines">
            {policy.approval_rules.map((rule, i) => (
              <li key={i}>{t("policy.override", { agent: rule.agent, tool: rule.tool, count: rule.approvers, role: rule.role ?? NONE })} <Source text={rule.source} /></li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Rules({ policy }: { policy: Data }) {
  const { t } = useI18n();
  const rules = policy.risk_rules;
  return (
    <section className="section">
      <div className="section-head"><h2>{t("policy.riskRules")}</h2><p>{t("policy.riskRulesHint")}</p></div>
      {rules.length === 0 ? <p className="quiet">{t("policy.noRiskRules")}</p> : (
        <ul className="lines">{rules.map((rule, i) => <li key={i}><Risk level={rule.level} /> <code className="break">{rule.when}</code> <Source text={rule.source} /></li>)}</ul>
      )}
    </section>
  );
}
