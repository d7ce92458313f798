/**
 * A status as a semaphore: raised is clear, half is caution, level is stop. The shape tells it without colour, and the
 * word beside it tells it without the picture.
 */
import { useI18n, type Key } from "../i18n";

type Aspect = "ok" | "caution" | "stop";

const ASPECTS: Record<string, Aspect> = {
  ok: "ok",
  denied: "stop",
  blocked: "stop",
  failed: "stop",
  error: "stop",
  down: "stop",
};

const WORDS: Record<string, Key> = {
  ok: "outcome.ok",
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

const ARMS: Record<Aspect, string> = { ok: "M5 8V1.2", caution: "M5 8 10 3", stop: "M5 8h7.5" };

export function aspect(status: string): Aspect {
  return ASPECTS[status] ?? "caution";
}

/** useStatusWord translates a status; one that is not known is shown as the API wrote it. */
export function useStatusWord(): (status: string) => string {
  const { t } = useI18n();
  return (status) => (WORDS[status] ? t(WORDS[status]) : status);
}

export function Signal({ status, title }: { status: string; title?: string | null }) {
  const word = useStatusWord()(status);
  const at = aspect(status);
  return (
    <span className={"signal " + at} {...(title ? { title } : {})}>
      <svg viewBox="0 0 14 14" aria-hidden="true" focusable="false">
        <path d="M5 13V8" stroke="currentColor" strokeWidth="1.5" opacity="0.55" />
        <path d={ARMS[at]} stroke="currentColor" strokeWidth="3" />
        <circle cx="5" cy="8" r="1.8" fill="currentColor" />
      </svg>
      <span>{word}</span>
    </span>
  );
}
