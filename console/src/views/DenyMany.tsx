/** Several calls are denied with one reason. There is no such thing for approving: each is looked at. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../api/client";
import { inboxQuery } from "../api/people";
import type { Approval, BatchAnswer } from "../api/types";
import { useI18n } from "../i18n";
import { count } from "../lib/format";
import { Does, Reason } from "../ui/Approval";
import { Confirm } from "../ui/Confirm";
import { Risk } from "../ui/parts";
import { Visible } from "../ui/Visible";

export function DenyMany({ approvals, close }: { approvals: Approval[]; close: (said: string | null) => void }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  // The question is about those that were chosen when it was asked, whatever arrives meanwhile.
  const [asked] = useState(approvals);
  const [answer, setAnswer] = useState<BatchAnswer["items"] | null>(null);
  const deny = useMutation({ mutationFn: () => send<BatchAnswer>("POST", "/approvals/deny", { ids: asked.map((a) => a.id), reason: reason.trim() }) });
  const failed = (answer ?? []).filter((one) => !one.ok);
  const said = (items: BatchAnswer["items"]) => t("approval.deniedMany", { done: count(items.filter((one) => one.ok).length), all: count(items.length) });
  const run = async () => {
    const { items } = await deny.mutateAsync();
    setAnswer(items);
    void queries.invalidateQueries({ queryKey: inboxQuery.queryKey });
    if (items.some((one) => !one.ok)) throw new Error(said(items));
    close(said(items));
  };
  return (
    <Confirm
      title={t("approval.denyMany", { count: count(asked.length) })} act={t("approval.denyMany", { count: count(asked.length) })} wide
      ready={reason.trim() !== "" && answer === null} run={run} close={(done) => !done && close(answer ? said(answer) : null)}
      failed={() => (answer ? (
        <div className="notice bad" role="alert">
          <p>{said(answer)}</p>
          <ul>{failed.map((one) => <li key={one.id}><code>{asked.find((a) => a.id === one.id)?.tool_name ?? one.id}</code>: {one.error?.message}</li>)}</ul>
        </div>
      ) : null)}
    >
      <ul className="many">
        {asked.map((a) => (
          <li key={a.id}><span className="mono break"><Visible text={a.tool_name} /></span> <Does operation={a.operation} /> <Risk level={a.risk_level} /> <span className="quiet">{a.agent_id ?? "–"}</span></li>
        ))}
      </ul>
      <Reason label={t("approval.reasonNeeded")} hint={t("approval.reasonHint")} value={reason} set={setReason} required />
    </Confirm>
  );
}
