/** What several views say of an approval: its state, the time that is left, who must agree, and the question to decide. */
import { useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ApiError, get, send } from "../api/client";
import { approvalPath, approvalQuery, inboxQuery } from "../api/people";
import type { Approval } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { countdown } from "../lib/countdown";
import { clock, stamp } from "../lib/format";
import { changed, given } from "../lib/inbox";
import { showMoney } from "../lib/money";
import { Confirm } from "./Confirm";
import { Loading, Risk, useNow } from "./parts";
import { Arguments, Visible } from "./Visible";

const LOOKS: Record<Approval["state"], string> = {
  pending: "tag risk-medium", approved: "tag good", denied: "tag risk-high", expired: "tag", stale: "tag", withdrawn: "tag",
};

export function State({ of }: { of: Pick<Approval, "state" | "used"> }) {
  const { t } = useI18n();
  return (
    <>
      <span className={LOOKS[of.state] ?? "tag"} title={t(`approval.state.${of.state}.hint`)}>{t(`approval.state.${of.state}`)}</span>
      {of.used !== null && <span className="tag">{t("approval.used")}</span>}
    </>
  );
}

/** Left counts down by the server's clock. It is not announced each second: a screen reader reads it when it is reached. */
export function Left({ until, now }: { until: string; now: () => number }) {
  const { t, lang } = useI18n();
  useNow(1_000);
  const left = countdown(until, now(), lang);
  if (!left) return null;
  if (left.level === "over") return <time className="left over" dateTime={until} title={stamp(until)}>{t("approval.over")}</time>;
  return (
    <time className={"left " + left.level} dateTime={until} title={stamp(until)} role="timer" aria-live="off">
      <span className="visually-hidden">{t("approval.expiresIn")} </span>{left.text}
    </time>
  );
}

const OPERATIONS: Record<string, Key> = { read: "operation.read", write: "operation.write", delete: "operation.delete" };

export function Does({ operation }: { operation: string | null }) {
  const { t } = useI18n();
  if (operation === null) return null;
  return <span className={"tag op-" + operation}>{OPERATIONS[operation] ? t(OPERATIONS[operation]) : operation}</span>;
}

/** useNeeds says how many have approved, of how many, and who may. */
export function useNeeds(): (a: Approval) => string {
  const { t } = useI18n();
  return (a) => t("approval.needs", { given: given(a), needed: a.approvers_required, role: a.approver_role ?? t("approval.anyRole") });
}

export function Bound({ cost }: { cost: string | null }) {
  const { t } = useI18n();
  return cost === null ? <span className="quiet">{t("approval.noBound")}</span> : <span title={"$" + cost}>{t("approval.atMost", { cost: showMoney(cost) })}</span>;
}

/** settle puts what the server answered into what is kept. Nothing is shown as decided before. */
export function settle(queries: QueryClient, one: Approval): void {
  queries.setQueryData(approvalQuery(one.id).queryKey, one);
  queries.setQueryData(inboxQuery.queryKey, (page) => (page ? { ...page, items: changed(page.items, one) } : page));
  void queries.invalidateQueries({ queryKey: ["approvals", "list"] });
}

export const MOST_REASON = 500;

interface ReasonProps {
  label: string;
  hint?: string;
  value: string;
  set: (text: string) => void;
  required?: boolean;
  most?: number;
}

export function Reason({ label, hint, value, set, required = false, most = MOST_REASON }: ReasonProps) {
  const id = useId();
  return (
    <label className="stacked">
      <span>{label}</span>
      <textarea className="input" rows={3} data-first maxLength={most} value={value} required={required} onChange={(e) => set(e.target.value)} {...(hint ? { "aria-describedby": id } : {})} />
      {hint && <span className="quiet" id={id}>{hint}</span>}
    </label>
  );
}

export type Verdict = "approve" | "deny" | "withdraw";

interface DecideProps {
  approval: Approval;
  verdict: Verdict;
  now: () => number;
  /** close is given what the server made of it; null where nothing was done. */
  close: (done: Approval | null) => void;
}

/** Decide asks for one verdict on one call, with what would be sent before the reader's eyes. */
export function Decide({ approval: row, verdict, now, close }: DecideProps) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [over, setOver] = useState<Approval | null>(null);
  // Lists leave out what is long; nobody approves what he has not been shown.
  const short = row.arguments === null && row.arguments_bytes !== null;
  const full = useQuery({ ...approvalQuery(row.id), enabled: short });
  const a = short ? (full.data ?? row) : row;
  const run = async () => {
    try {
      const got = await send<Approval>("POST", approvalPath(row.id, "/" + verdict), { reason: reason.trim() });
      settle(queries, got);
      close(got);
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 409) {
        const found = await get<Approval>(approvalPath(row.id)).catch(() => null);
        if (found && found.state !== "pending") {
          settle(queries, found);
          setOver(found);
        }
      }
      throw cause;
    }
  };
  return (
    <Confirm
      title={t(`approval.${verdict}Title`)} act={t(`approval.${verdict}`)} run={run} wide
      close={(done) => !done && close(over)}
      ready={over === null && (verdict !== "deny" || reason.trim() !== "") && (verdict !== "approve" || a.arguments !== null)}
      failed={(error) => (over ? <Beaten by={over} /> : error instanceof ApiError && error.status === 409 ? <p className="notice bad" role="alert">{error.message}</p> : null)}
    >
      <div className="decide-what">
        <p><b className="mono break"><Visible text={a.tool_name} /></b> <Does operation={a.operation} /> <Risk level={a.risk_level} /> <Left until={a.expires} now={now} /></p>
        <p>{a.agent_id ?? "–"} · {a.tenant} · <Bound cost={a.cost_bound} /></p>
        <Resources of={a} />
        {short && full.isPending && <Loading />}
        {a.arguments !== null ? <Arguments text={a.arguments} /> : <NoArguments of={a} />}
      </div>
      <p>{t(verdict === "approve" && a.arguments === null ? "approval.unseen" : `approval.${verdict}Means`)}</p>
      <Reason label={t(verdict === "deny" ? "approval.reasonNeeded" : "approval.reason")} hint={t("approval.reasonHint")} value={reason} set={setReason} required={verdict === "deny"} />
    </Confirm>
  );
}

/** Beaten says plainly that somebody else was faster, and what came of it. */
function Beaten({ by }: { by: Approval }) {
  const { t } = useI18n();
  return (
    <div className="notice bad" role="alert">
      <h2 className="stop">{t("approval.beaten")}</h2>
      <Outcome of={by} />
      <p>{t("approval.beatenMeans")}</p>
    </div>
  );
}

/** Outcome is what became of an approval, by whom and when. */
export function Outcome({ of: a }: { of: Approval }) {
  const { t } = useI18n();
  const wanted = a.state === "denied" ? "deny" : "approve";
  const who = a.state === "approved" || a.state === "denied" ? a.votes.filter((v) => v.verdict === wanted).map((v) => v.user ?? v.by) : [];
  return (
    <p>
      <State of={a} />{" "}
      {who.length > 0 && <>{t("approval.by", { who: who.join(", ") })} </>}
      {a.decided && <time dateTime={a.decided} title={stamp(a.decided)}>{clock(a.decided, new Date())}</time>}
    </p>
  );
}

export function Resources({ of: a }: { of: Approval }) {
  const { t } = useI18n();
  // A model has none: to say that it names none would only raise questions.
  if (a.resources === null || a.kind === "model") return null;
  if (a.resources.length === 0 || a.resources.every((r) => r === "")) return <p className="quiet">{t("approval.noResource")}</p>;
  return (
    <ul className="resources" aria-label={t("approval.resources")}>
      {a.resources.map((r, i) => <li key={i} className="mono break"><Visible text={r} /></li>)}
    </ul>
  );
}

export function NoArguments({ of: a }: { of: Approval }) {
  const { t } = useI18n();
  const key: Key = a.content === "erased" ? "approval.erased" : a.content === "sealed" ? "approval.sealed" : a.arguments_bytes !== null ? "approval.longArguments" : "approval.notForYou";
  return <p className="notice gone" role="note">{t(key)}</p>;
}
