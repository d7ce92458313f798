import { describe, expect, it } from "vitest";
import { query } from "../api/client";
import type { Call } from "../api/types";
import { csv } from "./csv";
import { isServerPage, localPath, parseSearch, stringifySearch } from "./search";
import { fillHours, moments, stackCosts } from "./series";
import { groupTraces } from "./traces";
import { bounds, fromLocalInput, localInput } from "./time";

describe("csv", () => {
  it("quotes what must be quoted and disarms formulas", () => {
    expect(csv([["a,b", 'say "hi"', "two\nlines"], ["=1+1", "-x", "-1.5"], [3, null, "plain"]])).toBe(
      '"a,b","say ""hi""","two\nlines"\r\n\'=1+1,\'-x,-1.5\r\n3,,plain\r\n',
    );
  });
});

describe("search", () => {
  it("keeps texts that look like numbers", () => {
    expect(parseSearch("?run=0012&agent=a%2Bb&empty=")).toEqual({ run: "0012", agent: "a+b" });
    expect(stringifySearch({ run: "0012", agent: "a+b", none: undefined })).toBe("?run=0012&agent=a%2Bb");
    expect(stringifySearch({})).toBe("");
  });
  it.each([
    ["/calls?run=1", "/calls?run=1"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["https://evil.example", "/"],
    ["/login?next=/login", "/"],
    [undefined, "/"],
  ])("comes back from %s to %s", (text, want) => expect(localPath(text)).toBe(want));
  it.each([
    ["/decide/appr_1", true],
    ["/decide", false],
    ["/approvals/appr_1", false],
  ])("leaves the console for %s: %s", (text, want) => expect(isServerPage(text)).toBe(want));
  it("writes equal queries for equal filters", () => {
    expect(query({ b: 2, a: "x", c: "" })).toBe(query({ a: "x", b: 2, d: undefined }));
  });
});

describe("time", () => {
  it("gives UTC", () => {
    expect(bounds("1h", Date.UTC(2026, 10, 22, 12, 0, 0, 345))).toEqual({
      from: "2026-11-22T11:00:00.345Z",
      to: "2026-11-22T12:00:00.345Z",
    });
  });
  it("goes through a local field and back", () => {
    expect(fromLocalInput(localInput("2026-11-22T11:05:00Z"))).toBe("2026-11-22T11:05:00Z");
    expect(localInput("nonsense")).toBe("");
    expect(fromLocalInput("")).toBeUndefined();
  });
});

describe("stackCosts", () => {
  const point = (time: string, cost: string) => ({ time, cost, calls: 1, failures: 0, input_tokens: 0, output_tokens: 0, unpriced: 0 });
  const total = (key: string, cost: string) => ({ key, tenant: null, cost, calls: 1, failures: 0, input_tokens: 0, output_tokens: 0, unpriced: 0 });
  const costs = {
    from: "2026-01-01T00:00:00Z",
    to: "2026-01-01T03:00:00Z",
    bucket: "hour" as const,
    series: [
      { key: "small", points: [point("2026-01-01T01:00:00Z", "0.10")] },
      { key: "big", points: [point("2026-01-01T00:00:00Z", "2"), point("2026-01-01T01:00:00Z", "1")] },
      { key: "tiny", points: [point("2026-01-01T00:00:00Z", "0.01")] },
    ],
    totals: [total("small", "0.10"), total("tiny", "0.01"), total("big", "3")],
  };
  it("names the largest, gathers the rest, and fills holes with zero", () => {
    const stack = stackCosts(costs, 1);
    expect(stack.keys).toEqual(["big", null]);
    expect(stack.values).toEqual([[2, 1, 0], [0.01, 0.1, 0]]);
    expect(stack.tops).toEqual([[2, 1, 0], [2.01, 1.1, 0]]);
  });
  it("has no times where the API sends no series", () => expect(stackCosts({ ...costs, series: [] }, 3).times).toEqual([]));
  it("lists hours and days in UTC, the last one that has begun included", () => {
    expect(moments("2026-01-01T10:20:00.5Z", "2026-01-01T12:00:01Z", "hour")).toEqual([
      "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z",
    ]);
    expect(moments("2026-01-01T10:20:00Z", "2026-01-03T00:00:00Z", "day")).toEqual(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]);
  });
  it("fills silent hours with zeros", () => {
    const filled = fillHours([point("2026-01-01T01:00:00Z", "5")], "2026-01-01T00:30:00Z", "2026-01-01T02:10:00Z");
    expect(filled.map((p) => [p.time.slice(11, 13), p.calls, p.cost])).toEqual([["00", 0, "0"], ["01", 1, "5"], ["02", 0, "0"]]);
  });
  it("has no rest when all are named", () => expect(stackCosts(costs, 3).keys).toEqual(["big", "small", "tiny"]));
});

describe("groupTraces", () => {
  const call = (trace_id: string | null, time: string, more: Partial<Call> = {}) =>
    ({ trace_id, time, outcome: "ok", cost_estimate: "0.10", agent_id: "a", simulated: false, ...more }) as Call;
  it("keeps the newest first, counts what it saw, and adds money exactly", () => {
    const seen = groupTraces([
      call("t2", "2026-01-01T03:00:00Z", { outcome: "failed", cost_estimate: "0.20" }),
      call(null, "2026-01-01T02:30:00Z"),
      call("t1", "2026-01-01T02:00:00Z", { cost_estimate: null, simulated: true }),
      call("t2", "2026-01-01T01:00:00Z", { agent_id: "b" }),
    ]);
    expect(seen).toEqual([
      { trace: "t2", first: "2026-01-01T01:00:00Z", calls: 2, failures: 1, nano: 300_000_000n, agents: ["a", "b"], simulated: false },
      { trace: "t1", first: "2026-01-01T02:00:00Z", calls: 1, failures: 0, nano: 0n, agents: ["a"], simulated: true },
    ]);
  });
});
