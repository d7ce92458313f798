/** One run: what it was given, what it used and holds, and the brake or the end of it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { send } from "../api/client";
import { runPath, runQuery, sessionQuery } from "../api/queries";
import type { Account, AgentPlan, Run as Row, RunDetail, RunPlan } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { budgetTree, showAmount } from "../lib/budgets";
import { clock, compact, count, duration, NONE, stamp } from "../lib/format";
import { showMoney } from "../lib/money";
import { Amount, Bar, Marks, Reopen, renew, Swatches, useBudgetWords } from "../ui/Budget";
import { Confirm, useMayOperate } from "../ui/Confirm";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Copy, Loading, PageHead } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { BrakeItem } from "./Alerts";
import { Report } from "./Incidents";

const STATES: Record<NonNullable<Row["state"]>, { status: string; word: Key }> = {
  running: { status: "running", word: "run.running" },
  halted: { status: "failed", word: "run.halted" },
  ended: { status: "ok", word: "run.ended" },
  expired: { status: "ok", word: "run.expired" },
};

/** RunState says nothing more than calls do about a run that was never opened. */
export function RunState({ run }: { run: Pick<Row, "state" | "running"> }) {
  const { t } = useI18n();
  if (run.state !== null) {
    const { status, word } = STATES[run.state];
    return <Signal status={status} word={t(word)} />;
  }
  return run.running > 0 ? <Signal status="running" /> : <span className="quiet">{t("run.named")}</span>;
}

export function Run() {
  const { t } = useI18n();
  const { id } = useParams({ from: "/shell/runs/$id" });
  const { tenant } = useSearch({ from: "/shell/runs/$id" });
  const { data, error, isFetching, refetch } = useQuery(runQuery(id, tenant));
  return (
    <>
      <PageHead title={t("calls.run")}>
        <code className="quiet break">{id}</code>
        <Copy text={id} />
        {data && <RunState run={data} />}
        <span className="spacer" />
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && <Body run={data} />}
    </>
  );
}

function Body({ run }: { run: RunDetail }) {
  const { t } = useI18n();
  const rest = run.plan === null ? run.accounts : run.accounts.filter((a) => !inPlan(run.plan!, a));
  return (
    <>
      <div className="trace-tools">
        <Link className="button" to="/calls" search={{ run: run.id, tenant: run.tenant }}>{t("run.calls")}</Link>
        <Link className="button" to="/alerts" search={{ run: run.id, tenant: run.tenant }}>{t("run.alerts")}</Link>
        <Link className="button" to="/approvals" search={{ run: run.id }}>{t("run.approvals")}</Link>
        <span className="spacer" />
        <Report of={{ run_id: run.id, tenant: run.tenant }} />
        <End run={run} />
      </div>
      {run.brake && run.brake.holds && <ul className="brakes"><BrakeItem brake={run.brake} /></ul>}
      <Figures run={run} />
      {run.plan && <Plan run={run} plan={run.plan} />}
      {rest.length > 0 && (
        <section className="section">
          <div className="section-head">
            <h2>{t(run.plan ? "run.otherAccounts" : "run.accounts")}</h2>
            <p>{t("run.accountsHint")}</p>
          </div>
          <Accounts accounts={rest} />
        </section>
      )}
      {!run.plan && <p className="quiet">{t("run.notOpened")}</p>}
    </>
  );
}

/** End is for whoever opened the run, and for operators. */
function End({ run }: { run: RunDetail }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const operates = useMayOperate();
  const own = useQuery(sessionQuery).data?.key_id === run.key_id;
  const [asking, setAsking] = useState(false);
  if ((run.state !== "running" && run.state !== "halted") || !(operates || own)) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) renew(queries);
  };
  return (
    <>
      <button className="button" type="button" onClick={() => setAsking(true)}>{t("run.end")}</button>
      {asking && (
        <Confirm title={t("run.endTitle")} act={t("run.end")} run={() => send("POST", runPath(run.id, run.tenant, "/end"))} close={close}>
          <p className="mono break">{run.id}</p>
          <p>{t("run.endMeans")}</p>
        </Confirm>
      )}
    </>
  );
}

function Figures({ run }: { run: RunDetail }) {
  const { t, lang } = useI18n();
  const now = new Date();
  const facts: [string, React.ReactNode][] = [
    [t("call.started"), <span key="s" title={run.started}>{stamp(run.started)}</span>],
    run.ended === null ? [t("run.last"), <span key="l" title={run.last}>{clock(run.last, now)}</span>] : [t("run.endedAt"), <span key="e" title={run.ended}>{stamp(run.ended)}</span>],
    [t("calls.tenant"), run.tenant],
    [t("calls.team"), run.team ?? NONE],
    [t("calls.agent"), run.agent_id ?? NONE],
    [t("calls.title"), run.running > 0 ? `${count(run.calls)} (${t("overview.running", { count: count(run.running) })})` : count(run.calls)],
    [t("overview.failures"), <span key="f" className={run.failures > 0 ? "stop" : ""}>{count(run.failures)}</span>],
    [t("calls.tokens"), <span key="t" title={`${count(run.input_tokens)} / ${count(run.output_tokens)}`}>{compact(run.input_tokens)} / {compact(run.output_tokens)}</span>],
    [t("calls.cost"), <span key="c" title={"$" + run.cost}>{showMoney(run.cost)} {run.unpriced > 0 && <span className="warn">{t("overview.unpriced", { count: count(run.unpriced) })}</span>}</span>],
  ];
  if (run.key_id !== null) facts.push([t("run.openedBy"), run.key_id]);
  if (run.state !== null) facts.push([t("run.idle"), run.idle_timeout_seconds === null ? t("run.never") : duration(run.idle_timeout_seconds * 1_000, lang)]);
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}

/** inPlan tells which accounts the plan's own table shows already. */
function inPlan(plan: RunPlan, a: Account): boolean {
  if (a.kind.startsWith("planned") || a.kind === "reserve") return true;
  if (a.kind === "run_agent") return plan.agents.some((agent) => agent.agent_id === a.agent_id);
  return a.kind === "run" && (a.unit === "usd" || (a.unit === "steps" && plan.max_steps !== null));
}

const PRIORITIES: Record<string, Key> = { critical: "run.critical", normal: "run.normal", optional: "run.optional" };

function Plan({ run, plan }: { run: RunDetail; plan: RunPlan }) {
  const { t } = useI18n();
  const find = (kind: Account["kind"], unit: string) => run.accounts.find((a) => a.kind === kind && a.unit === unit);
  const totals: { name: string; hint: string; cap: string | null; account: Account | undefined; unit: string }[] = [
    { name: t("run.total"), hint: "", cap: plan.total_max_cost_usd, account: find("run", "usd"), unit: "usd" },
    { name: t("owner.planned"), hint: t("run.plannedHint"), cap: plan.planned_usd, account: find("planned", "usd"), unit: "usd" },
    { name: `${t("owner.reserve")}, ${plan.reserve_percent}%`, hint: t("run.reserveHint"), cap: plan.reserve_usd, account: find("reserve", "usd"), unit: "usd" },
  ];
  if (plan.max_steps !== null) totals.push({ name: t("unit.steps"), hint: "", cap: String(plan.max_steps), account: find("run", "steps"), unit: "steps" });
  return (
    <section className="section">
      <div className="section-head">
        <h2>{t("run.plan")}</h2>
        <p>{t("run.planHint")}</p>
        <span className="spacer" />
        <Swatches />
      </div>
      <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("run.plan")}>
        <table className="plan-table">
          <thead>
            <tr>
              <th>{t("budget.owner")}</th>
              <th>{t("run.priority")}</th>
              <th>{t("calls.model")}</th>
              <th>{t("budget.counts")}</th>
              <th>{t("budget.use")}</th>
              <th className="num">{t("budget.settled")}</th>
              <th className="num">{t("budget.held")}</th>
              <th className="num">{t("budget.cap")}</th>
              <th className="num">{t("budget.left")}</th>
              <th>{t("budget.state")}</th>
            </tr>
          </thead>
          <tbody>
            {totals.map((row) => (
              <tr key={row.name}>
                <td colSpan={3}><b>{row.name}</b> {row.hint && <span className="quiet plan-hint">{row.hint}</span>}</td>
                <Cells unit={row.unit} cap={row.cap} account={row.account} label={row.name} />
              </tr>
            ))}
            {plan.agents.map((agent) => <AgentRows key={agent.agent_id} agent={agent} accounts={run.accounts} />)}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** AgentRows are one line for each cap of an agent; an agent without any shares what the plan leaves. */
function AgentRows({ agent, accounts }: { agent: AgentPlan; accounts: Account[] }) {
  const { t } = useI18n();
  const own = (unit: string) => accounts.find((a) => a.kind === "run_agent" && a.agent_id === agent.agent_id && a.unit === unit);
  const text = (value: number | null) => (value === null ? null : String(value));
  const caps = [
    { unit: "usd", cap: agent.max_cost_usd },
    { unit: "input_tokens", cap: text(agent.max_input_tokens) },
    { unit: "output_tokens", cap: text(agent.max_output_tokens) },
    { unit: "steps", cap: text(agent.max_steps) },
  ].filter(({ cap }) => cap !== null);
  const lines = caps.length > 0 ? caps : [{ unit: "usd", cap: null }];
  return lines.map(({ unit, cap }, i) => (
    <tr key={unit} className={i === 0 ? "first" : "more"}>
      {i === 0 && (
        <>
          <th scope="rowgroup" rowSpan={lines.length}>{agent.agent_id}</th>
          <td rowSpan={lines.length}>{PRIORITIES[agent.priority] ? t(PRIORITIES[agent.priority]!) : agent.priority}</td>
          <td rowSpan={lines.length}>{agent.model ?? <span className="quiet" title={t("run.routed")}>{NONE}</span>}</td>
        </>
      )}
      <Cells unit={unit} cap={cap} account={own(unit)} label={agent.agent_id} />
    </tr>
  ));
}

interface CellsProps {
  unit: string;
  cap: string | null;
  account: Account | undefined;
  label: string;
}

/** Cells show an account; before its first call there may be none, and the plan's cap is all there is to say. */
function Cells({ unit, cap, account, label }: CellsProps) {
  const words = useBudgetWords();
  const of = account ?? { unit, cap, settled: "0", held: "0", left: cap };
  return (
    <>
      <td className="nowrap">{words.unit(unit)}</td>
      <td className="bar-cell"><Bar of={of} label={`${label}, ${words.unit(unit)}`} /></td>
      <td className="num"><Amount unit={unit} text={of.settled} /></td>
      <td className="num"><Amount unit={unit} text={of.held} /></td>
      <td className="num"><Amount unit={unit} text={of.cap} /></td>
      <td className="num"><Amount unit={unit} text={of.left} /></td>
      <td className="nowrap">{account && <><Marks of={account} /> <Reopen of={account} /></>}</td>
    </>
  );
}

/** Accounts are those that are not in a plan: of budgets "per run", and of agents that the plan does not name. */
function Accounts({ accounts }: { accounts: Account[] }) {
  const { t } = useI18n();
  const words = useBudgetWords();
  const ordered = budgetTree(accounts).flatMap((owner) => owner.accounts);
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("run.accounts")}>
      <table className="plan-table">
        <thead>
          <tr>
            <th>{t("budget.owner")}</th>
            <th>{t("budget.counts")}</th>
            <th>{t("budget.use")}</th>
            <th className="num">{t("budget.settled")}</th>
            <th className="num">{t("budget.held")}</th>
            <th className="num">{t("budget.cap")}</th>
            <th className="num">{t("budget.left")}</th>
            <th>{t("budget.state")}</th>
          </tr>
        </thead>
        <tbody>
          {ordered.map((a) => (
            <tr key={a.account}>
              <td><span className="quiet">{words.kind(a.kind)}</span> {a.kind === "run_agent" && <b>{a.agent_id}</b>}</td>
              <td className="nowrap">{words.counted(a)}</td>
              <td className="bar-cell"><Bar of={a} label={`${words.whose(a)}, ${words.counted(a)}`} /></td>
              <td className="num" title={showAmount(a.unit, a.settled)}><Amount unit={a.unit} text={a.settled} /></td>
              <td className="num"><Amount unit={a.unit} text={a.held} /></td>
              <td className="num"><Amount unit={a.unit} text={a.cap} /></td>
              <td className="num"><Amount unit={a.unit} text={a.left} /></td>
              <td className="nowrap"><Marks of={a} /> <Reopen of={a} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
