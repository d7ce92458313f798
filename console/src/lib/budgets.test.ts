import { describe, expect, it } from "vitest";
import type { Account } from "../api/types";
import { budgetRows, budgetTree, fill, showAmount, tightest, withTeams } from "./budgets";

const account = (kind: Account["kind"], more: Partial<Account>): Account => ({
  account: [kind, more.team, more.key_id, more.agent_id, more.run_id, more.unit, more.per].join(" "),
  kind, tenant: "acme", team: null, key_id: null, agent_id: null, run_id: null, unit: "usd", per: "day", starts_at: null, resets_at: null,
  cap: "1.000000000", settled: "0.000000000", held: "0.000000000", left: "1.000000000", soft: false, closed: false, on_cap: "refuse", ...more,
});

describe("budgetTree", () => {
  const names = (accounts: Account[]) => budgetTree(accounts).map((o) => "  ".repeat(o.depth) + o.kind + (o.name && " " + o.name));

  it("puts keys under their team, and a run's parts under the run, in whatever order they come", () => {
    const all = [
      account("reserve", { run_id: "r1", per: "run" }), account("run_agent", { run_id: "r1", agent_id: "b", per: "run" }),
      account("key", { key_id: "k2" }), account("planned", { run_id: "r1", per: "run" }), account("agent", { agent_id: "b" }),
      account("key", { key_id: "k1", team: "cs" }), account("run", { run_id: "r1", per: "run" }), account("team", { team: "cs" }), account("tenant", {}),
    ];
    const want = ["tenant acme", "  team cs", "    key k1", "  key k2", "  agent b", "  run r1", "    run_agent b", "    planned", "    reserve"];
    expect(names(all)).toEqual(want);
    expect(names([...all].reverse())).toEqual(want);
  });
  it("makes the owners that have no account themselves", () => {
    const tree = budgetTree([account("run_agent", { run_id: "r1", agent_id: "a", per: "run" })]);
    expect(tree.map((o) => [o.kind, o.accounts.length, o.inside])).toEqual([["tenant", 0, 2], ["run", 0, 1], ["run_agent", 1, 0]]);
  });
  it("keeps tenants, and agents and runs of equal names, apart", () => {
    const tree = budgetTree([account("agent", { agent_id: "x" }), account("run", { run_id: "x" }), account("agent", { tenant: "globex", agent_id: "x" })]);
    expect(tree.map((o) => o.tenant + " " + o.kind)).toEqual(["acme tenant", "acme agent", "acme run", "globex tenant", "globex agent"]);
  });
  it("puts money first, long windows before short ones, the newest first", () => {
    const [tenant] = budgetTree([
      account("tenant", { unit: "concurrent", per: null }), account("tenant", { per: "day", starts_at: "2026-11-21T00:00:00Z" }),
      account("tenant", { per: "day", starts_at: "2026-11-22T00:00:00Z" }), account("tenant", { per: "month" }),
    ]);
    expect(tenant!.accounts.map((a) => [a.unit, a.per, a.starts_at?.slice(8, 10)])).toEqual([["usd", "month", undefined], ["usd", "day", "22"], ["usd", "day", "21"], ["concurrent", null, undefined]]);
  });
});

it("withTeams puts keys under the team that the list of keys names", () => {
  const accounts = [account("key", { key_id: "a" }), account("key", { key_id: "b" }), account("key", { key_id: "c", team: "own" }), account("agent", { agent_id: "a" })];
  expect(withTeams(accounts, [{ id: "a", team: "cs" }, { id: "c", team: "cs" }]).map((a) => a.team)).toEqual(["cs", null, "own", null]);
});

describe("budgetRows", () => {
  const tree = budgetTree([
    account("tenant", {}), account("tenant", { per: "month" }), account("team", { team: "cs" }), account("key", { key_id: "k", team: "cs" }), account("agent", { agent_id: "a" }),
  ]);
  it("has a line for every account, the owner's name on its first", () => {
    expect(budgetRows(tree, () => false).map((r) => [r.owner.kind, r.first])).toEqual([["tenant", true], ["tenant", false], ["team", true], ["key", true], ["agent", true]]);
  });
  it("keeps a folded owner's own accounts and leaves out what is below", () => {
    expect(budgetRows(tree, (o) => o.kind === "team").map((r) => r.owner.kind)).toEqual(["tenant", "tenant", "team", "agent"]);
    expect(budgetRows(tree, (o) => o.inside > 0).map((r) => r.owner.kind)).toEqual(["tenant", "tenant"]);
  });
  it("has a line for an owner without accounts, too", () => {
    const rows = budgetRows(budgetTree([account("team", { team: "cs" })]), () => false);
    expect(rows.map((r) => [r.owner.kind, r.account?.kind ?? null])).toEqual([["tenant", null], ["team", "team"]]);
  });
});

describe("showAmount", () => {
  it.each([
    ["usd", "0.000000001", "$0.000000001"], ["usd", "0.500000000", "$0.50"], ["usd", "-0.412300000", "-$0.4123"], ["usd", "9007199254740993.000000001", "$9,007,199,254,740,993.000000001"],
    ["tokens", "18204551", "18,204,551"], ["steps", "-3", "-3"], ["steps", "0", "0"], ["usd", null, "–"], ["usd", "much", "–"],
  ] as const)("%s %s is %s", (unit, text, want) => {
    expect(showAmount(unit, text)).toBe(want);
  });
});

describe("fill", () => {
  const of = (cap: string | null, settled: string, held: string) => fill({ cap, settled, held });
  it("shows settled and held apart", () => {
    expect(of("0.500000000", "0.125000000", "0.250000000")).toEqual({ settled: 25, held: 50, over: false });
  });
  it("never leaves the bar, and says when there is more than the cap", () => {
    expect(of("1", "3", "1")).toEqual({ settled: 75, held: 25, over: true });
    expect(of("0", "0", "0")).toEqual({ settled: 0, held: 0, over: false });
    expect(of("10", "-2", "5")).toEqual({ settled: 0, held: 50, over: false });
  });
  it("is nothing without a cap", () => {
    expect(of(null, "3", "1")).toBeNull();
  });
});

describe("tightest", () => {
  const at = (name: string, cap: string | null, settled: string, left: string | null, more: Partial<Account> = {}) => account("agent", { agent_id: name, cap, settled, left, ...more });
  const names = (accounts: Account[], most = 9) => tightest(accounts, most).map((a) => a.agent_id);
  it("orders by what is left of the cap, closed accounts and overruns first", () => {
    expect(names([
      at("half", "10", "5", "5"), at("tenth", "1000", "900", "100"), at("over", "10", "11", "-1"), at("closed", "10", "1", "9", { closed: true }), at("zero", "0", "1", "-1"),
    ])).toEqual(["closed", "over", "zero", "tenth", "half"]);
  });
  it("leaves out what is unused, uncapped or over in a moment", () => {
    expect(names([at("new", "10", "0", "10"), at("open", null, "5", null), at("blink", "10", "9", "1", { per: "minute" }), at("now", "10", "9", "1", { per: null })])).toEqual([]);
  });
  it("compares amounts that floats cannot tell apart", () => {
    const [a, b] = [at("a", "9007199254740993.000000000", "1", "0.000000002"), at("b", "9007199254740993.000000000", "1", "0.000000001")];
    expect(names([a, b], 1)).toEqual(["b"]);
  });
});
