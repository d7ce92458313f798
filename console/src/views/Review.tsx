/** A new form of a tool: what has changed, what is suspicious about it, and the verdict of somebody who may give one. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../api/client";
import type { Pin } from "../api/types";
import { useI18n } from "../i18n";
import { Reason } from "../ui/Approval";
import { Confirm, useMayOperate } from "../ui/Confirm";
import { ArgumentsDiff, type Sides } from "../ui/Diff";
import { Arguments, Visible } from "../ui/Visible";

const SIDES: Sides = { before: "tool.pinned", after: "tool.new", same: "diff.same" };
type Verdict = "accept" | "reject";

export function Review({ pin }: { pin: Pin }) {
  const { t } = useI18n();
  const may = useMayOperate();
  const [asking, setAsking] = useState<Verdict | null>(null);
  const held = pin.state === "held";
  return (
    <section className={"notice wide review " + (held ? "bad" : "caution")} aria-label={t("tool.newForm")}>
      <h2 className={held ? "stop" : "warn"}>{t(held ? "tool.held" : "tool.rejected")}</h2>
      {pin.changed.length > 0 && <p>{t("tool.changed", { members: pin.changed.join(", ") })}</p>}
      <Forms of={pin} />
      {may ? (
        <div className="acts">
          {pin.fault === null && <button className="button" type="button" onClick={() => setAsking("accept")}>{t("tool.accept")}</button>}
          {held && <button className="button danger" type="button" onClick={() => setAsking("reject")}>{t("tool.reject")}</button>}
        </div>
      ) : <p className="quiet">{t("tool.mayNot")}</p>}
      {asking && <Decide pin={pin} verdict={asking} close={() => setAsking(null)} />}
    </section>
  );
}

/** Forms compares what is pinned with what is new; of a tool of which nothing is pinned it is all that there is. */
function Forms({ of: pin }: { of: Pin }) {
  const { t } = useI18n();
  const [before, after] = [pin.pinned?.definition, pin.new?.definition];
  return (
    <>
      {pin.fault && <p className="stop">{pin.fault}</p>}
      {pin.flags.length > 0 && (
        <>
          <h3>{t("tool.flags")}</h3>
          <ul className="lines">{pin.flags.map((f, i) => <li key={i}><code className="tag risk-medium">{f.kind}</code> <code className="quiet break">{f.where}</code> <Visible text={f.text} /></li>)}</ul>
        </>
      )}
      {!before && after && <p>{t("tool.first")}</p>}
      {after && <div className="fill">{before ? <ArgumentsDiff before={before} after={after} sides={SIDES} /> : <Arguments text={after} of={t("tool.new")} />}</div>}
    </>
  );
}

/** Decide names the form that was looked at, so that nothing is accepted that has changed meanwhile. */
function Decide({ pin, verdict, close }: { pin: Pin; verdict: Verdict; close: () => void }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const run = async () => {
    try {
      await send("POST", `/pins/${encodeURIComponent(pin.id)}/${verdict}`, { form: pin.form, reason: reason.trim() });
    } finally {
      // Somebody else may have been faster, or the server may show a third form by now.
      for (const queryKey of [["tool", pin.id], ["tools", pin.server], ["servers"]]) void queries.invalidateQueries({ queryKey });
    }
  };
  return (
    <Confirm title={t(`tool.${verdict}Title`)} act={t(`tool.${verdict}`)} wide ready={reason.trim() !== ""} run={run} close={close}>
      <p><b className="mono break"><Visible text={pin.id} /></b> <code className="quiet">{pin.form.slice(0, 12)}</code></p>
      <div className="decide-what"><Forms of={pin} /></div>
      <p>{t(`tool.${verdict}Means`)}</p>
      <Reason label={t("approval.reasonNeeded")} value={reason} set={setReason} required />
    </Confirm>
  );
}
