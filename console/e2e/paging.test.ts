/** Costs by run come in pages, and a call's attempts may have ended in ways that need words: both canned. */
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { detail, makeCalls } from "../dev/fixtures.mjs";
import { accessible, BASE_URL, launch, open, signIn, type Guarded } from "./browser";

let browser: Browser;
let now: Guarded;

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});
beforeEach(async () => {
  now = await open(browser);
  await signIn(now.page);
  await now.page.locator(".strip").waitFor();
});
afterEach(async () => {
  await now.context.close();
  expect(now.troubles).toEqual([]);
});

describe("costs by run", () => {
  const PAGES = 3;
  const figures = { calls: 2, failures: 0, input_tokens: 10, output_tokens: 5, cost: "0.100000001", unpriced: 0 };

  beforeEach(async () => {
    await now.page.route(/\/api\/v1\/costs\?.*by=run/, (route) => {
      const at = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
      const totals = ["acme", "globex"].map((tenant) => ({ key: "run_page_" + at, tenant, ...figures }));
      const body = { by: "run", bucket: "hour", from: "2026-11-21T00:00:00Z", to: "2026-11-22T00:00:00Z", as_of: new Date().toISOString(), series: [], totals, next: at + 1 < PAGES ? String(at + 1) : null };
      return route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });
    });
    await now.page.goto(BASE_URL + "/costs?by=run");
    await now.page.locator(".costs-table").waitFor();
  });

  it("load page after page, keep tenants apart, and say what the total covers", async () => {
    const rows = now.page.locator(".costs-table tbody tr");
    expect(await rows.count()).toBe(2);
    await now.page.getByText("Total of the loaded runs").waitFor();
    for (const count of [4, 6]) {
      await now.page.getByRole("button", { name: "Load more" }).click();
      await expect.poll(() => rows.count()).toBe(count);
    }
    expect(await now.page.getByRole("button", { name: "Load more" }).count()).toBe(0);
    expect(await now.page.locator(".costs-table tfoot td:nth-child(6)").getAttribute("title")).toBe("$0.600000006");
    await now.page.locator(".costs-table tfoot").getByText("Total", { exact: true }).waitFor();
  });

  it("are taken along whole, also those that are not on the screen", async () => {
    const waiting = now.page.waitForEvent("download");
    await now.page.getByRole("button", { name: "Totals as CSV" }).click();
    const lines = readFileSync((await (await waiting).path())!, "utf8").trim().split("\r\n");
    expect(lines[0]).toBe("run,tenant,calls,failures,input_tokens,output_tokens,cost_usd,unpriced_calls");
    expect(lines.length).toBe(1 + 2 * PAGES);
    expect(lines.at(-1)).toBe("run_page_2,globex,2,0,10,5,0.100000001,0");
  });
});

it("a call says what held, estimated and overrun mean", async () => {
  const call = detail(makeCalls(40, Date.now()).find((one) => one.attempts === 1 && one.kind === "model")!);
  const [attempt] = call.attempts_detail;
  const body = {
    ...call, cost_basis: "held", as_of: new Date().toISOString(),
    attempts_detail: [
      { ...attempt!, n: 1, cost_basis: "estimated", held: "0.096400000", cost_estimate: "0.012000000", max_output: 4096, overrun: false },
      { ...attempt!, n: 2, cost_basis: "reported", held: "0.010000000", cost_estimate: "0.020000000", max_output: 100, overrun: true },
      { ...attempt!, n: 3, cost_basis: "held", held: "0.096400000", cost_estimate: "0.096400000", max_output: null, overrun: false },
    ],
  };
  await now.page.route("**/api/v1/calls/call_canned", (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) }));
  await now.page.goto(BASE_URL + "/calls/call_canned");
  const rows = now.page.locator(".attempts-table tbody tr");
  await rows.first().waitFor();
  expect(await rows.locator("td:nth-child(7)").allTextContents()).toEqual(["4,096", "100", "–"]);
  expect(await rows.locator("td:nth-child(8)").allTextContents()).toEqual(["$0.0964", "$0.0100", "$0.0964"]);
  expect(await rows.locator(".tag", { hasText: "overrun" }).count()).toBe(1);
  for (const hint of [/^Held: nobody knows what this cost/, /^Estimated: no final usage came/]) await now.page.getByText(hint).waitFor();
  await accessible(now.page, "a call with every basis");
});
