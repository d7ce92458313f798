import { afterEach, describe, expect, it, vi } from "vitest";
import { follow, SILENCE_MS, SseParser, type LinkState } from "./sse";

describe("SseParser", () => {
  const all = (...chunks: string[]) => {
    const parser = new SseParser();
    return { events: chunks.flatMap((chunk) => parser.feed(chunk)), lastId: parser.lastId };
  };
  it("reads events, with defaults, lines, comments and fields it does not know", () => {
    expect(all(": hello\n\nevent: approval\nid: 7\ndata: a\ndata:b\ndata\nwhat: x\nretry: 5\n\ndata:  two\n\n")).toEqual({
      events: [{ event: "approval", id: "7", data: "a\nb\n" }, { event: "message", id: "7", data: " two" }], lastId: "7",
    });
  });
  it.each(["\n", "\r", "\r\n"])("ends lines with %j, cut at any place", (end) => {
    const text = ["\ufeffevent: reset", "id: 1", "data: []", "", "data: x", "", ""].join(end);
    const want = [{ event: "reset", id: "1", data: "[]" }, { event: "message", id: "1", data: "x" }];
    expect(all(text, "\n").events).toEqual(want);
    expect(all(...text, "\n").events).toEqual(want);
  });
  it("does not give what is not complete, nor count its id", () => {
    expect(all("id: 1\ndata: a\n\nid: 2\ndata: b\n")).toEqual({ events: [{ event: "message", id: "1", data: "a" }], lastId: "1" });
  });
  it("sends nothing without data, and ignores an id with a NUL", () => {
    expect(all("event: x\n\nid: a\0b\ndata: y\n\n")).toEqual({ events: [{ event: "message", id: "", data: "y" }], lastId: "" });
  });
});

afterEach(() => vi.useRealTimers());

describe("follow", () => {
  const stream = (text: string, open = false) =>
    new Response(new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        if (!open) controller.close();
      },
    }), { headers: { "Content-Type": "text/event-stream", Date: "Thu, 01 Jan 2026 00:00:00 GMT" } });

  async function run(answers: (() => Promise<Response> | Response)[]) {
    const end = new AbortController();
    const states: LinkState[] = [];
    const events: string[] = [];
    const asked: (string | null)[] = [];
    const waits: number[] = [];
    const clocks: (number | null)[] = [];
    await follow({
      path: "/events",
      event: (e) => events.push(e.data),
      state: (s) => states.push(s),
      opened: (clock) => clocks.push(clock),
      fetch: async (_, init) => {
        asked.push(new Headers(init?.headers).get("Last-Event-ID"));
        return answers.shift()!();
      },
      wait: async (ms) => {
        waits.push(ms);
        if (answers.length === 0) end.abort();
      },
    }, end.signal);
    return { states, events, asked, waits, clocks };
  }

  it("comes back with the last id, waits longer each time it fails, and less after it was well", async () => {
    const fail = () => Promise.reject(new TypeError("no network"));
    const got = await run([() => stream("id: 4\ndata: a\n\n"), fail, () => new Response("", { status: 503 }), () => stream("id: 9\ndata: b\n\n"), fail]);
    expect(got.events).toEqual(["a", "b"]);
    expect(got.asked).toEqual(["0", "4", "4", "4", "9"]);
    expect(got.waits).toEqual([1_000, 2_000, 4_000, 1_000, 2_000]);
    expect(got.states).toEqual(["connecting", "live", "lost", "lost", "lost", "live", "lost", "lost"]);
    expect(got.clocks).toEqual([Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1)]);
  });
  it.each([401, 403, 404])("does not ask again after %i", async (status) => {
    const got = await run([() => new Response("", { status })]);
    expect([got.states, got.waits]).toEqual([["connecting", "refused"], []]);
  });
  it("does not take a page for a stream", async () => {
    const got = await run([() => new Response("<html>", { headers: { "Content-Type": "text/html" } })]);
    expect(got.states).toEqual(["connecting", "refused"]);
  });
  it("takes a stream that went silent for lost", async () => {
    vi.useFakeTimers();
    const end = new AbortController();
    const states: LinkState[] = [];
    const done = follow({
      path: "/events", event: () => undefined, state: (s) => states.push(s),
      fetch: async (_, init) => {
        const body = new ReadableStream({
          start(controller) {
            init?.signal?.addEventListener("abort", () => controller.error(new DOMException("", "AbortError")));
          },
        });
        return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
      },
      wait: async () => end.abort(),
    }, end.signal);
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 1);
    await done;
    expect(states).toEqual(["connecting", "live", "lost"]);
  });
});
