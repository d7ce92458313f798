import { describe, expect, it } from "vitest";
import type { Approval, Policy } from "../api/types";
import { countdown, skew } from "./countdown";
import { matches } from "./glob";
import { byUrgency, changed, fits, given, hindrance, take, told } from "./inbox";
import { cell, permits, toolIds, unused } from "./policy";

const approval = (more: Partial<Approval> = {}) =>
  ({
    id: "appr_1", tenant: "acme", state: "pending", asked: "2026-01-01T00:00:00Z", expires: "2026-01-01T01:00:00Z", key_id: "key_bot", user_id: null,
    agent_id: "writer", tool_name: "files.write", run_id: null, risk_level: "medium", approvers_required: 1, approver_role: "approver", votes: [], ...more,
  }) as Approval;

describe("countdown", () => {
  const now = Date.UTC(2026, 0, 1);
  it.each([
    ["2026-01-01T00:04:05.900Z", { ms: 245_900, text: "4:05", level: "calm" }],
    ["2026-01-01T00:01:59Z", { ms: 119_000, text: "1:59", level: "soon" }],
    ["2026-01-01T03:20:00Z", { ms: 12_000_000, text: "3 h 20 m", level: "calm" }],
    ["2026-01-01T00:00:00Z", { ms: 0, text: "", level: "over" }],
    ["2025-12-31T00:00:00Z", { ms: 0, text: "", level: "over" }],
    [null, null],
    ["nonsense", null],
  ])("until %s", (until, want) => expect(countdown(until, now, "en")).toEqual(want));
  it("has words of its own in Korean", () => expect(countdown("2026-01-01T03:20:00Z", now, "ko")?.text).toBe("3시간 20분"));
  it("knows a clock that is wrong, and not the network", () => {
    expect([skew(10_000, 0), skew(-10_000, 0), skew(1_000, 0), skew(null, 5)]).toEqual([10_000, -10_000, 0, 0]);
  });
});

describe("the inbox", () => {
  const page = { items: [approval(), approval({ id: "appr_2" })], next: null, as_of: "t0" };
  it("takes in what is new, replaces what changed, drops what is decided", () => {
    expect(changed(page.items, approval({ id: "appr_3" })).map((a) => a.id)).toEqual(["appr_3", "appr_1", "appr_2"]);
    expect(changed(page.items, approval({ risk_level: "high" })).map((a) => a.risk_level)).toEqual(["high", "medium"]);
    expect(changed(page.items, approval({ state: "denied" })).map((a) => a.id)).toEqual(["appr_2"]);
    expect(changed(page.items, approval({ id: "appr_9", state: "approved" }))).toHaveLength(2);
  });
  it("begins anew with a reset, in either form", () => {
    const event = (data: unknown) => ({ event: "reset", id: "7", data: JSON.stringify(data) });
    for (const data of [[approval({ id: "appr_5" })], { items: [approval({ id: "appr_5" })] }]) {
      expect(take(page, told(event(data))!, "t1")).toEqual({ items: [approval({ id: "appr_5" })], next: null, as_of: "t1" });
    }
    expect(take(page, told(event({}))!, "t1").items).toEqual([]);
  });
  it("takes one of an event, and nothing of what it does not know", () => {
    expect(take(page, told({ event: "approval", id: "8", data: JSON.stringify(approval({ state: "approved" })) })!, "t1").items.map((a) => a.id)).toEqual(["appr_2"]);
    expect(told({ event: "ping", id: "", data: "{}" })).toBeNull();
    expect(told({ event: "approval", id: "", data: "{" })).toBeNull();
    expect(told({ event: "approval", id: "", data: "null" })).toBeNull();
  });
  it("shows first what expires first, then what is riskier", () => {
    const items = [approval(), approval({ id: "b", risk_level: "high" }), approval({ id: "c", expires: "2026-01-01T00:10:00Z", risk_level: "low" })];
    expect([...items].sort(byUrgency).map((a) => a.id)).toEqual(["c", "b", "appr_1"]);
  });
  it("filters", () => {
    expect(fits(approval(), {})).toBe(true);
    expect(fits(approval(), { agent: "writer", tool: "files.write", risk: "medium", tenant: "acme" })).toBe(true);
    expect(fits(approval(), { risk: "high" })).toBe(false);
    expect(fits(approval(), { run: "run_1" })).toBe(false);
  });
});

describe("who is offered to decide", () => {
  const who = { key_id: "key_me", user: "mina", role: "approver" };
  it.each([
    ["an approver", approval(), who, null],
    ["an admin, whatever role is asked for", approval(), { ...who, role: "admin" }, null],
    ["an operator", approval(), { ...who, role: "operator" }, "role"],
    ["an approver where an admin is asked for", approval({ approver_role: "admin" }), who, "role"],
    ["who is not signed in", approval(), undefined, "role"],
    ["the key that asked", approval({ key_id: "key_me" }), who, "own"],
    ["the user it was asked for", approval({ user_id: "mina" }), who, "own"],
    ["who has voted by another key", approval({ votes: [{ by: "other", user: "mina", role: "approver", verdict: "approve", reason: "", at: "", via: "api" }] }), who, "voted"],
    ["two people without a name are not one", approval({ votes: [{ by: "other", user: null, role: "approver", verdict: "approve", reason: "", at: "", via: "api" }] }), { ...who, user: null }, null],
    ["what is decided", approval({ state: "denied" }), who, "notPending"],
  ])("%s", (_, a, reader, want) => expect(hindrance(a, reader)).toBe(want));
  it("counts approvals only", () => {
    const vote = (verdict: "approve" | "deny") => ({ by: "x", user: null, role: "approver", verdict, reason: "", at: "", via: "api" });
    expect(given(approval({ votes: [vote("approve"), vote("deny")] }))).toBe(1);
    expect(given(approval())).toBe(0);
  });
});

describe("patterns", () => {
  it.each([
    ["*", "anything/at.all", true],
    ["files.*", "files.read", true],
    ["files.*", "filesXread", false],
    ["files.*", "db.read", false],
    ["/data/*", "/data/a/b", false],
    ["/data/**", "/data/a/b", true],
    ["**/secret", "a/b/secret", true],
    ["**/secret", "secret", true],
    ["db.{read,query}", "db.query", true],
    ["db.{read,query}", "db.write", false],
    ["db.?et", "db.get", true],
    ["db.[!g]et", "db.get", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a+(b)", "a+(b)", true],
    ["[", "[", true],
  ])("%s on %s", (pattern, text, want) => expect(matches(pattern, text)).toBe(want));
});

describe("the matrix", () => {
  const line = (name: string, operations: ("read" | "write" | "delete")[]) => ({ name, operations, resources: ["*"], max_per_minute: null, source: name });
  const agent = (id: string, tools: ReturnType<typeof line>[]) => ({ id, role: null, declared: true, models: null, requires_approval: false, max_tokens: null, tools, data: null, network: null });
  const policy = {
    tools: [{ id: "files.read", server: "files", operation: "read", resources: null, source: null }],
    agents: [agent("a", [line("files.*", ["read"]), line("files.read", ["read", "write"]), line("mail.send", ["write"]), line("old.*", ["read"])]), agent("b", [])],
  } as unknown as Policy;
  it("has the tools that are known or named", () => expect(toolIds(policy)).toEqual(["files.read", "mail.send"]));
  it("names every line that permits", () => {
    const one = cell(policy.agents[0]!, "files.read");
    expect(one.by.read?.map((l) => l.source)).toEqual(["files.*", "files.read"]);
    expect(one.by.write?.map((l) => l.source)).toEqual(["files.read"]);
    expect(one.by.delete).toBeUndefined();
    expect([permits(one), permits(cell(policy.agents[1]!, "files.read"))]).toEqual([true, false]);
  });
  it("finds lines for what is not there", () => expect(unused(policy, policy.agents[0]!).map((l) => l.name)).toEqual(["old.*"]));
});
