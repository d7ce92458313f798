/** Servers, their tools and calls that are tried out, with canned data: what a real instance shows only with servers of each kind. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FIRST } from "../dev/approvals.mjs";
import { Shelves } from "../dev/servers.mjs";
import type { Identity } from "../src/api/types";
import { accessible, BASE_URL, launch, open, signIn, type Guarded, type Setting } from "./browser";

const MOST_REQUESTS = 5;

let browser: Browser;
let now: Guarded;
let shelves: Shelves;

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});
afterEach(async () => {
  const { troubles, context } = now;
  await context.close();
  expect(troubles.filter((text) => !/status of 400/.test(text))).toEqual([]);
});

async function begin(setting: Setting = {}): Promise<void> {
  now = await open(browser, setting);
  await signIn(now.page);
  await now.page.locator(".strip").waitFor();
  shelves = new Shelves();
  const who: Identity = { tenant: "acme", team: null, key_id: "key_reader", agent: null, user: "reader", role: "operator", expires_at: null };
  const fulfill = (status: number, body: unknown, headers: Record<string, string> = {}) => ({ status, headers, contentType: "application/json", body: JSON.stringify(body) });
  await now.page.route(/\/api\/v1\/(servers|tools|pins)(\/|\?|$)/, (route) => {
    const request = route.request();
    const url = new URL(request.url());
    const found = shelves.answer(request.method(), url.pathname.replace("/api/v1", ""), url.searchParams, request.postData() ? request.postDataJSON() : {}, who);
    return found ? route.fulfill(fulfill(...found)) : route.continue();
  });
  await now.page.route("**/mcp/*", (route) => {
    const request = route.request();
    const [status, headers, body] = shelves.called(new URL(request.url()).pathname.split("/").at(-1)!, request.headers(), request.postDataJSON());
    return route.fulfill(fulfill(status, body, headers));
  });
  await now.page.route("**/api/v1/session", (route) => (route.request().method() === "GET" ? route.fulfill(fulfill(200, who)) : route.continue()));
}

async function go(path: string, sight: string): Promise<void> {
  now.requests.length = 0;
  await now.page.goto(BASE_URL + path);
  await now.page.locator(sight).first().waitFor();
  expect(new Set(now.requests).size, path).toBeLessThanOrEqual(MOST_REQUESTS);
}

const main = () => now.page.locator("main");
const button = (name: string) => now.page.getByRole("button", { name, exact: true });
const field = (name: string | RegExp) => now.page.getByLabel(name).first();
const notice = (text: string) => now.page.locator(".notice", { hasText: text });

/** attempt opens a tool, fills in the key and what the form wants, and sends. */
async function attempt(tool: string, values: Record<string, string>, before?: () => Promise<void>): Promise<void> {
  const [server, name] = tool.split(".");
  await go(`/try?server=${server}&tool=${name}`, "form.try");
  for (const [label, value] of Object.entries(values)) await field(new RegExp("^" + label)).fill(value);
  await field("Key of an agent").fill("sb_agent");
  await before?.();
  await button("Send").click();
}

describe("servers and tools", () => {
  it("shows each server as it stands, its tools with what they may do, and the one that is held", async () => {
    await begin();
    await go("/servers", ".servers-table tbody tr");
    for (const text of ["The name ledger.internal is not known.", "5 times in a row", "1 held", "REST API", "token exchange"]) await main().getByText(text).first().waitFor();
    await now.page.getByRole("link", { name: "files", exact: true }).click();
    await now.page.locator(".tools-table tr", { hasText: "move_file" }).getByText("held").waitFor();
    await now.page.getByRole("link", { name: "move_file" }).click();
    await now.page.locator(".review .diff, .review .changes").first().waitFor();
    for (const text of ["instruction", "sensitive", "Changed: description"]) await now.page.locator(".review").getByText(text).first().waitFor();
    await button("Reject").click();
    await now.page.keyboard.type("It reads keys.");
    await now.page.getByRole("dialog").getByRole("button", { name: "Reject" }).click();
    await notice("The new form was rejected").waitFor();
    expect(shelves.pins.get("files.move_file")).toMatchObject({ state: "rejected", reason: "It reads keys." });
  });
});

describe("a call that is tried out", () => {
  it("repeats arguments in headers where the tool wants that", async () => {
    await begin();
    await attempt("search.web_search", { query: "signal boxes" }, async () => void (await field(/^region/).selectOption("eu")));
    await main().getByText("12 pages about signal boxes").first().waitFor();
    await now.page.getByText("JSON", { exact: true }).click();
    await now.page.getByRole("textbox", { name: "Arguments" }).fill('{"query": "x", "region": ""}');
    await button("Send").click();
    await main().getByText("12 pages about x").first().waitFor();
  });

  it("says what is wrong with headers, by the protocol's number", async () => {
    await begin();
    await now.page.route("**/mcp/*", (route) => {
      const { "mcp-param-region": _, ...headers } = route.request().headers();
      const [status, , body] = shelves.called("search", headers, route.request().postDataJSON());
      return route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
    });
    await attempt("search.web_search", { query: "x" }, async () => void (await field(/^region/).selectOption("eu")));
    await notice("Refused").getByText("-32020").waitFor();
    await notice("Refused").getByText("Mcp-Param-…").waitFor();
  });

  it("answers what the server asks, in a form and after a visit, and goes on", async () => {
    await begin();
    await attempt("search.book_trip", { to: "Busan" });
    await main().getByText("Two trains go to Busan. How many seats?").waitFor();
    await main().getByText("https://pay.example/7f3a").waitFor();
    expect(await main().locator("a[href*='pay.example']").count()).toBe(0);
    await button("Answer").click();
    await now.page.getByText("This is needed.").waitFor();
    await field(/^seats/).fill("2");
    await field(/^class/).selectOption({ label: "second" });
    await accessible(now.page, "a question");
    await button("Answer").click();
    await main().getByText("Booked 2 seats.").first().waitFor();
    await button("Send").click();
    await button("Decline").click();
    await main().getByText("Nothing was booked.").first().waitFor();
  });

  it("follows a task to its end, and cancels one", async () => {
    await begin();
    await attempt("search.deep_report", { about: "brakes" });
    await notice("Refused").getByText("-32021").waitFor();
    await field("Let it become a task").check();
    await button("Send").click();
    await notice("The call has become a task").getByText("task_mock").waitFor();
    await accessible(now.page, "a task");
    await main().getByText("The report: all is well.").first().waitFor();
    await button("Send").click();
    await notice("The call has become a task").waitFor();
    await button("Cancel").click();
    await notice("Refused").getByText("Nobody wants it any more.").waitFor();
  });

  it("leads to the approval and to the review that it needs, and says what a guard has stopped", async () => {
    await begin();
    await attempt("files.write_file", { path: "a.md", content: "x" });
    await notice("Refused").getByText("approval_required").waitFor();
    expect(await now.page.getByRole("link", { name: "Open the approval" }).getAttribute("href")).toBe("/approvals/" + FIRST);
    await attempt("files.move_file", { from: "a", to: "b" });
    await notice("Refused").getByText("frozen").waitFor();
    expect(await now.page.getByRole("link", { name: "Review the tool" }).getAttribute("href")).toBe("/servers/files/tools/move_file");
    await attempt("files.read_text_file", { path: "secret.txt" });
    await notice("Refused").getByText("The guard has stopped the call.").waitFor();
    expect(await now.page.getByRole("link", { name: "Open the call" }).getAttribute("href")).toBe("/calls/call_0007");
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1440 },
  { theme: "light", lang: "ko", width: 1440 },
  { theme: "light", lang: "en", width: 390 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing on servers, tools and the try-out", async () => {
    await begin(setting);
    for (const [path, sight] of [
      ["/servers", ".servers-table tbody tr"], ["/servers/files", ".tools-table"], ["/servers/files/tools/move_file", ".review"], ["/servers/search/tools/web_search", ".uplot canvas"],
      ["/try", "select"], ["/try?server=search&tool=web_search", "form.try"],
    ] as const) {
      await go(path, sight);
      await accessible(now.page, path);
      const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, path + " is wider than the window").toBeLessThanOrEqual(0);
    }
  });
});
