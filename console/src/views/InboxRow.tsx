/** One row of the inbox: what would be done, by whom, how dangerous it is, what it can cost, and how long there is. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { goneQuery } from "../api/people";
import type { Approval } from "../api/types";
import { useI18n } from "../i18n";
import { clock, stamp } from "../lib/format";
import { hindrance, type Reader } from "../lib/inbox";
import { Bound, Does, Left, NoArguments, Outcome, Resources, useNeeds, type Verdict } from "../ui/Approval";
import { Risk } from "../ui/parts";
import { LongText, Visible } from "../ui/Visible";

interface Props {
  approval: Approval;
  who: Reader | undefined;
  now: () => number;
  current: boolean;
  chosen: boolean;
  focus: () => void;
  choose: () => void;
  ask: (verdict: Verdict) => void;
}

export function InboxRow({ approval: a, who, now, current, chosen, focus, choose, ask }: Props) {
  const { t } = useI18n();
  const needs = useNeeds();
  const why = hindrance(a, who);
  const pending = a.state === "pending";
  return (
    <li className={`inbox-row ${pending ? "risk-" + a.risk_level : "gone"}${current ? " current" : ""}`} onFocus={focus}>
      {why === null ? (
        <input type="checkbox" checked={chosen} onChange={choose} aria-label={t("approval.select", { tool: a.tool_name })} />
      ) : <span />}
      <div className="inbox-what">
        <p className="inbox-head">
          <Link data-id={a.id} className="mono break" to="/approvals/$id" params={{ id: a.id }}><Visible text={a.tool_name} /></Link>
          <Does operation={a.operation} />
          <Risk level={a.risk_level} />
          {pending ? <Left until={a.expires} now={now} /> : null}
        </p>
        <Resources of={a} />
        {pending && a.arguments !== null && <p className="mono inbox-args"><LongText text={a.arguments} /></p>}
        {pending && a.content !== "" && <NoArguments of={a} />}
        <p className="quiet">
          {a.agent_id ?? "–"} · {a.tenant} · <Bound cost={a.cost_bound} /> · <time dateTime={a.asked} title={stamp(a.asked)}>{t("approval.askedAt", { time: clock(a.asked, new Date()) })}</time>
          {pending && <> · {needs(a)}</>}
        </p>
        {!pending && <Gone of={a} />}
        {pending && (why === "own" || why === "voted") && <p className="quiet">{t(`approval.hindrance.${why}`)}</p>}
      </div>
      {why === null && (
        <div className="inbox-acts">
          <button className="button" type="button" onClick={() => ask("approve")}>{t("approval.approveAsk")}<span className="visually-hidden"> {a.tool_name}</span></button>
          <button className="button" type="button" onClick={() => ask("deny")}>{t("approval.denyAsk")}<span className="visually-hidden"> {a.tool_name}</span></button>
        </div>
      )}
    </li>
  );
}

/**
 * Gone: decided while it was looked at. What left while the stream was cut is looked up, all of it at once; what is too old
 * for that has the way it ended on its own page.
 */
function Gone({ of: a }: { of: Approval }) {
  const { t } = useI18n();
  const unknown = a.decided === null;
  const { data } = useQuery({ ...goneQuery, enabled: unknown });
  const found = unknown ? data?.items.find((one) => one.id === a.id) : a;
  return found ? <Outcome of={found} /> : <p className="quiet">{t("approval.gone")}</p>;
}
