/** Alerts: what holds calls back now, and what was raised, newest first. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { alertsQuery, brakesQuery, facetsQuery } from "../api/queries";
import type { Alert, Brake, Delivery } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { showAmount } from "../lib/budgets";
import { clock, count, stamp } from "../lib/format";
import type { AlertsSearch } from "../router";
import { BrakeText, Lift, useBudgetWords } from "../ui/Budget";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { Choice, Text } from "./CallFilters";

const LEVELS = ["info", "warning", "critical"] as const;

const ACTIONS: Record<string, Key> = {
  log: "alert.action.log", notify: "alert.action.notify", throttle: "alert.action.throttle", halt: "alert.action.halt",
};

export function Alerts() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/alerts" });
  const navigate = useNavigate({ from: "/alerts" });
  const brakes = useQuery(brakesQuery());
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...alertsQuery({ tenant: search.tenant, run: search.run, level: search.level }),
    placeholderData: keepPreviousData,
  });
  const alerts = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const renewAll = () => void Promise.all([refetch(), brakes.refetch()]);
  const filtered = Object.keys(search).length > 0;
  return (
    <>
      <PageHead title={t("alert.title")}>
        {data && <span className="sub">{t("calls.loaded", { count: count(alerts.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={renewAll} />
      </PageHead>
      {brakes.error && <ErrorBox error={brakes.error} retry={() => void brakes.refetch()} />}
      {brakes.data && <Brakes brakes={brakes.data.items} />}
      <section className="section">
        <h2>{t("alert.history")}</h2>
        <Filters search={search} change={(next) => void navigate({ search: next, replace: true })} />
        {error && <ErrorBox error={error} retry={() => void refetch()} />}
        {!data && !error && <Loading />}
        {data && alerts.length === 0 && <p className="panel empty" role="status">{t(filtered ? "alert.noMatch" : "alert.none")}</p>}
        {alerts.length > 0 && (
          <>
            <ol className="panel alerts">{alerts.map((alert) => <Item key={alert.id} alert={alert} />)}</ol>
            <div className="vfoot">
              {hasNextPage ? (
                <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                  {isFetchingNextPage ? t("app.loading") : t("calls.more")}
                </button>
              ) : (
                <span>{t("calls.end")}</span>
              )}
            </div>
          </>
        )}
      </section>
    </>
  );
}

function Filters({ search, change }: { search: AlertsSearch; change: (next: AlertsSearch) => void }) {
  const { t } = useI18n();
  const facets = useQuery(facetsQuery);
  const set = (name: keyof AlertsSearch, value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  return (
    <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
      <Choice label={t("alert.level")} value={search.level} values={LEVELS} show={(v) => t(`alert.level.${v as (typeof LEVELS)[number]}`)} set={(v) => set("level", v)} />
      <Choice label={t("calls.tenant")} value={search.tenant} values={facets.data?.items.tenant ?? []} set={(v) => set("tenant", v)} />
      <Text label={t("calls.run")} value={search.run} set={(v) => set("run", v)} />
      {Object.keys(search).length > 0 && (
        <button className="button plain" type="button" onClick={() => change({})}>{t("calls.clear")}</button>
      )}
    </form>
  );
}

/** Brakes are those that hold, each with what it stops and the way to lift it. */
export function Brakes({ brakes }: { brakes: Brake[] }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <h2>{t("brake.active")}</h2>
      {brakes.length === 0 ? (
        <p className="quiet">{t("brake.none")}</p>
      ) : (
        <ul className="brakes">{brakes.map((brake) => <BrakeItem key={brake.id} brake={brake} />)}</ul>
      )}
    </section>
  );
}

export function BrakeItem({ brake }: { brake: Brake }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <li className={"notice brake " + (brake.kind === "halt" ? "bad" : "caution")}>
      <div>
        <p><b><BrakeText brake={brake} /></b></p>
        <p className="break">{brake.reason}</p>
        <p className="quiet">
          {t("brake.since")} <time dateTime={brake.since} title={stamp(brake.since)}>{clock(brake.since, now)}</time>,{" "}
          {brake.until === null ? t("brake.untilLifted") : <>{t("brake.until")} <time dateTime={brake.until} title={stamp(brake.until)}>{clock(brake.until, now)}</time></>}
          {brake.run_id !== null && (
            <>
              {" · "}
              <Link to="/runs/$id" params={{ id: brake.run_id }} search={{ tenant: brake.tenant }}>{t("call.openRun")}</Link>
            </>
          )}
        </p>
      </div>
      <Lift brake={brake} />
    </li>
  );
}

function Item({ alert }: { alert: Alert }) {
  const { t } = useI18n();
  const words = useBudgetWords();
  const rows: [string, React.ReactNode][] = [
    [t("alert.rule"), <code key="r">{alert.rule}</code>],
    [t("alert.value"), <b key="v">{showAmount(alert.unit, alert.value)}</b>],
    [t("alert.threshold"), words.within(showAmount(alert.unit, alert.threshold) + (alert.unit === "usd" ? "" : " " + words.unit(alert.unit)), alert.per)],
    [t("alert.action"), ACTIONS[alert.action] ? t(ACTIONS[alert.action]!) : alert.action],
    [t("calls.tenant"), alert.tenant],
  ];
  if (alert.agent_id) rows.push([t("calls.agent"), alert.agent_id]);
  return (
    <li className={"alert " + alert.level}>
      <div className="alert-head">
        <span className={"tag level-" + alert.level}>{t(`alert.level.${alert.level}`)}</span>
        <p className="break">{alert.text}</p>
        <time dateTime={alert.raised} title={stamp(alert.raised)}>{clock(alert.raised, new Date())}</time>
      </div>
      <dl className="alert-facts">
        {rows.map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
        ))}
        {alert.run_id && (
          <div><dt>{t("calls.run")}</dt><dd><Link className="mono break" to="/runs/$id" params={{ id: alert.run_id }} search={{ tenant: alert.tenant }}>{alert.run_id}</Link></dd></div>
        )}
        {alert.call_id && (
          <div><dt>{t("call.title")}</dt><dd><Link className="mono break" to="/calls/$id" params={{ id: alert.call_id }}>{alert.call_id}</Link></dd></div>
        )}
        {alert.brake && (
          <div><dt>{t("brake.title")}</dt><dd><BrakeState brake={alert.brake} /></dd></div>
        )}
      </dl>
      {alert.deliveries.length > 0 && (
        <ul className="deliveries" aria-label={t("alert.deliveries")}>
          {alert.deliveries.map((delivery) => <DeliveryItem key={delivery.channel} delivery={delivery} />)}
        </ul>
      )}
    </li>
  );
}

function BrakeState({ brake }: { brake: Brake }) {
  const { t } = useI18n();
  if (brake.holds) return <span className="stop">{t("brake.holds")}</span>;
  if (brake.lifted === null) return <>{t("brake.over")}</>;
  return (
    <span title={stamp(brake.lifted)}>
      {t("brake.lifted", { time: clock(brake.lifted, new Date()) })} {brake.lifted_by && <code>{brake.lifted_by}</code>}
    </span>
  );
}

const STATES = { waiting: "running", delivered: "ok", failed: "failed" } as const;

function DeliveryItem({ delivery: d }: { delivery: Delivery }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <li>
      <b>{d.channel}</b>
      <Signal status={STATES[d.state] ?? d.state} word={t(`delivery.${d.state}`)} />
      <span className="quiet">
        {t("delivery.tries", { count: count(d.tries) })}
        {d.done !== null && <>, <time dateTime={d.done} title={stamp(d.done)}>{clock(d.done, now)}</time></>}
        {d.state === "waiting" && d.next !== null && <>, {t("delivery.next")} <time dateTime={d.next} title={stamp(d.next)}>{clock(d.next, now)}</time></>}
      </span>
      {d.last_note && <span className="quiet break">{d.last_note}</span>}
    </li>
  );
}
