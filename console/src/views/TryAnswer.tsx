/** What comes of a call that is tried out: progress while it is under way, then its answer or why it was refused. */
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { ToolDetail } from "../api/types";
import { useI18n } from "../i18n";
import { duration } from "../lib/format";
import { showMoney } from "../lib/money";
import { callTool, cancelTask, type Ask, type Head, type Outcome, type Progress, type Reply, type Task } from "../lib/tryout";
import { Arguments, LongText, Visible } from "../ui/Visible";
import { Questions } from "./TryQuestions";

interface State {
  head: Head | null;
  progress: Progress | null;
  /** What the call has become, while it is under way. */
  task: Task | null;
  outcome: Outcome | null;
  /** Why there is no outcome. */
  lost: "cancelled" | "noAnswer" | null;
  ms: number;
}

const NOTHING: State = { head: null, progress: null, task: null, outcome: null, lost: null, ms: 0 };

export interface Try extends State {
  busy: boolean;
  start: (ask: Ask) => void;
  /** answer goes on with a call whose server has asked something. */
  answer: (responses: string) => void;
  /** stop cancels the call. A task is told so, and asked for until it has ended. */
  stop: () => void;
}

/** useTry makes one call at a time. One that is under way is cancelled with the page, but for a task, which goes on. */
export function useTry(): Try {
  const [state, set] = useState(NOTHING);
  const [busy, setBusy] = useState(false);
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);
  const last = useRef<Ask>(null);
  const go = async (ask: Ask, reply?: Reply) => {
    if (under.current) return;
    const end = (under.current = new AbortController());
    last.current = ask;
    const began = performance.now();
    const note = (more: Partial<State>) => set((was) => ({ ...was, ...more, ms: performance.now() - began }));
    set((was) => ({ ...NOTHING, head: reply ? was.head : null }));
    setBusy(true);
    try {
      note({ outcome: await callTool(ask, { head: (head) => note({ head }), progress: (progress) => note({ progress }), task: (task) => note({ task }) }, end.signal, reply) });
    } catch {
      note({ lost: end.signal.aborted ? "cancelled" : "noAnswer" });
    }
    under.current = null;
    setBusy(false);
  };
  return {
    ...state, busy,
    start: (ask) => void go(ask),
    answer: (responses) => void go(last.current!, { responses, to: state.outcome! }),
    stop: () => (state.task ? void cancelTask(last.current!, state.task.id).catch(() => {}) : under.current?.abort()),
  };
}

export function Answer({ of: call, tool }: { of: Try; tool: Pick<ToolDetail, "server" | "name"> }) {
  const { t, lang } = useI18n();
  const { head, progress, task, outcome, lost, ms, busy } = call;
  const refusal = outcome?.refusal;
  const asked = outcome !== null && (outcome.questions.length > 0 || outcome.state !== "");
  const approval = head?.approval || refusal?.approval;
  return (
    <section className="section" aria-live="polite">
      {busy && (task ?? progress) && (
        <div className="notice caution wide">
          {task ? <h2>{t("try.task")} <code>{task.id}</code> <span className="tag">{task.status}</span></h2> : approval && <h2 className="warn">{t("try.waits")}</h2>}
          {task ? <p><Visible text={task.message} /> <span className="quiet">{t("try.taskGoesOn")}</span></p> : <p><Visible text={progress!.message} /> <span className="quiet">{progress!.done}{progress!.total && ` / ${progress!.total}`}</span></p>}
          {!task && progress?.total && <progress value={Number(progress.done)} max={Number(progress.total)} aria-label={t("try.sending")} />}
          <ToApproval id={approval} />
        </div>
      )}
      {lost && <p className="notice wide bad" role="alert">{t(lost === "cancelled" ? "try.cancelled" : "try.noAnswer")}</p>}
      {refusal && (
        <div className="notice wide bad" role="alert">
          <h2 className="stop">{t("try.refused")} <code>{refusal.code}</code> {refusal.number && <code className="quiet">{refusal.number}</code>}</h2>
          <p><Visible text={refusal.message || t("try.noAnswer")} /> {refusal.field && <code className="quiet">{refusal.field}</code>}</p>
          {refusal.remedy && <p><b>{t("error.remedy")}</b> {refusal.remedy}</p>}
          {refusal.code === "frozen" && refusal.field === "name" && <Link to="/servers/$id/tools/$name" params={{ id: tool.server, name: tool.name }} search={{}}>{t("try.openTool")}</Link>}
        </div>
      )}
      {asked && !busy && <Questions of={outcome.questions} answer={call.answer} />}
      {outcome && !refusal && !asked && <Result of={outcome} />}
      {!busy && head && (
        <p className="said-of">
          {t("audit.took")} {duration(ms, lang)}{outcome && !refusal && !asked && <>, {t("calls.cost")} {head.cost === null ? t("try.seeCall") : <span title={"$" + head.cost}>{showMoney(head.cost)}</span>}</>}
          {head.call && !approval && <Link to="/calls/$id" params={{ id: head.call }}>{t("trace.openCall")}</Link>}
          <ToApproval id={approval} />
        </p>
      )}
    </section>
  );
}

function ToApproval({ id }: { id: string | null | undefined }) {
  const { t } = useI18n();
  return id ? <Link to="/approvals/$id" params={{ id }}>{t("try.openApproval")}</Link> : null;
}

function Result({ of: outcome }: { of: Outcome }) {
  const { t } = useI18n();
  return (
    <>
      <h2 className={outcome.isError ? "stop" : ""}>{t(outcome.isError ? "try.isError" : "try.answer")}</h2>
      {outcome.texts.map((text, i) => <div key={i} className="panel block mono"><LongText text={text} /></div>)}
      <details><summary>{t("try.whole")}</summary><Arguments text={outcome.result} of={t("try.whole")} /></details>
    </>
  );
}
