/**
 * What a reader does, against a running Signalbox with the sample conversation in it (or the mock): sign in, look, filter,
 * open a call, walk through its trace, read costs, look after the machine, change language and colours, leave.
 */
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BIG_TRACE, bigTrace, tracePage } from "../dev/fixtures.mjs";
import { accessible, BASE_URL, launch, open, signIn, type Guarded, type Setting } from "./browser";

/** A page may ask the API for this many things. */
const MOST_REQUESTS = 5;

let browser: Browser;
let now: Guarded;

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});

async function begin(setting: Setting = {}): Promise<void> {
  now = await open(browser, setting);
}

async function go(path: string, sight: string): Promise<void> {
  now.requests.length = 0;
  await now.page.goto(BASE_URL + path);
  await now.page.locator(sight).first().waitFor();
}

afterEach(async () => {
  const { troubles, context } = now;
  await context.close();
  expect(troubles).toEqual([]);
});

describe("signing in", () => {
  beforeEach(() => begin());

  it("refuses a wrong key in words and stays", async () => {
    await signIn(now.page, "sb_this_is_not_a_key_at_all");
    await now.page.getByText("This key is not known here").waitFor();
    expect(new URL(now.page.url()).pathname).toBe("/login");
  });

  it("asks for a key when there is none", async () => {
    await signIn(now.page, "");
    await now.page.getByText("Enter an API key.").waitFor();
    expect(now.requests.some((r) => r.startsWith("POST"))).toBe(false);
  });

  it("leads back to the view that was asked for, and out again", async () => {
    await now.page.goto(BASE_URL + "/calls?kind=model");
    await now.page.locator("input[name=key]").waitFor();
    await now.page.locator("input[name=key]").fill(process.env["SB_KEY"] ?? process.env["SIGNALBOX_API_KEY"] ?? "");
    await now.page.keyboard.press("Enter");
    await now.page.locator(".vtable").waitFor();
    expect(now.page.url()).toBe(BASE_URL + "/calls?kind=model");
    await now.page.getByRole("button", { name: "Sign out" }).click();
    await now.page.locator("input[name=key]").waitFor();
    await now.page.goto(BASE_URL + "/costs");
    await now.page.locator("input[name=key]").waitFor();
  });

  it("keeps the key out of the page's storage and out of scripts' reach", async () => {
    await signIn(now.page);
    await now.page.locator(".strip").waitFor();
    const kept = await now.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
    expect(kept).not.toContain("sb_");
    const cookies = await now.context.cookies();
    expect(cookies.map((c) => [c.httpOnly, c.sameSite])).toEqual([[true, "Strict"]]);
  });
});

describe("signed in", () => {
  beforeEach(async () => {
    await begin();
    await signIn(now.page);
    await now.page.locator(".strip").waitFor();
  });

  it("sees the last 24 hours: figures, chart, failures, and when they are from", async () => {
    await go("/", ".strip .value");
    const calls = await now.page.locator(".strip .value").first().textContent();
    expect(Number(calls!.replace(/[^\d]/g, ""))).toBeGreaterThan(0);
    await now.page.locator(".uplot canvas").waitFor();
    await now.page.locator(".asof time").waitFor();
    await now.page.getByText("The figures as a table").click();
    expect(await now.page.locator("details.figures tbody tr").count()).toBeGreaterThan(0);
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
  });

  it("filters calls, and the address is the filter", async () => {
    await go("/calls", ".vbody .vrow");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.getByLabel("Kind").selectOption("tool");
    await now.page.waitForURL(/\?kind=tool$/);
    await now.page.locator(".vbody .kind.tool").first().waitFor();
    await expect.poll(() => now.page.locator(".vbody .kind.model").count()).toBe(0);
    await now.page.reload();
    await now.page.locator(".vbody .kind.tool").first().waitFor();
    expect(await now.page.getByLabel("Kind").inputValue()).toBe("tool");
    await now.page.getByRole("button", { name: "Clear filters" }).click();
    await now.page.locator(".vbody .kind.model").first().waitFor();
  });

  it("says so when no call matches", async () => {
    await go("/calls?run=run_that_never_was", ".empty");
    await now.page.getByText("No call matches these filters.").waitFor();
  });

  it("walks through calls by keys and opens one: the ten fields, the stations, the attempts", async () => {
    await go("/calls?outcome=ok", ".vbody .vrow a");
    await now.page.locator(".vbody .vrow a").first().focus();
    await now.page.keyboard.press("ArrowDown");
    await expect.poll(() => now.page.evaluate(() => (document.activeElement as HTMLElement).dataset["row"])).toBe("1");
    await now.page.keyboard.press("Home");
    await expect.poll(() => now.page.evaluate(() => (document.activeElement as HTMLElement).dataset["row"])).toBe("0");
    now.requests.length = 0;
    await now.page.keyboard.press("Enter");
    await now.page.locator(".track").waitFor();
    const fields = await now.page.locator(".ten code").allTextContents();
    expect(fields).toEqual([
      "request_id", "run_id", "agent_id", "tool_name", "model_name", "latency_ms", "input_tokens", "output_tokens",
      "cost_estimate", "risk_level",
    ]);
    expect(await now.page.locator(".track li").count()).toBe(9);
    expect(await now.page.locator(".track li.halted").count()).toBe(0);
    // What was held before it left is shown beside what it cost.
    await now.page.locator(".attempts-table th", { hasText: /^Held$/ }).waitFor();
    expect(await now.page.locator(".attempts-table tbody td:nth-child(8)").first().textContent()).toMatch(/^[<$]/);
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.goBack();
    await now.page.locator(".vbody .vrow").first().waitFor();
  });

  it("never shows a station that did not run as passed", async () => {
    await go("/calls?outcome=ok", ".vbody .vrow a");
    const answer = now.page.waitForResponse(/\/api\/v1\/calls\/[^?]+$/);
    await now.page.locator(".vbody .vrow a").first().click();
    const { stations } = (await (await answer).json()) as { stations: Record<string, string> };
    await now.page.locator(".track").waitFor();
    const shown = await now.page.locator(".track li.skipped, .track li.beyond").count();
    expect(shown).toBeGreaterThanOrEqual(Object.values(stations).filter((value) => value === "not_run").length);
  });

  it("opens a trace and walks through it by keys", async () => {
    await go("/traces", "tbody tr");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    const row = now.page.locator("tbody tr").filter({ has: now.page.locator("td:nth-child(4)", { hasText: /^([2-9]|\d\d+)$/ }) }).first();
    await row.locator("a").click();
    const grid = now.page.getByRole("treegrid");
    await grid.waitFor();
    await now.page.locator(".wf-body .wf-row").first().waitFor();
    await grid.focus();
    await now.page.keyboard.press("Home");
    const all = await now.page.locator(".wf-body .wf-row").count();
    expect(await now.page.locator(".wf-row.selected").getAttribute("aria-expanded")).toBe("true");
    await now.page.keyboard.press("ArrowLeft");
    await expect.poll(() => now.page.locator(".wf-body .wf-row").count()).toBeLessThan(all);
    await now.page.keyboard.press("ArrowRight");
    await expect.poll(() => now.page.locator(".wf-body .wf-row").count()).toBe(all);
    await now.page.keyboard.press("ArrowRight");
    expect(await now.page.locator(".wf-row.selected").getAttribute("aria-level")).toBe("2");
    await now.page.keyboard.press("ArrowLeft");
    await now.page.waitForURL(/span=/);
    await now.page.locator(".span-panel").waitFor();
    await now.page.reload();
    await now.page.locator(".wf-row.selected").waitFor();
  });

  it("reads costs by every dimension, sorts them, and takes them along", async () => {
    await go("/costs", ".costs-table");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    for (const by of ["Tenant", "Team", "Agent", "Tool", "Run", "Model"]) {
      await now.page.getByRole("radio", { name: by, exact: true }).check({ force: true });
      await now.page.waitForURL(new RegExp("by=" + by.toLowerCase()));
      await now.page.locator(".costs-table thead th").first().getByText(by).waitFor();
    }
    await now.page.locator(".costs-table thead").getByRole("button", { name: "Calls" }).click();
    await now.page.waitForURL(/sort=-calls/);
    const figures = await now.page.locator(".costs-table tbody td:nth-child(2)").allTextContents();
    const numbers = figures.map((text) => Number(text.replaceAll(",", "")));
    expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
    const waiting = now.page.waitForEvent("download");
    await now.page.getByRole("button", { name: "Totals as CSV" }).click();
    const text = readFileSync((await (await waiting).path())!, "utf8");
    expect(text.split("\r\n")[0]).toBe("\ufeffmodel,calls,failures,input_tokens,output_tokens,cost_usd,unpriced_calls");
    expect(text.trim().split("\r\n").length).toBe(figures.length + 1);
  });

  it("looks after the machine", async () => {
    await go("/health", ".gauges");
    for (const text of ["Write queue", "Projection lag", "Components", "Signed checkpoint", "Tree root"]) {
      await now.page.getByText(text, { exact: true }).first().waitFor();
    }
    expect(await now.page.locator("tbody tr").count()).toBeGreaterThan(0);
  });

  it("changes language and colours at once and remembers them", async () => {
    await go("/", ".strip");
    await now.page.getByLabel("Language").selectOption("ko");
    await now.page.getByRole("heading", { level: 1, name: "개요" }).waitFor();
    expect(await now.page.locator("html").getAttribute("lang")).toBe("ko");
    await now.page.getByLabel("색상").selectOption("light");
    const light = await now.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await now.page.reload();
    await now.page.getByRole("heading", { level: 1, name: "개요" }).waitFor();
    expect(await now.page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(light);
    expect(await now.page.locator("html").getAttribute("data-theme")).toBe("light");
  });

  it("tells what went wrong, with the remedy, and offers another try", async () => {
    let broken = true;
    await now.page.route("**/api/v1/health", (route) =>
      broken
        ? route.fulfill({
            status: 500,
            contentType: "application/json",
            body: JSON.stringify({ error: { code: "internal", message: "The disk said no.", remedy: "Look at the disk.", field: null, request_id: "req_7" } }),
          })
        : route.continue(),
    );
    await go("/health", "[role=alert]");
    for (const text of ["The disk said no.", "Look at the disk.", "req_7"]) await now.page.getByText(text).waitFor();
    broken = false;
    await now.page.getByRole("button", { name: "Try again" }).click();
    await now.page.locator(".gauges").waitFor();
    now.troubles.length = 0;
  });

  it("goes to the sign-in when the session ends under it", async () => {
    await go("/costs", ".costs-table");
    await now.context.clearCookies();
    await now.page.getByRole("button", { name: "Refresh" }).click();
    await now.page.locator("input[name=key]").waitFor();
    expect(now.page.url()).toContain("next=%2Fcosts");
  });

  it("reaches everything by keyboard, beginning with the way past the navigation", async () => {
    await go("/health", ".gauges");
    await now.page.keyboard.press("Tab");
    expect(await now.page.evaluate(() => document.activeElement?.className)).toContain("skip");
    await now.page.keyboard.press("Enter");
    await expect.poll(() => now.page.evaluate(() => document.activeElement?.id)).toBe("main");
    await now.page.keyboard.press("Tab");
    const outline = await now.page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline).not.toBe("none");
  });

  it("holds a trace of 30,000 spans", async () => {
    const trace = bigTrace(30_000);
    await now.page.route("**/api/v1/traces/" + BIG_TRACE + "?*", (route) => {
      const query = new URL(route.request().url()).searchParams;
      return route.fulfill({
        contentType: "application/json",
        body: JSON.stringify(tracePage(trace, query.get("cursor"), Number(query.get("limit")))),
      });
    });
    await go("/traces/" + BIG_TRACE, ".wf-body .wf-row");
    await expect.poll(() => now.page.getByRole("treegrid").getAttribute("aria-rowcount"), { timeout: 30_000 }).toBe("30001");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    const grid = now.page.getByRole("treegrid");
    await grid.focus();
    await now.page.keyboard.press("End");
    await now.page.locator(`.wf-row[aria-rowindex="30001"].selected`).waitFor();
    expect(await now.page.locator(".wf-body .wf-row").count()).toBeLessThan(400);
    await now.page.getByRole("button", { name: "Fold all", exact: true }).click();
    await expect.poll(() => grid.getAttribute("aria-rowcount")).toBe("2");
    await now.page.getByRole("button", { name: /^Next error/ }).click();
    await now.page.locator(".wf-row.selected.error").waitFor();
    expect(await now.page.locator(".ruler .gap-mark").count()).toBe(2);
    await now.page.getByLabel("Shorten idle time").uncheck();
    await expect.poll(() => now.page.locator(".ruler .gap-mark").count()).toBe(0);
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1440 },
  { theme: "light", lang: "ko", width: 1440 },
  { theme: "light", lang: "en", width: 480 },
] as const)("axe, $theme $lang $width", (setting) => {
  beforeEach(() => begin(setting));

  it("finds nothing on any view", async () => {
    await now.page.goto(BASE_URL + "/login");
    await now.page.locator("input[name=key]").waitFor();
    await accessible(now.page, "/login");
    await signIn(now.page);
    await now.page.locator(".strip").waitFor();
    for (const [path, sight] of [
      ["/", ".uplot canvas"], ["/calls", ".vbody .vrow"], ["/traces", "tbody tr"], ["/costs", ".costs-table"], ["/health", ".gauges"],
    ] as const) {
      await go(path, sight);
      await accessible(now.page, path);
      const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, path + " is wider than the window").toBeLessThanOrEqual(0);
    }
    await go("/calls", ".vbody .vrow a");
    await now.page.locator(".vbody .vrow a").first().click();
    await now.page.locator(".track").waitFor();
    await accessible(now.page, "a call");
    await go("/traces", "tbody tr a");
    await now.page.locator("tbody tr a").first().click();
    await now.page.locator(".wf-body .wf-row").first().click();
    await now.page.locator(".span-panel").waitFor();
    await accessible(now.page, "a trace");
  });
});

describe("the handler", () => {
  beforeEach(() => begin());

  it("sends a strict policy that scripts cannot get around", async () => {
    const answer = await now.page.goto(BASE_URL + "/login");
    const policy = answer!.headers()["content-security-policy"] ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    await now.page.locator("input[name=key]").waitFor();
    const ran = await now.page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "window.ran = true";
        document.head.append(script);
      } catch {
        return false;
      }
      return "ran" in window;
    });
    expect(ran).toBe(false);
    now.troubles.length = 0;
  });
});
