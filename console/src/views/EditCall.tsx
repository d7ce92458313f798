/** A call that waits is made with other arguments: what is changed before the reader's eyes, and what came of it. */
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useDeferredValue, useId, useMemo, useState } from "react";
import { Exact, sendExact } from "../api/client";
import { approvalPath, approvalQuery, inboxQuery } from "../api/people";
import type { Approval } from "../api/types";
import { useI18n } from "../i18n";
import { dropEdit, keepEdit, readEdited, type Edit, type Edited } from "../lib/edits";
import { layOut, parseJson, readJson, type Json, type Place } from "../lib/json";
import { Does, Reason } from "../ui/Approval";
import { Confirm } from "../ui/Confirm";
import { ArgumentsDiff, compare, type Sides } from "../ui/Diff";
import { Risk } from "../ui/parts";
import { Arguments, Visible } from "../ui/Visible";

/** sendEdit sends an edit, or the same one again, and keeps it as long as its call waits. */
async function sendEdit(queries: QueryClient, id: string, edit: Edit): Promise<Edited> {
  try {
    const body = new Exact(`{"arguments":${edit.arguments},"reason":${JSON.stringify(edit.reason)}}`);
    const done = readEdited(await sendExact(approvalPath(id, "/edit"), body));
    if (done.waitsFor === null) dropEdit(id);
    else keepEdit(id, edit);
    return done;
  } finally {
    // Whatever came of it: somebody else may have been faster.
    void queries.invalidateQueries({ queryKey: ["approval"] });
    void queries.invalidateQueries({ queryKey: ["approvals", "list"] });
    void queries.invalidateQueries({ queryKey: inboxQuery.queryKey });
    await queries.refetchQueries({ queryKey: approvalQuery(id).queryKey });
  }
}

const SIDES: Sides = { before: "edit.before", after: "edit.after", same: "edit.same" };

/** Read is what the text is: arguments, or why it is none. */
type Read = { value: Json } | { wrong: Place } | "noObject";

function readArguments(text: string): Read {
  const found = parseJson(text);
  return "value" in found && found.value.kind !== "object" ? "noObject" : found;
}

const laidOut = (text: string): string => {
  const value = readJson(text);
  return value ? layOut(value) : text;
};

interface Props {
  a: Approval;
  /** close is given what came of it; null where nothing was done. */
  close: (done: Edited | null) => void;
}

/** EditCall asks for the arguments in place of those that were asked about, and for the reason. */
export function EditCall({ a, asked, close }: Props & { asked: string }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const id = useId();
  const [text, setText] = useState(() => laidOut(asked));
  const [reason, setReason] = useState("");
  const read = useMemo(() => readArguments(text), [text]);
  const shown = useDeferredValue(text);
  const good = read !== "noObject" && "value" in read;
  const same = good && compare(asked, text)?.length === 0;
  const wrong = read === "noObject" ? t("edit.noObject") : "wrong" in read ? t("edit.wrong", { line: String(read.wrong.line), column: String(read.wrong.column) }) : null;
  return (
    <Confirm
      title={t("edit.title")} act={t("edit.do")} wide ready={good && !same && reason.trim() !== ""}
      run={async () => close(await sendEdit(queries, a.id, { arguments: text.trim(), reason: reason.trim() }))} close={(done) => !done && close(null)}
    >
      <p><b className="mono break"><Visible text={a.tool_name} /></b> <Does operation={a.operation} /> <Risk level={a.risk_level} /></p>
      <p>{t("edit.means")}</p>
      <label className="stacked">
        <span>{t("edit.arguments")}</span>
        <textarea
          className="input mono" rows={9} data-first spellCheck={false} value={text} required aria-invalid={wrong !== null} aria-describedby={id}
          onChange={(e) => setText(e.target.value)}
        />
      </label>
      <div id={id} aria-live="polite">{wrong !== null && <p className="stop">{wrong}</p>}</div>
      <section className="decide-what" aria-label={t("edit.changed")}>
        <h3>{t("edit.changed")}</h3>
        {readJson(shown) ? <ArgumentsDiff before={asked} after={shown} sides={SIDES} /> : <p className="quiet">{t("visible.notJson")}</p>}
      </section>
      <Reason label={t("approval.reasonNeeded")} hint={t("edit.reasonHint")} value={reason} set={setReason} required />
    </Confirm>
  );
}

/** MakeCall sends the same edit again, now that somebody else may have approved it. */
export function MakeCall({ of, edit, close }: { of: string; edit: Edit; close: Props["close"] }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  return (
    <Confirm title={t("edit.againTitle")} act={t("edit.again")} wide run={async () => close(await sendEdit(queries, of, edit))} close={(done) => !done && close(null)}>
      <div className="decide-what"><Arguments text={edit.arguments} /></div>
      <p>{t("edit.againMeans")}</p>
    </Confirm>
  );
}

/** EditOutcome says what came of an edit. */
export function EditOutcome({ of: done }: { of: Edited }) {
  const { t } = useI18n();
  if (done.waitsFor !== null) {
    return (
      <div className="notice wide" role="status">
        <h2>{t("edit.waits")}</h2>
        <p><Link to="/approvals/$id" params={{ id: done.waitsFor }}>{t("edit.openWaiting")}</Link> <code className="quiet break">{done.waitsFor}</code></p>
        <p>{t("edit.waitsHint", { act: t("edit.againAsk") })}</p>
      </div>
    );
  }
  return (
    <div className="notice wide good" role="status">
      <h2>{t("edit.made")}</h2>
      <p><Link to="/calls/$id" params={{ id: done.call }}>{t("trace.openCall")}</Link> <code className="quiet break">{done.call}</code></p>
      {done.result !== null && <><h3>{t("edit.result")}</h3><Arguments text={done.result} of={t("edit.result")} /></>}
    </div>
  );
}
