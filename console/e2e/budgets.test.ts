/**
 * Budgets, runs and alerts: what a reader sees of the ledger, and what an operator may do. The instance's own pages come
 * first; what its sample conversation does not hold (a closed account, brakes, a run with a plan) is canned.
 */
import type { Browser, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accounts, alerts, brakes, keys, LEDGER_RUN, runDetail, runRows } from "../dev/ledger.mjs";
import type { Account, Brake, RunDetail } from "../src/api/types";
import { accessible, BASE_URL, launch, open, signIn, type Guarded, type Setting } from "./browser";

const MOST_REQUESTS = 5;

let browser: Browser;
let now: Guarded;
/** Writes that reached the canned API, as "path body". */
let acts: string[];

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});
afterEach(async () => {
  const { troubles, context } = now;
  await context.close();
  expect(troubles).toEqual([]);
});

async function begin(setting: Setting = {}): Promise<void> {
  now = await open(browser, setting);
  await signIn(now.page);
  await now.page.locator(".strip").waitFor();
}

async function go(path: string, sight: string): Promise<void> {
  now.requests.length = 0;
  await now.page.goto(BASE_URL + path);
  await now.page.locator(sight).first().waitFor();
}

/** can answers the ledger's paths with canned data that acts change, as the server would. */
async function can(role = "operator"): Promise<void> {
  const state = { accounts: accounts(), brakes: brakes(), ended: false };
  acts = [];
  const json = (route: Route, body: unknown) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });
  const list = (route: Route, items: unknown[]) => json(route, { items, next: null, as_of: new Date().toISOString() });
  const act = (route: Route) => acts.push(new URL(route.request().url()).pathname.replace("/api/v1", "") + " " + (route.request().postData() ?? ""));
  await now.page.route("**/api/v1/session", (route) =>
    route.request().method() === "GET"
      ? json(route, { tenant: "acme", team: null, key_id: "key_reader", agent: null, user: null, role, expires_at: null })
      : route.continue());
  await now.page.route(/\/api\/v1\/accounts(\?|$)/, (route) => list(route, state.accounts));
  await now.page.route(/\/api\/v1\/keys(\?|$)/, (route) => list(route, keys()));
  await now.page.route("**/api/v1/accounts/reopen", (route) => {
    act(route);
    const { account } = route.request().postDataJSON() as { account: string };
    state.accounts = state.accounts.map((a: Account) => (a.account === account ? { ...a, closed: false } : a));
    return json(route, state.accounts.find((a) => a.account === account));
  });
  await now.page.route(/\/api\/v1\/alerts(\?|$)/, (route) => list(route, alerts()));
  await now.page.route(/\/api\/v1\/brakes(\?|$)/, (route) => list(route, state.brakes));
  await now.page.route(/\/api\/v1\/brakes\/[^/]+\/lift$/, (route) => {
    act(route);
    const [lifted, ...rest] = state.brakes as [Brake, ...Brake[]];
    state.brakes = rest;
    return json(route, { ...lifted, holds: false });
  });
  await now.page.route(/\/api\/v1\/runs(\?|$)/, (route) => list(route, runRows()));
  await now.page.route(/\/api\/v1\/runs\/[^/]+(\/end)?(\?|$)/, (route) => {
    if (route.request().method() === "POST") {
      act(route);
      state.ended = true;
    }
    const id = decodeURIComponent(/runs\/([^/?]+)/.exec(route.request().url())![1]!);
    const run = runDetail(id) as RunDetail;
    return json(route, state.ended ? { ...run, state: "ended", ended: run.last } : run);
  });
}

const tree = () => now.page.getByRole("treegrid");
const level = (row: string) => now.page.locator(".budgets .vbody .vrow", { hasText: row }).first().getAttribute("aria-level");

describe("the instance's own", () => {
  beforeEach(() => begin());

  it("budgets: every account has a cap until those without are asked for, and the address says so", async () => {
    await go("/budgets", ".budgets .vbody .vrow");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.locator(".asof time").waitFor();
    const capped = Number(await tree().getAttribute("aria-rowcount"));
    expect(await now.page.getByText("no cap", { exact: true }).count()).toBe(0);
    await now.page.getByLabel("Accounts without a cap").check();
    await now.page.waitForURL(/uncapped=1/);
    await expect.poll(async () => Number(await tree().getAttribute("aria-rowcount"))).toBeGreaterThanOrEqual(capped);
    await now.page.getByLabel("Whose").selectOption("tenant");
    await now.page.waitForURL(/kind=tenant/);
    await now.page.reload();
    await now.page.locator(".budgets .vbody .vrow").first().waitFor();
    expect(await now.page.locator(".budgets .vbody .vrow[aria-level='2']").count()).toBe(0);
  });

  it("runs, one of them, and the way to its calls and back to it from the costs", async () => {
    await go("/runs", ".runs-table tbody tr");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    now.requests.length = 0;
    await now.page.locator(".runs-table tbody a").first().click();
    await now.page.locator(".facts").waitFor();
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    const id = decodeURIComponent(/runs\/([^?]+)/.exec(now.page.url())![1]!);
    await now.page.getByRole("link", { name: "Calls of this run" }).click();
    await now.page.locator(".vbody .vrow").first().waitFor();
    expect(now.page.url()).toContain("run=" + encodeURIComponent(id));
    await go("/costs?by=run", ".costs-table");
    await now.page.locator(".costs-table tbody a").first().click();
    await now.page.waitForURL(/\/runs\/.*tenant=/);
    await now.page.locator(".facts").waitFor();
  });

  it("alerts, or the word that there are none", async () => {
    await go("/alerts", ".alerts li, .panel.empty");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.getByRole("heading", { name: "Active brakes" }).waitFor();
    await go("/alerts?run=run_that_never_was", ".panel.empty");
    await now.page.getByText("No alert matches these filters.").waitFor();
  });
});

describe("budgets as a tree", () => {
  beforeEach(async () => {
    await begin();
    await can();
    await go("/budgets", ".budgets .vbody .vrow");
  });

  it("hangs keys under teams, and agents and the parts of the plan under runs", async () => {
    expect(await level("acme")).toBe("1");
    expect(await level("team cs")).toBe("2");
    await expect.poll(() => level("key_support")).toBe("3");
    expect(await level("key_ops")).toBe("2");
    expect(await level(LEDGER_RUN)).toBe("2");
    for (const part of ["researcher-a", "planned", "reserve"]) expect(await level(part)).toBe("3");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
  });

  it("writes amounts to the last digit and draws settled and held apart", async () => {
    await now.page.getByText("$12.000000001", { exact: true }).waitFor();
    const bar = now.page.getByRole("img", { name: /^tenant acme, USD per day: \$231\.1182045 settled and \$12\.75 held of \$250\.00$/ });
    const [settled, held] = await Promise.all(["b", "i"].map((part) => bar.locator(part).evaluate((e) => e.getBoundingClientRect().width)));
    expect(settled! / held!).toBeCloseTo(231.1182045 / 12.75, 0);
    await now.page.getByText("-$0.4123", { exact: true }).waitFor();
  });

  it("walks and folds by keys", async () => {
    const rows = async () => Number(await tree().getAttribute("aria-rowcount"));
    const all = await rows();
    await tree().focus();
    await now.page.keyboard.press("Home");
    await now.page.keyboard.press("ArrowLeft");
    await expect.poll(rows).toBe(5);
    expect(await now.page.locator(".vrow.selected").getAttribute("aria-expanded")).toBe("false");
    await now.page.keyboard.press("ArrowRight");
    await expect.poll(rows).toBe(all);
    await now.page.keyboard.press("End");
    await expect.poll(() => tree().getAttribute("aria-activedescendant")).toBe("budget-" + (all - 2));
    await now.page.keyboard.press("ArrowLeft");
    await expect.poll(() => now.page.locator(".vrow.selected").getAttribute("aria-level")).toBe("1");
  });

  it("reopens a closed account after saying what it means, and not on Escape", async () => {
    const reopen = now.page.getByRole("button", { name: /^Reopen/ });
    await reopen.click();
    const dialog = now.page.getByRole("dialog", { name: "Reopen this account?" });
    await dialog.getByText(/provider billed more than the bound/).waitFor();
    await accessible(now.page, "the dialog");
    await now.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(acts).toEqual([]);
    await reopen.click();
    await dialog.getByRole("button", { name: "Reopen" }).click();
    await dialog.waitFor({ state: "hidden" });
    await expect.poll(() => reopen.count()).toBe(0);
    expect(acts).toEqual([`/accounts/reopen {"account":"team acme cs - usd day 2026-11-22T15:00:00Z"}`]);
  });

  it("keeps the dialog and says why when it is refused", async () => {
    await now.page.route("**/api/v1/accounts/reopen", (route) =>
      route.fulfill({ status: 403, contentType: "application/json", body: JSON.stringify({ error: { code: "forbidden", message: "Not you.", remedy: "Ask an operator.", field: null, request_id: "req_9" } }) }));
    await now.page.getByRole("button", { name: /^Reopen/ }).click();
    await now.page.getByRole("dialog").getByRole("button", { name: "Reopen" }).click();
    await now.page.getByRole("dialog").getByText("Ask an operator.").waitFor();
    await now.page.getByRole("button", { name: "Cancel" }).click();
    await now.page.getByText("closed", { exact: true }).waitFor();
    now.troubles.length = 0;
  });
});

describe("brakes and runs", () => {
  beforeEach(async () => {
    await begin();
    await can();
  });

  it("lifts a brake", async () => {
    await go("/alerts", ".brakes li");
    expect(await now.page.locator(".brakes li").count()).toBe(2);
    await now.page.getByText(/^Halts run run_/).waitFor();
    await now.page.getByRole("button", { name: /^Lift run_/ }).click();
    await now.page.getByRole("dialog").getByText(/Streams that were ended do not come back/).waitFor();
    await now.page.getByRole("dialog").getByRole("button", { name: "Lift" }).click();
    await expect.poll(() => now.page.locator(".brakes li").count()).toBe(1);
    expect(acts).toEqual(["/brakes/alrt_01/lift "]);
  });

  it("tells of each alert what it did and whether its messages arrived", async () => {
    await go("/alerts", ".alerts li.alert");
    const first = now.page.locator(".alerts li.alert").first();
    for (const text of ["$4.99812", "$4.50 per run", "delivered", "waiting", "the receiver answered 503"]) await first.getByText(text, { exact: true }).first().waitFor();
    await first.getByRole("link", { name: /^run_/ }).click();
    await now.page.waitForURL(/\/runs\/run_/);
  });

  it("shows a run's plan against what is used, and ends it", async () => {
    await go(`/runs/${LEDGER_RUN}?tenant=acme`, ".plan-table");
    const row = (name: string) => now.page.locator(".plan-table tr", { hasText: name }).first();
    for (const text of ["$0.21461825", "$0.06144", "$0.50"]) await row("Whole run").getByText(text, { exact: true }).waitFor();
    await row("reserve, 15%").getByText("$0.075", { exact: true }).waitFor();
    await row("researcher-a").getByText("$0.00058575", { exact: true }).waitFor();
    await row("checker").getByText("no cap", { exact: true }).waitFor();
    await now.page.getByRole("button", { name: "End the run" }).click();
    await now.page.getByRole("dialog").getByRole("button", { name: "End the run" }).click();
    await now.page.locator(".page-head").getByText("ended", { exact: true }).waitFor();
    expect(await now.page.getByRole("button", { name: "End the run" }).count()).toBe(0);
    expect(acts).toEqual([`/runs/${LEDGER_RUN}/end `]);
  });

  it("says that a run that calls merely name has no plan", async () => {
    await go("/runs/nightly-2026-11-21?tenant=acme", ".facts");
    await now.page.getByText("This run was never opened with a budget").waitFor();
    expect(await now.page.locator(".plan-table").count()).toBe(0);
  });

  it("puts brakes and the tightest budgets on the overview, within the same few requests", async () => {
    await go("/", ".plan-table");
    await now.page.locator(".brake-lines p").first().waitFor();
    expect(await now.page.locator(".plan-table tbody tr").count()).toBe(5);
    expect(await now.page.locator(".plan-table tbody tr").first().textContent()).toContain("team cs");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
  });
});

describe("a reader who may not act", () => {
  it.each(["developer", "auditor"])("%s has no buttons for it", async (role) => {
    await begin();
    await can(role);
    await go("/budgets", ".budgets .tag.risk-high");
    expect(await now.page.getByRole("button", { name: /^Reopen/ }).count()).toBe(0);
    await go("/alerts", ".brakes li");
    expect(await now.page.getByRole("button", { name: /^Lift/ }).count()).toBe(0);
    await go(`/runs/${LEDGER_RUN}?tenant=acme`, ".plan-table");
    expect(await now.page.getByRole("button", { name: "End the run" }).count()).toBe(0);
  });
});

describe("many accounts", () => {
  it("keeps the page small and folds runs", async () => {
    await begin();
    await can();
    const [sample] = accounts().filter((a) => a.kind === "run");
    const many = Array.from({ length: 4_000 }, (_, i) => ({ ...sample!, run_id: "run_" + i, account: "run acme run_" + i, unit: "usd" as const }));
    await now.page.route(/\/api\/v1\/accounts(\?|$)/, (route) =>
      route.fulfill({ contentType: "application/json", body: JSON.stringify({ items: many, next: null, as_of: new Date().toISOString() }) }));
    await go("/budgets", ".budgets .vbody .vrow");
    expect(await tree().getAttribute("aria-rowcount")).toBe("4002");
    expect(await now.page.locator(".budgets .vbody .vrow").count()).toBeLessThan(120);
    await tree().focus();
    await now.page.keyboard.press("End");
    await now.page.locator("#budget-4000.selected").waitFor();
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1440 },
  { theme: "light", lang: "ko", width: 1440 },
  { theme: "light", lang: "en", width: 390 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing on budgets, alerts and runs", async () => {
    await begin(setting);
    const check = async (path: string, sight: string) => {
      await go(path, sight);
      await accessible(now.page, path);
      const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, path + " is wider than the window").toBeLessThanOrEqual(0);
    };
    await check("/runs", ".runs-table tbody tr");
    await check("/budgets", ".budgets .vbody .vrow");
    await can();
    await check("/budgets?uncapped=1", ".budgets .vbody .vrow");
    await check("/alerts", ".alerts li.alert");
    await check("/", ".brake-lines");
    await check(`/runs/${LEDGER_RUN}?tenant=acme`, ".plan-table");
    await check("/runs/nightly-2026-11-21?tenant=acme", ".facts");
  });
});
