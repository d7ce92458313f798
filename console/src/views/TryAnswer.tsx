/** What comes of a call that is tried out: progress while it is under way, then its answer or why it was refused. */
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n";
import { duration } from "../lib/format";
import { showMoney } from "../lib/money";
import { callTool, type Ask, type Head, type Outcome, type Progress } from "../lib/tryout";
import { Arguments, LongText, Visible } from "../ui/Visible";

interface State {
  head: Head | null;
  progress: Progress | null;
  outcome: Outcome | null;
  /** Why there is no outcome. */
  lost: "cancelled" | "noAnswer" | null;
  ms: number;
}

const NOTHING: State = { head: null, progress: null, outcome: null, lost: null, ms: 0 };

export interface Try extends State {
  busy: boolean;
  start: (ask: Ask) => void;
  stop: () => void;
}

/** useTry makes one call at a time. One that is under way is cancelled with the page. */
export function useTry(): Try {
  const [state, set] = useState(NOTHING);
  const [busy, setBusy] = useState(false);
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);
  const start = async (ask: Ask) => {
    if (under.current) return;
    const end = (under.current = new AbortController());
    const began = performance.now();
    const note = (more: Partial<State>) => set((was) => ({ ...was, ...more, ms: performance.now() - began }));
    set(NOTHING);
    setBusy(true);
    try {
      note({ outcome: await callTool(ask, { head: (head) => note({ head }), progress: (progress) => note({ progress }) }, end.signal) });
    } catch {
      note({ lost: end.signal.aborted ? "cancelled" : "noAnswer" });
    }
    under.current = null;
    setBusy(false);
  };
  return { ...state, busy, start: (ask) => void start(ask), stop: () => under.current?.abort() };
}

export function Answer({ of: { head, progress, outcome, lost, ms, busy } }: { of: Try }) {
  const { t, lang } = useI18n();
  return (
    <section className="section" aria-live="polite">
      {busy && progress && (
        <div className="notice caution wide">
          {head?.approval && <h2 className="warn">{t("try.waits")}</h2>}
          <p><Visible text={progress.message} /> <span className="quiet">{progress.done}{progress.total && ` / ${progress.total}`}</span></p>
          {progress.total && <progress value={Number(progress.done)} max={Number(progress.total)} aria-label={t("try.sending")} />}
          <ToApproval id={head?.approval} />
        </div>
      )}
      {lost && <p className="notice wide bad" role="alert">{t(lost === "cancelled" ? "try.cancelled" : "try.noAnswer")}</p>}
      {outcome?.refusal && (
        <div className="notice wide bad" role="alert">
          <h2 className="stop">{t("try.refused")} <code>{outcome.refusal.code}</code></h2>
          <p><Visible text={outcome.refusal.message || t("try.noAnswer")} /> {outcome.refusal.field && <code className="quiet">{outcome.refusal.field}</code>}</p>
          {outcome.refusal.remedy && <p><b>{t("error.remedy")}</b> {outcome.refusal.remedy}</p>}
        </div>
      )}
      {outcome && !outcome.refusal && <Result of={outcome} />}
      {!busy && head && (
        <p className="said-of">
          {t("try.took")} {duration(ms, lang)}{outcome && !outcome.refusal && <>, {t("calls.cost")} {head.cost === null ? t("try.seeCall") : <span title={"$" + head.cost}>{showMoney(head.cost)}</span>}</>}
          {head.call && !head.approval && <Link to="/calls/$id" params={{ id: head.call }}>{t("try.openCall")}</Link>}
          <ToApproval id={head.approval} />
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
