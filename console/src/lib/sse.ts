/**
 * Server-sent events over fetch. The browser's EventSource tells neither the status of a refusal nor that a stream went
 * silent; here a lost connection is known, is said, and is taken up again from the last id.
 */

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

/** SseParser turns text as it arrives into events. A line may end in LF, CR or CRLF, and be cut anywhere. */
export class SseParser {
  /** What to send as Last-Event-ID: the newest id of an event that is complete. */
  lastId = "";
  private rest = "";
  private first = true;
  private event = "";
  private data: string[] = [];
  private id = "";

  feed(text: string): ServerEvent[] {
    let all = this.rest + text;
    if (this.first && all !== "") {
      this.first = false;
      if (all.startsWith("\ufeff")) all = all.slice(1);
    }
    const out: ServerEvent[] = [];
    let from = 0;
    for (let at = 0; at < all.length; at++) {
      const char = all[at];
      if (char !== "\n" && char !== "\r") continue;
      // A CR at the very end may be half of a CRLF: the line waits for what follows.
      if (char === "\r" && at === all.length - 1) break;
      const found = this.line(all.slice(from, at));
      if (found) out.push(found);
      if (char === "\r" && all[at + 1] === "\n") at++;
      from = at + 1;
    }
    this.rest = all.slice(from);
    return out;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    return null;
  }

  private dispatch(): ServerEvent | null {
    const { event, data, id } = this;
    this.event = "";
    this.data = [];
    this.lastId = id;
    return data.length === 0 ? null : { event: event || "message", data: data.join("\n"), id };
  }
}

/** live: events arrive. lost: it will be tried again. refused: the server does not want it, and asking again is no use. */
export type LinkState = "connecting" | "live" | "lost" | "refused";

export interface Follow {
  path: string;
  event: (event: ServerEvent) => void;
  state: (state: LinkState) => void;
  /** opened is told the server's clock, in milliseconds, as each connection opens. */
  opened?: (serverTime: number | null) => void;
  fetch?: typeof fetch;
  /** wait resolves after so many milliseconds, or when the signal ends it. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A stream that says nothing for so long, not even a comment, is lost. */
export const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** follow keeps a stream open until the signal ends it. */
export async function follow(of: Follow, signal: AbortSignal): Promise<void> {
  const wait = of.wait ?? pause;
  // "0" is older than every event: the first answer begins with all that is pending, so nothing falls between.
  let lastId = "0";
  let pauseMs = FIRST_WAIT_MS;
  of.state("connecting");
  while (!signal.aborted) {
    try {
      const got = await once(of, lastId, signal);
      if (got === "refused") return of.state("refused");
      lastId = got.lastId;
      if (got.events > 0) pauseMs = FIRST_WAIT_MS;
    } catch (cause) {
      if (signal.aborted) return;
      if (cause instanceof Lost) lastId = cause.lastId;
    }
    if (signal.aborted) return;
    of.state("lost");
    await wait(pauseMs, signal);
    pauseMs = Math.min(LONGEST_WAIT_MS, pauseMs * 2);
  }
}

class Lost extends Error {
  constructor(readonly lastId: string) {
    super("lost");
  }
}

async function once(of: Follow, lastId: string, signal: AbortSignal): Promise<"refused" | { lastId: string; events: number }> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener("abort", stop);
  const parser = new SseParser();
  let events = 0;
  let timer = setTimeout(stop, SILENCE_MS);
  try {
    const answer = await (of.fetch ?? fetch)(of.path, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": lastId }, credentials: "same-origin", cache: "no-store", signal: own.signal,
    });
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429) return "refused";
    if (!answer.ok || !answer.body) return { lastId, events };
    if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return "refused";
    const clock = Date.parse(answer.headers.get("Date") ?? "");
    of.opened?.(Number.isNaN(clock) ? null : clock);
    of.state("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      for (const event of parser.feed(value)) {
        events++;
        of.event(event);
      }
    }
    return { lastId: parser.lastId || lastId, events };
  } catch {
    throw new Lost(parser.lastId || lastId);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    own.abort();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
