/**
 * Approvals, the policy, break-glass grants, incidents and sessions: with canned data that acts change, as the server
 * would. The stream is canned as well, so that it can be cut.
 */
import type { Browser, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Desk, FIRST, TWO } from "../dev/approvals.mjs";
import type { Approval, Identity } from "../src/api/types";
import { accessible, BASE_URL, launch, open, signIn, type Guarded, type Setting } from "./browser";

const MOST_REQUESTS = 5;

let browser: Browser;
let now: Guarded;
let desk: Desk;
/** Writes that reached the canned API, as "path body". */
let acts: string[];
/** What the stream answers: its text, or a refusal to connect. */
let stream: (() => string) | null;

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});
afterEach(async () => {
  const { troubles, context } = now;
  await context.close();
  expect(troubles.filter((text) => !/ERR_FAILED|status of 409/.test(text))).toEqual([]);
});

const inbox = () => `id: 1\nevent: reset\ndata: ${JSON.stringify({ items: desk.pending() })}\n\n`;

async function begin(role: Identity["role"] = "approver", setting: Setting = {}): Promise<void> {
  now = await open(browser, setting);
  // The instance's own sign-in; who it was is canned after it.
  await signIn(now.page);
  await now.page.locator(".strip").waitFor();
  desk = new Desk();
  acts = [];
  stream = inbox;
  const who: Identity = { tenant: "acme", team: null, key_id: "key_reader", agent: null, user: "reader", role, expires_at: null };
  const json = (route: Route, status: number, body: unknown) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
  await now.page.route(/\/api\/v1\/(approvals|policy|break-glass|incidents|sessions)(\/|\?|$)/, (route) => {
    const request = route.request();
    const url = new URL(request.url());
    const path = url.pathname.replace("/api/v1", "");
    if (path === "/approvals/events") {
      return stream ? route.fulfill({ contentType: "text/event-stream", body: stream() }) : route.abort();
    }
    if (request.method() === "POST") acts.push(path + " " + (request.postData() ?? ""));
    const found = desk.answer(request.method(), path, url.searchParams, request.postData() ? request.postDataJSON() : {}, who);
    return found ? json(route, ...found) : route.continue();
  });
  await now.page.route("**/api/v1/session", (route) => (route.request().method() === "GET" ? json(route, 200, who) : route.continue()));
}

async function go(path: string, sight: string): Promise<void> {
  now.requests.length = 0;
  await now.page.goto(BASE_URL + path);
  await now.page.locator(sight).first().waitFor();
}

const rows = () => now.page.locator(".inbox-row");
const dialog = () => now.page.getByRole("dialog");

describe("the inbox", () => {
  beforeEach(() => begin());

  it("shows what waits, most urgent first, and how many in the navigation", async () => {
    await go("/approvals", ".inbox-row");
    expect(await rows().count()).toBe(5);
    expect(await rows().first().textContent()).toContain("bank.transfer");
    await now.page.locator(".nav-count", { hasText: "5" }).waitFor();
    // The canned stream ends at once and is taken up again, which counts as more requests: the first of each is what counts.
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    await now.page.getByLabel(/^Risk/).selectOption("high");
    await now.page.waitForURL(/risk=high/);
    expect(await rows().count()).toBe(2);
    await now.page.reload();
    await rows().first().waitFor();
    expect(await rows().count()).toBe(2);
  });

  it("is worked by keys: the marked one is approved, once the server said so", async () => {
    await go("/approvals", ".inbox-row");
    await now.page.keyboard.press("j");
    await now.page.keyboard.press("a");
    await dialog().getByText("Approve exactly this call?").waitFor();
    expect(acts).toEqual([]);
    await now.page.keyboard.type("Known supplier.");
    await dialog().getByRole("button", { name: "Approve", exact: true }).click();
    await now.page.getByText("bank.transfer is approved now.").waitFor();
    expect(acts).toEqual([`/approvals/${TWO}/approve {"reason":"Known supplier."}`]);
  });

  it("denies only with a reason, and several with one", async () => {
    await go("/approvals", ".inbox-row");
    for (const key of ["j", "x", "j", "x", "d"]) await now.page.keyboard.press(key);
    const deny = dialog().getByRole("button", { name: "Deny 2" });
    expect(await deny.isDisabled()).toBe(true);
    await now.page.keyboard.type("Not today.");
    await deny.click();
    await now.page.getByText("Denied: 2 of 2.").waitFor();
    expect(acts).toHaveLength(1);
    expect(acts[0]).toMatch(/^\/approvals\/deny .*"reason":"Not today\."/);
  });

  it("never approves several", async () => {
    await go("/approvals", ".inbox-row");
    for (const key of ["j", "x", "j", "x", "a"]) await now.page.keyboard.press(key);
    await now.page.locator(".said", { hasText: "one by one" }).waitFor();
    expect(await dialog().count()).toBe(0);
    expect(acts).toEqual([]);
  });

  it("says plainly that somebody else was faster", async () => {
    await go("/approvals", ".inbox-row");
    await now.page.keyboard.press("j");
    await now.page.keyboard.press("a");
    stream = null;
    desk.decide(TWO, "deny", "No.", { key_id: "key_other", user: "sora.lee", role: "approver" });
    await dialog().getByRole("button", { name: "Approve", exact: true }).click();
    await dialog().getByText("This is decided already").waitFor();
    expect(await dialog().textContent()).toContain("sora.lee");
    expect(await dialog().getByRole("button", { name: "Approve", exact: true }).isDisabled()).toBe(true);
    await dialog().getByRole("button", { name: "Cancel" }).click();
    // It stays in its place, as what it is now.
    expect(await rows().first().textContent()).toContain("denied");
  });

  it("says that the connection is lost, and comes back", async () => {
    stream = null;
    await go("/approvals", ".inbox-row");
    await now.page.getByText(/Connection lost: asking every/).waitFor();
    stream = inbox;
    desk.approvals.push({ ...desk.find(FIRST)!, id: "appr_new", tool_name: "calendar.invite" } as Approval);
    await now.page.getByText("calendar.invite").first().waitFor();
  });

  it("can be told to leave single keys alone", async () => {
    await go("/approvals", ".inbox-row");
    await now.page.keyboard.press("?");
    await dialog().getByLabel("Single keys work").uncheck();
    await now.page.keyboard.press("Escape");
    await now.page.keyboard.press("j");
    expect(await now.page.locator(".inbox-row.current").count()).toBe(0);
  });
});

describe("one approval", () => {
  it("shows exactly what would be sent, marks what can not be seen, and what is new", async () => {
    await begin();
    await go("/approvals/" + TWO, ".json");
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
    const json = await now.page.locator(".json").first().textContent();
    expect(json).toContain("125000.50000000000001");
    expect(json).toContain("U+200B");
    expect(json).toContain("U+202E");
    await now.page.locator(".changes tbody tr").first().waitFor();
    expect(await now.page.locator(".changes tbody tr th").allTextContents()).toEqual(["amount", "to.name", "reference"]);
    expect(await now.page.getByRole("link", { name: "Trace that led here" }).getAttribute("href")).toMatch(/^\/traces\//);
  });

  it("runs nothing of what it shows", async () => {
    await begin();
    desk.find(FIRST)!.arguments = JSON.stringify({ "<img src=x onerror=alert(1)>": "<script>alert(2)</script>" });
    await go("/approvals/" + FIRST, ".json");
    expect(await now.page.locator(".json img, .json script").count()).toBe(0);
    expect(await now.page.locator(".json").first().textContent()).toContain("<script>alert(2)</script>");
  });

  it("is not to be approved unseen", async () => {
    await begin();
    await go("/approvals/appr_01k5zre2", ".facts");
    await now.page.getByRole("button", { name: "Approve…" }).click();
    expect(await dialog().getByRole("button", { name: "Approve", exact: true }).isDisabled()).toBe(true);
  });

  it("is made with other arguments, once somebody else has approved them", async () => {
    await begin();
    desk.find(FIRST)!.arguments = '{"path":"/reports/2026/q3.md","rows":10000000000000000001,"to":"a\u200bb"}';
    await go("/approvals/" + FIRST, ".json");
    await now.page.getByRole("button", { name: "Edit…" }).click();
    const text = dialog().getByLabel("Arguments (JSON)");
    expect(await text.inputValue()).toBe('{\n  "path": "/reports/2026/q3.md",\n  "rows": 10000000000000000001,\n  "to": "a\\u200bb"\n}');
    await dialog().getByText("Nothing is changed.").waitFor();
    const act = dialog().getByRole("button", { name: "Make the edited call" });
    await dialog().getByLabel(/^Reason/).fill("Fewer rows.");
    expect(await act.isDisabled()).toBe(true);
    await text.fill('{"path": "/reports/2026/q3.md",\n  rows: 7}');
    await dialog().getByText("This is not JSON: line 2, column 3.").waitFor();
    await text.fill("[]");
    await dialog().getByText("The arguments must be a JSON object.").waitFor();
    expect(await act.isDisabled()).toBe(true);
    const edited = '{"path": "/reports/2026/q3.md", "rows": 7.0}';
    await text.fill(edited);
    await dialog().locator(".changes tbody tr", { hasText: "rows" }).waitFor();
    expect(await dialog().locator(".changes tbody th").allTextContents()).toEqual(["rows", "to"]);
    await accessible(now.page, "the edit");
    await act.click();
    await now.page.getByText("Your call is not made yet: it waits for somebody else.").waitFor();
    const sent = `/approvals/${FIRST}/edit {"arguments":${edited},"reason":"Fewer rows."}`;
    expect(acts).toEqual([sent]);
    await now.page.getByRole("link", { name: "Open what it waits for" }).click();
    await now.page.getByRole("link", { name: FIRST }).click();
    const waiting = desk.pending().find((a) => a.edited_from === FIRST)!;
    expect(waiting.key_id).toBe("key_reader");
    desk.decide(waiting.id, "approve", "", { key_id: "key_other", user: "sora.lee", role: "approver" });
    await now.page.reload();
    await now.page.getByRole("button", { name: "Make the call…" }).click();
    await dialog().getByRole("button", { name: "Make the call", exact: true }).click();
    await now.page.getByText("The call is made in your name.").waitFor();
    await now.page.getByRole("group", { name: "Result" }).getByText("Written.").waitFor();
    expect(acts).toEqual([sent, sent]);
    expect(await now.page.getByRole("button", { name: "Make the call…" }).count()).toBe(0);
  });

  it("offers nothing to who may not", async () => {
    await begin("auditor");
    await go("/approvals/" + FIRST, ".json");
    expect(await now.page.getByRole("button", { name: "Approve…" }).count()).toBe(0);
    await go("/break-glass", ".grant");
    expect(await now.page.getByRole("button", { name: "Give a grant" }).count()).toBe(0);
    expect(await now.page.locator(".grant").getByRole("button").count()).toBe(0);
  });
});

describe("policy and people", () => {
  beforeEach(() => begin("admin"));

  it("names the line that permits, and asks about a call by its address", async () => {
    await go("/policy", ".matrix");
    await now.page.getByRole("button", { name: "writer, files.write_file: read, write" }).click();
    await now.page.waitForURL(/agent=writer/);
    await now.page.locator(".cell-lines", { hasText: "signalbox.yml:28" }).waitFor();
    await now.page.getByRole("link", { name: "Ask about a call with these" }).click();
    await now.page.locator(".notice", { hasText: "Allowed once people have agreed" }).waitFor();
    await now.page.getByLabel("Arguments").fill('{"path": 10000000000000000001}');
    await now.page.getByRole("button", { name: "Explain", exact: true }).click();
    await now.page.waitForURL(/args=/);
    await expect.poll(() => acts.at(-1)).toBe('/policy/explain {"agent":"writer","tool":"files.write_file","arguments":{"path": 10000000000000000001}}');
    await go("/policy?tab=versions", ".diff");
    expect(await now.page.locator(".diff tr.added").count()).toBe(1);
    expect(await now.page.locator(".diff tr.removed").count()).toBe(2);
    expect(new Set(now.requests).size).toBeLessThanOrEqual(MOST_REQUESTS);
  });

  it("reviews a grant, gives one and ends it", async () => {
    await go("/break-glass", ".grant.bad");
    await now.page.locator(".grant.bad").getByRole("button", { name: /Review/ }).click();
    await now.page.keyboard.type("All of it was right.");
    await dialog().getByRole("button", { name: "Review" }).click();
    await expect.poll(() => now.page.locator(".grant.bad").count()).toBe(0);
    await now.page.getByRole("button", { name: "Give a grant" }).click();
    await dialog().getByLabel("Agent").fill("writer");
    await dialog().getByLabel("Tools (a pattern)").fill("mail.*");
    await dialog().getByLabel(/Reason/).fill("The usual way is broken.");
    await dialog().getByRole("button", { name: "Give a grant" }).click();
    await now.page.locator(".grant", { hasText: "mail.*" }).getByRole("button", { name: /End now/ }).click();
    await dialog().getByRole("button", { name: "End now" }).click();
    await now.page.locator(".grant.bad", { hasText: "mail.*" }).waitFor();
  });

  it("closes an incident with words, and ends a session", async () => {
    await go("/incidents", ".alert");
    await now.page.getByRole("button", { name: /^Close/ }).click();
    await now.page.keyboard.type("The money is back.");
    await dialog().getByRole("button", { name: "Close" }).click();
    await now.page.getByText("No incident is open.").waitFor();
    await go("/sessions", "tbody tr");
    await now.page.locator("tr", { hasText: "sora.lee" }).getByRole("button", { name: /Revoke/ }).click();
    await dialog().getByRole("button", { name: "Revoke" }).click();
    await expect.poll(() => now.page.locator("tbody tr").count()).toBe(1);
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1440 },
  { theme: "light", lang: "ko", width: 360 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing", async () => {
    await begin("admin", setting);
    const check = async (path: string, sight: string) => {
      await go(path, sight);
      await accessible(now.page, path);
      const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, path + " is wider than the window").toBeLessThanOrEqual(0);
    };
    await check("/approvals", ".inbox-row");
    await now.page.locator(".inbox-acts .button").first().click();
    await accessible(now.page, "the question");
    await check("/approvals/" + TWO, ".changes");
    await check("/approvals/" + FIRST, ".diff");
    await check("/approvals?state=decided", "tbody tr");
    await check("/policy?agent=writer&tool=files.write_file", ".cell-lines");
    await check("/policy?tab=explain&agent=visitor&tool=mail.send", ".notice");
    await check("/policy?tab=versions", ".diff");
    await check("/break-glass", ".grant");
    await check("/incidents?which=all", ".alert");
    await check("/sessions", "tbody tr");
  });
});
