/**
 * The log in the console: the instance's own records, and a canned log with a real tree, where what a journey needs (a key
 * that is known, forged leaves, erased subjects, anchors) can be had.
 */
import type { Browser, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { auditLog, auditPage, auditStatus } from "../dev/audit.mjs";
import { makeCalls } from "../dev/fixtures.mjs";
import { signer } from "../dev/tree.mjs";
import type { AuditDetail } from "../src/api/types";
import { accessible, BASE_URL, launch, open, signIn, type Guarded, type Setting } from "./browser";

const MOST_REQUESTS = 5;
const canned = auditLog(makeCalls(600, Date.now()));
const { records, log, key } = canned;
const outcome = records.find((r) => r.type === "outcome" && r.content === "" && r.context.run_id)!;

let browser: Browser;
let now: Guarded;

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

interface Forgery {
  /** change is applied to every record before it is sent. */
  change?: (record: AuditDetail) => Partial<AuditDetail>;
  checkpoint?: string;
}

/** can answers for the log with the canned one. Traces of its calls are not the instance's. */
async function can({ change = () => ({}), checkpoint = log.checkpoint(key) }: Forgery = {}): Promise<void> {
  const json = (route: Route, body: unknown) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });
  await now.page.route(/\/api\/v1\/audit(\?|$)/, (route) => json(route, auditPage(records, new URL(route.request().url()).searchParams)));
  await now.page.route(/\/api\/v1\/audit\/\d+$/, (route) => {
    const record = records[Number(/\d+$/.exec(route.request().url())![0])]!;
    return json(route, { ...record, when: { ...record.when, trace_id: undefined }, ...change(record) });
  });
  await now.page.route("**/api/v1/audit/status", (route) => json(route, auditStatus(canned)));
  await now.page.route("**/audit/checkpoint", (route) => route.fulfill({ contentType: "text/plain", body: checkpoint }));
  await now.page.route("**/audit/tile/**", (route) => route.fulfill({ contentType: "application/octet-stream", body: Buffer.from(log.tile(route.request().url().split("/audit/")[1]!)) }));
}

const rows = () => now.page.locator(".audit-table tbody tr");
const step = (name: string) => now.page.locator(".steps > li", { hasText: name });

async function check(verdict: string): Promise<void> {
  await now.page.getByRole("button", { name: /^Check/ }).click();
  await now.page.locator(".verdict." + verdict).waitFor();
}

describe("the instance's own log", () => {
  beforeEach(() => begin());

  it("is a list, filtered in the address, and each record is in the tree", async () => {
    await go("/audit", ".audit-table tbody tr");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.locator("input[list]").first().fill("llm_call");
    await now.page.keyboard.press("Enter");
    await now.page.waitForURL(/action=llm_call/);
    await expect.poll(async () => new Set(await now.page.locator(".audit-table tbody td:nth-child(4) code").allTextContents())).toEqual(new Set(["llm_call"]));
    now.requests.length = 0;
    await rows().first().click();
    await now.page.waitForURL(/action=llm_call.*record=\d+/);
    await now.page.locator(".record-facts").waitFor();
    await now.page.locator(".beside .wf-row.selected").waitFor();
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await check("caution");
    for (const name of ["The leaf is of this record", "The leaf’s hash", "The newest checkpoint", "The way from the leaf to the root"]) {
      await step(name).getByText("holds", { exact: true }).waitFor();
    }
    await now.page.getByRole("link", { name: "Back to the list" }).click();
    await now.page.locator(".audit-table tbody tr").first().waitFor();
    expect(now.page.url()).toMatch(/action=llm_call$/);
  });

  it("leads to the call of a record, and its state is with the health", async () => {
    await go("/audit?action=llm_call", ".audit-table tbody tr");
    await rows().first().click();
    await now.page.getByRole("link", { name: "Open the call" }).click();
    await now.page.locator(".facts.ten").waitFor();
    await go("/health", ".gauges");
    for (const name of ["Anchors", "Retention", "Archives"]) await now.page.getByRole("heading", { name }).waitFor();
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
  });
});

describe("a canned log", () => {
  beforeEach(() => begin());

  it("comes in pages", async () => {
    await can();
    await go("/audit", ".audit-table tbody tr");
    expect(await rows().count()).toBe(100);
    await now.page.getByRole("button", { name: "Load more" }).click();
    await expect.poll(() => rows().count()).toBe(200);
    const numbers = (await now.page.locator(".audit-table tbody td:first-child").allTextContents()).map(Number);
    expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
    expect(numbers[0]).toBe(records.length - 1);
  });

  it("filters by user, subject, risk and the rest, each in the address", async () => {
    await can();
    await go("/audit", ".audit-table tbody tr");
    for (const [label, value] of [["User", "mina@example.com"], ["Data subject", "customer-8812"]] as const) {
      await now.page.getByLabel(label, { exact: true }).fill(value);
      await now.page.keyboard.press("Enter");
    }
    await now.page.getByRole("combobox", { name: "Risk", exact: true }).selectOption("low");
    await now.page.waitForURL(/user=mina.*subject=customer-8812.*risk=low/);
    const want = records.filter((r) => r.who.user_id === "mina@example.com" && r.who.subject_id === "customer-8812" && r.context.risk_level === "low").length;
    await expect.poll(() => rows().count()).toBe(want);
    await go("/audit?call=call_that_never_was", ".panel.empty");
    await now.page.getByText("No record matches these filters.").waitFor();
  });

  it("goes on looking where an answer had no match and the log goes on", async () => {
    await can();
    await now.page.route(/\/api\/v1\/audit\?.*action=erasure/, (route) => {
      const later = new URL(route.request().url()).searchParams.get("cursor") === "20001";
      return route.fulfill({ contentType: "application/json", body: JSON.stringify({ items: later ? [records[0]] : [], next: later ? null : "20001", as_of: new Date().toISOString() }) });
    });
    await go("/audit?action=erasure", ".panel.empty");
    await now.page.getByText("No match among the newest records.").waitFor();
    await now.page.getByRole("button", { name: "Look further back" }).click();
    await expect.poll(() => rows().count()).toBe(1);
    await now.page.getByText("These are all.").waitFor();
  });

  it("says who, what, when and in which context, and the budget before and after", async () => {
    await can();
    await go(`/audit?record=${outcome.index}`, ".record-facts");
    for (const name of ["Who", "What", "When", "Context", "Stations", "Tightest budget", "Proof"]) await now.page.getByRole("heading", { name, exact: true }).waitFor();
    for (const text of ["$250.00", "$18.8817955", "$18.8697955", outcome.context.run_id!]) await now.page.getByText(text, { exact: true }).first().waitFor();
    await now.page.getByRole("link", { name: "Records of this call" }).click();
    await now.page.waitForURL(new RegExp("/audit\\?call=" + outcome.call_id));
    await expect.poll(() => rows().count()).toBe(2);
  });

  it.each([["sealed", "no master key to open it"], ["erased", "can never be read again"], ["destroyed", "its content is gone"]] as const)("says plainly what %s is", async (state, words) => {
    await can();
    const record = records.find((r) => r.content === state)!;
    await go(`/audit?record=${record.index}`, ".record-facts");
    await now.page.getByRole("note").getByText(words).waitFor();
    await check("caution");
    await accessible(now.page, state);
  });

  it("proves a record against a key and a kept checkpoint, which it remembers", async () => {
    await can();
    await go(`/audit?record=${outcome.index}`, ".record-facts");
    await check("caution");
    await step("The checkpoint’s signature").getByText("No public key was given.").waitFor();
    await now.page.getByLabel("The log’s public key").fill(key.text);
    await now.page.getByLabel("A checkpoint kept elsewhere").fill(log.checkpoint(key, 100));
    await check("good");
    expect(await now.page.locator(".steps > li.good").count()).toBe(6);
    await now.page.getByText(/^The way, from the leaf up/).click();
    expect(await now.page.locator(".steps details tbody tr").count()).toBeGreaterThanOrEqual(8);
    await accessible(now.page, "a proof");
    await now.page.getByRole("button", { name: "Keep this checkpoint" }).click();
    await now.page.reload();
    await now.page.locator(".record-facts").waitFor();
    expect(await now.page.getByLabel("A checkpoint kept elsewhere").inputValue()).toBe(log.checkpoint(key));
    await check("good");
  });

  it.each<[string, Forgery, step: string, words: string]>([
    ["another tenant in the record", { change: (r) => ({ who: { ...r.who, tenant_id: "evil" } }) }, "The leaf is of this record", "What differs: tenant."],
    ["a leaf of another record", { change: () => ({ leaf_data: records[0]!.leaf_data, leaf_hash: records[0]!.leaf_hash }) }, "The way from the leaf to the root", "The way leads to another root."],
    ["a leaf hash that is not the leaf's", { change: () => ({ leaf_hash: records[0]!.leaf_hash }) }, "The leaf’s hash", "is not that of the leaf"],
    ["a checkpoint of somebody else", { checkpoint: log.checkpoint(signer(key.origin, 9)) }, "The checkpoint’s signature", "has not signed it"],
    ["a log rolled back", { checkpoint: log.checkpoint(key, outcome.index + 1) }, "The checkpoint that you kept", "smaller than it was"],
  ])("shows red and the step that fails: %s", async (_, forgery, name, words) => {
    await can(forgery);
    await go(`/audit?record=${outcome.index}`, ".record-facts");
    await now.page.getByLabel("The log’s public key").fill(key.text);
    await now.page.getByLabel("A checkpoint kept elsewhere").fill(log.checkpoint(key));
    await check("bad");
    const failed = step(name);
    expect(await failed.getAttribute("class")).toBe("bad");
    await failed.getByText(words).waitFor();
    await failed.getByText("fails", { exact: true }).waitFor();
    await accessible(now.page, "a forgery");
  });

  it("opens and checks a record by keys alone", async () => {
    await can();
    await go("/audit", ".audit-table tbody tr");
    await now.page.locator(".audit-table tbody a").first().focus();
    await now.page.keyboard.press("Enter");
    await now.page.locator(".record-facts").waitFor();
    const button = now.page.getByRole("button", { name: "Check the proof" });
    for (let i = 0; i < 60 && !(await button.evaluate((e) => e === document.activeElement)); i++) await now.page.keyboard.press("Tab");
    await now.page.keyboard.press("Enter");
    await now.page.locator(".verdict").waitFor();
  });

  it("has anchors, retention, archives and keys in the health, and says what is not known", async () => {
    await can();
    await go("/health", ".gauges");
    for (const text of [key.origin, "/mnt/worm/checkpoints", "40 behind", "409: the witness has seen a larger tree", "1,825 days", "ever", "118 open, 4 destroyed"]) {
      await now.page.getByText(text, { exact: true }).first().waitFor();
    }
    await accessible(now.page, "the state of the log");
    await now.page.route("**/api/v1/audit/status", (route) => route.fulfill({ status: 404, contentType: "application/json", body: JSON.stringify({ error: { code: "not_found", message: "no" } }) }));
    await now.page.reload();
    await now.page.locator(".gauges").waitFor();
    await expect.poll(() => now.page.getByText("not known", { exact: true }).count()).toBe(6);
    now.troubles.length = 0;
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1440 },
  { theme: "light", lang: "ko", width: 1440 },
  { theme: "light", lang: "en", width: 480 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing on the list, a record and the state", async () => {
    await begin(setting);
    await can();
    for (const [path, sight] of [["/audit", ".audit-table"], [`/audit?record=${outcome.index}`, ".record-facts"], ["/health", ".gauges"]] as const) {
      await go(path, sight);
      await accessible(now.page, path);
      const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, path + " is wider than the window").toBeLessThanOrEqual(0);
    }
  });
});
