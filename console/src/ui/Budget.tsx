/** The pieces of an account that several views show: its bar, amounts, window and marks, and the way to reopen it. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../api/client";
import type { Account, Brake } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { fill, permissionOf, showAmount } from "../lib/budgets";
import { Confirm, useMayOperate } from "./Confirm";

const UNITS: Record<string, Key> = {
  usd: "unit.usd", tokens: "unit.tokens", input_tokens: "unit.input_tokens", output_tokens: "unit.output_tokens",
  requests: "unit.requests", steps: "unit.steps", concurrent: "unit.concurrent",
};
const WINDOWS: Record<string, Key> = {
  run: "per.run", request: "per.request", second: "per.second", minute: "per.minute", hour: "per.hour", day: "per.day",
  week: "per.week", month: "per.month",
};
const KIND_WORDS: Record<Account["kind"], Key> = {
  tenant: "owner.tenant", team: "owner.team", key: "owner.key", agent: "owner.agent", permission: "owner.permission", run: "owner.run",
  run_agent: "owner.run_agent", planned: "owner.planned", planned_normal: "owner.planned_normal",
  planned_optional: "owner.planned_optional", reserve: "owner.reserve",
};

/** useBudgetWords are the words for units, windows and owners; what is not known is shown as the API wrote it. */
export function useBudgetWords() {
  const { t } = useI18n();
  const unit = (name: string) => (UNITS[name] ? t(UNITS[name]) : name);
  const per = (name: string | null) => (name === null ? "" : WINDOWS[name] ? t(WINDOWS[name]) : name);
  /** within joins what is counted and over what time, in the order of the language. */
  const within = (what: string, window: string | null) => (window === null ? what : t("budget.counted", { unit: what, per: per(window) }));
  return {
    unit, within,
    kind: (kind: Account["kind"]) => t(KIND_WORDS[kind]),
    /** counted is "US dollars per day", "calls at once". */
    counted: (a: Pick<Account, "unit" | "per">) => within(unit(a.unit), a.per),
    /** whose is the owner in words: "team research", "planner in run_01". */
    whose: (a: Account) => whose(t, a),
  };
}

function whose(t: ReturnType<typeof useI18n>["t"], a: Account): string {
  switch (a.kind) {
    case "tenant":
      return `${t("owner.tenant")} ${a.tenant}`;
    case "team":
      return `${t("owner.team")} ${a.team ?? ""}`;
    case "key":
      return `${t("owner.key")} ${a.key_id ?? ""}`;
    case "agent":
      return `${t("owner.agent")} ${a.agent_id ?? ""}`;
    case "permission":
      return `${t("owner.permission")} ${permissionOf(a)}`;
    case "run":
      return `${t("owner.run")} ${a.run_id ?? ""}`;
    case "run_agent":
      return t("owner.inRun", { what: a.agent_id ?? "", run: a.run_id ?? "" });
    default:
      return t("owner.inRun", { what: t(KIND_WORDS[a.kind]), run: a.run_id ?? "" });
  }
}

type Amounts = Pick<Account, "cap" | "settled" | "held" | "left"> & { unit: string };

/** Bar draws what is settled and, hatched, what is held, against the cap. What it shows is in its label as well. */
export function Bar({ of, label }: { of: Amounts; label: string }) {
  const { t } = useI18n();
  const parts = fill(of);
  if (!parts) return <span className="quiet">{t("budget.noCap")}</span>;
  const show = (text: string | null) => showAmount(of.unit, text);
  const text = t("budget.bar", { what: label, settled: show(of.settled), held: show(of.held), cap: show(of.cap) });
  return (
    <span className={"budget-bar" + (parts.over ? " over" : "")} role="img" aria-label={text} title={text}>
      <b style={{ width: `${parts.settled}%` }} />
      <i style={{ width: `${parts.held}%` }} />
    </span>
  );
}

/** Amount is exact; a negative one is more than there was. */
export function Amount({ unit, text }: { unit: string; text: string | null }) {
  const shown = showAmount(unit, text);
  return (
    <span className={text?.startsWith("-") ? "stop" : ""} title={shown}>
      {shown}
    </span>
  );
}

export function Marks({ of }: { of: Account }) {
  const { t } = useI18n();
  return (
    <>
      {of.closed && <span className="tag risk-high" title={t("budget.closedHint")}>{t("budget.closed")}</span>}
      {of.soft && <span className="tag" title={t("budget.softHint")}>{t("budget.soft")}</span>}
      {of.on_cap === "shrink" && <span className="tag" title={t("budget.shrinkHint")}>{t("budget.shrink")}</span>}
    </>
  );
}

export function Swatches() {
  const { t } = useI18n();
  return (
    <div className="legend">
      <span><i className="budget-bar sample"><b /></i>{t("budget.settled")}</span>
      <span><i className="budget-bar sample"><i /></i>{t("budget.held")}</span>
      <span><i className="budget-bar sample over"><b /></i>{t("budget.over")}</span>
    </div>
  );
}

/** Reopen is there for a closed account and those who may open it. */
export function Reopen({ of }: { of: Account }) {
  const { t } = useI18n();
  const words = useBudgetWords();
  const queries = useQueryClient();
  const may = useMayOperate();
  const [asking, setAsking] = useState(false);
  if (!of.closed || !may) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) renew(queries);
  };
  return (
    <>
      <button className="button small" type="button" onClick={() => setAsking(true)}>
        {t("budget.reopen")}
        <span className="visually-hidden"> {words.whose(of)}, {words.counted(of)}</span>
      </button>
      {asking && (
        <Confirm title={t("budget.reopenTitle")} act={t("budget.reopen")} run={() => send("POST", "/accounts/reopen", { account: of.account })} close={close}>
          <p>
            <b>{words.whose(of)}</b>, {words.counted(of)}: {t("budget.ofCap", { settled: showAmount(of.unit, of.settled), cap: showAmount(of.unit, of.cap) })}
          </p>
          <p>{t("budget.reopenMeans")}</p>
        </Confirm>
      )}
    </>
  );
}

/** Lift is there for a brake that holds and those who may lift it. */
export function Lift({ brake }: { brake: Brake }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const may = useMayOperate();
  const [asking, setAsking] = useState(false);
  if (!brake.holds || !may) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) renew(queries);
  };
  return (
    <>
      <button className="button" type="button" onClick={() => setAsking(true)}>
        {t("brake.lift")}
        <span className="visually-hidden"> {brake.run_id ?? brake.tenant}</span>
      </button>
      {asking && (
        <Confirm title={t("brake.liftTitle")} act={t("brake.lift")} run={() => send("POST", "/brakes/" + encodeURIComponent(brake.id) + "/lift")} close={close}>
          <p><BrakeText brake={brake} /></p>
          <p className="quiet break">{brake.reason}</p>
          <p>{t(brake.kind === "halt" ? "brake.liftHalt" : "brake.liftThrottle")}</p>
        </Confirm>
      )}
    </>
  );
}

/** BrakeText says what a brake stops. */
export function BrakeText({ brake }: { brake: Brake }) {
  const { t } = useI18n();
  const what = brake.run_id === null ? t("brake.tenant", { tenant: brake.tenant }) : t("brake.run", { run: brake.run_id });
  return <>{t(brake.kind === "halt" ? "brake.halts" : "brake.throttles", { what })}</>;
}

/** renew asks again for everything that an act on the ledger may have changed. */
export function renew(queries: ReturnType<typeof useQueryClient>): void {
  for (const name of ["accounts", "alerts", "brakes", "run", "runs"]) void queries.invalidateQueries({ queryKey: [name] });
}
