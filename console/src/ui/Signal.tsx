/**
 * A status as a semaphore: lowered is clear, raised is caution, level is stop. The shape tells it without colour, and the
 * word beside it tells it without the picture.
 */
import { useI18n, type Key } from "../i18n";

type Aspect = "ok" | "caution" | "stop";

const ASPECTS: Record<string, Aspect> = {
  ok: "ok",
  passed: "ok",
  denied: "stop",
  blocked: "stop",
  failed: "stop",
  error: "stop",
  down: "stop",
};

const WORDS: Record<string, Key> = {
  ok: "outcome.ok",
  passed: "station.passed",
  denied: "outcome.denied",
  blocked: "outcome.blocked",
  failed: "outcome.failed",
  cancelled: "outcome.cancelled",
  unknown: "outcome.unknown",
  running: "outcome.running",
  error: "status.error",
  degraded: "status.degraded",
  down: "status.down",
};

const ARMS: Record<Aspect, string> = { ok: "M5.5 4.5 12 11", caution: "M5.5 8.5 12 2", stop: "M5.5 5h9.5" };

export function aspect(status: string): Aspect {
  return ASPECTS[status] ?? "caution";
}

/** useStatusWord translates a status; one that is not known is shown as the API wrote it. */
export function useStatusWord(): (status: string) => string {
  const { t } = useI18n();
  return (status) => (WORDS[status] ? t(WORDS[status]) : status);
}

interface SignalProps {
  status: string;
  title?: string | null;
  /** word replaces the status' own word, where the same arm means something more exact. */
  word?: string;
}

export function Signal({ status, title, word: given }: SignalProps) {
  const own = useStatusWord()(status);
  const word = given ?? own;
  const at = aspect(status);
  return (
    <span className={"signal " + at} {...(title ? { title } : {})}>
      <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <path d="M4.2 15V1M2.2 15h4" className="post" />
        <path d={ARMS[at]} stroke="currentColor" strokeWidth="3.6" />
      </svg>
      <span>{word}</span>
    </span>
  );
}
