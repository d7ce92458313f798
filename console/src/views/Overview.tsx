import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { accountsQuery, brakesQuery, callsQuery, overviewQuery } from "../api/queries";
import type { Account, Brake, Call, Overview as Data } from "../api/types";
import { useI18n } from "../i18n";
import { tightest } from "../lib/budgets";
import { clock, compact, count, duration, percent, soon } from "../lib/format";
import { parseMoney, showMoney, showNano } from "../lib/money";
import { bounds } from "../lib/time";
import { Amount, Bar, BrakeText, Marks, useBudgetWords } from "../ui/Budget";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, Simulated } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { Activity } from "./Activity";

const RENEW_MS = 30_000;
const NEWEST = 8;
const TIGHTEST = 5;

export function Overview() {
  const { t } = useI18n();
  const [at, setAt] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => {
      // A page in the background asks for nothing.
      if (document.visibilityState === "visible") setAt(Date.now());
    }, RENEW_MS);
    return () => clearInterval(timer);
  }, []);
  const { from, to } = useMemo(() => bounds("24h", at), [at]);
  const { data, error, isFetching, refetch } = useQuery({ ...overviewQuery(from, to), placeholderData: keepPreviousData });
  const failures = useInfiniteQuery({
    ...callsQuery({ outcome: "failed", from }, NEWEST),
    placeholderData: keepPreviousData,
  });
  const failed = failures.data?.pages[0]?.items;
  return (
    <>
      <PageHead title={t("overview.title")}>
        <span className="sub">{t("overview.window")}</span>
        <span className="spacer" />
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => setAt(Date.now())} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && <Figures data={data} />}
      {data && data.calls === 0 && <Quiet />}
      {data && data.calls > 0 && <Activity data={data} from={from} to={to} />}
      <Tight at={at} />
      <section className="section">
        <div className="section-head">
          <h2>{t("overview.failed")}</h2>
          <span className="spacer" />
          <Link to="/calls" search={{ outcome: "failed" }}>
            {t("overview.allFailures")}
          </Link>
        </div>
        {failures.error && <ErrorBox error={failures.error} />}
        {failed && failed.length === 0 && <p className="quiet">{t("overview.noFailures")}</p>}
        {failed && failed.length > 0 && <Failures calls={failed} />}
      </section>
    </>
  );
}

function Figures({ data }: { data: Data }) {
  const { t } = useI18n();
  const cost = parseMoney(data.cost);
  const perCall = cost !== null && data.calls > 0 ? showNano(cost / BigInt(data.calls)) : null;
  const figures = [
    { name: t("calls.title"), value: compact(data.calls), exact: count(data.calls), under: data.running > 0 ? t("overview.running", { count: count(data.running) }) : "" },
    {
      name: t("overview.failures"), value: compact(data.failures), exact: count(data.failures), bad: data.failures > 0,
      under: data.calls > 0 ? t("overview.failureShare", { share: percent(data.failures, data.calls), refused: count(data.refusals) }) : "",
    },
    { name: t("calls.cost"), value: showMoney(data.cost), exact: "$" + data.cost, under: data.unpriced > 0 ? t("overview.unpriced", { count: count(data.unpriced) }) : perCall ? t("overview.perCall", { cost: perCall }) : "" },
    {
      name: t("overview.tokens"), value: compact(data.input_tokens + data.output_tokens),
      exact: count(data.input_tokens + data.output_tokens),
      under: t("overview.tokensSplit", { input: compact(data.input_tokens), output: compact(data.output_tokens) }),
    },
    { name: t("overview.latency"), value: duration(data.latency_p50_ms), exact: "", under: "" },
    { name: t("overview.p95"), value: duration(data.latency_p95_ms), exact: "", under: t("overview.p95Hint") },
  ];
  return (
    <dl className="strip">
      {figures.map((figure) => (
        <div key={figure.name}>
          <dt>{figure.name}</dt>
          <dd className={"value" + (figure.bad ? " stop" : "")} title={figure.exact}>
            {figure.value}
          </dd>
          <dd className="under">{figure.under}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Tight is what is about to hold calls back, and what does already. */
function Tight({ at }: { at: number }) {
  const { t } = useI18n();
  const accounts = useInfiniteQuery(accountsQuery({}));
  const brakes = useQuery(brakesQuery());
  const { refetch } = accounts;
  const { refetch: refetchBrakes } = brakes;
  const [first] = useState(at);
  useEffect(() => {
    if (at !== first) void Promise.all([refetch(), refetchBrakes()]);
  }, [at, first, refetch, refetchBrakes]);
  const page = accounts.data?.pages[0];
  const tight = useMemo(() => tightest(page?.items ?? [], TIGHTEST), [page]);
  return (
    <>
      {brakes.data && brakes.data.items.length > 0 && <BrakeLines brakes={brakes.data.items} />}
      <section className="section">
        <div className="section-head">
          <h2>{t("overview.tight")}</h2>
          {page && page.next !== null && <p>{t("overview.tightPart", { count: count(page.items.length) })}</p>}
          <span className="spacer" />
          <Link to="/budgets" search={{}}>{t("overview.allBudgets")}</Link>
        </div>
        {(accounts.error || brakes.error) && <ErrorBox error={(accounts.error ?? brakes.error)!} retry={() => void Promise.all([refetch(), refetchBrakes()])} />}
        {page && tight.length === 0 && <p className="quiet">{t("overview.noneTight")}</p>}
        {tight.length > 0 && <TightTable accounts={tight} />}
      </section>
    </>
  );
}

function BrakeLines({ brakes }: { brakes: Brake[] }) {
  const { t } = useI18n();
  return (
    <section className="notice bad brake-lines" aria-label={t("brake.active")}>
      {brakes.slice(0, TIGHTEST).map((brake) => <p key={brake.id}><BrakeText brake={brake} /></p>)}
      <p><Link to="/alerts" search={{}}>{t("overview.allBrakes", { count: count(brakes.length) })}</Link></p>
    </section>
  );
}

function TightTable({ accounts }: { accounts: Account[] }) {
  const { t } = useI18n();
  const words = useBudgetWords();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("overview.tight")}>
      <table className="plan-table">
        <thead>
          <tr>
            <th>{t("budget.owner")}</th>
            <th>{t("budget.counts")}</th>
            <th>{t("budget.use")}</th>
            <th className="num">{t("budget.left")}</th>
            <th className="num">{t("budget.cap")}</th>
            <th>{t("budget.resets")}</th>
          </tr>
        </thead>
        <tbody>
          {accounts.map((a) => (
            <tr key={a.account}>
              <td>
                {a.run_id === null ? words.whose(a) : <Link to="/runs/$id" params={{ id: a.run_id }} search={{ tenant: a.tenant }}>{words.whose(a)}</Link>}{" "}
                <Marks of={a} />
              </td>
              <td className="nowrap">{words.counted(a)}</td>
              <td className="bar-cell"><Bar of={a} label={`${words.whose(a)}, ${words.counted(a)}`} /></td>
              <td className="num"><Amount unit={a.unit} text={a.left} /></td>
              <td className="num"><Amount unit={a.unit} text={a.cap} /></td>
              <td className="nowrap">{soon(a.resets_at, new Date())}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Quiet() {
  const { t } = useI18n();
  return (
    <div className="panel empty">
      <p>{t("overview.quiet")}</p>
      <p>{t("overview.demo")}</p>
      <code className="command">signalbox demo</code>
    </div>
  );
}

function Failures({ calls }: { calls: Call[] }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("overview.failed")}>
      <table>
        <thead>
          <tr>
            <th>{t("calls.time")}</th>
            <th>{t("calls.outcome")}</th>
            <th>{t("calls.what")}</th>
            <th>{t("calls.agent")}</th>
            <th>{t("calls.tenant")}</th>
            <th className="num">{t("calls.latency")}</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={call.id}>
              <td className="ellipsis">
                <Link to="/calls/$id" params={{ id: call.id }} title={call.time}>
                  {clock(call.time, now)}
                </Link>
              </td>
              <td>
                <Signal status={call.outcome} /> {call.error_code && <code className="quiet">{call.error_code}</code>}
              </td>
              <td>
                {call.tool_name ?? call.model_name} {call.simulated && <Simulated />}
              </td>
              <td>{call.agent_id ?? "–"}</td>
              <td>{call.tenant}</td>
              <td className="num">{duration(call.latency_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
