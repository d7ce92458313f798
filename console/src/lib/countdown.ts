/** How long is left, by the server's clock. */
import { duration, type Lang } from "./format";

export interface Countdown {
  ms: number;
  /** "4:05" below an hour, "3 h 20 m" above; "" when it is over. */
  text: string;
  level: "calm" | "soon" | "over";
}

const SOON_MS = 120_000;

/** countdown tells how long is left until a time; null where there is no such time. */
export function countdown(until: string | null | undefined, now: number, lang: Lang): Countdown | null {
  const end = Date.parse(until ?? "");
  if (Number.isNaN(end)) return null;
  const ms = end - now;
  if (ms <= 0) return { ms: 0, text: "", level: "over" };
  return { ms, text: left(ms, lang), level: ms < SOON_MS ? "soon" : "calm" };
}

function left(ms: number, lang: Lang): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds >= 3_600) return duration(seconds * 1_000, lang);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** skew is how far the server's clock is ahead of this one; below three seconds the network explains it. */
export function skew(server: number | null, here: number): number {
  if (server === null) return 0;
  const ahead = server - here;
  return Math.abs(ahead) < 3_000 ? 0 : ahead;
}
