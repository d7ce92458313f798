/**
 * Approvals against the real binary: calls that really wait, people who really decide, and callers who really get what
 * became of their calls.
 */
import { describe, expect, it } from "vitest";
import { accessible } from "../browser";
import { call, chat, line, vote, waiting } from "./instance";
import { begin, box, browser, dialog, fits, now, site } from "./site";

site({
  expected: /ERR_(CONNECTION|EMPTY|INCOMPLETE)/,
  after: async () => {
    for (const one of await waiting(box.url, 0)) await vote(box.url, "bob", one.id, "deny", "left over");
  },
});

/** inbox opens the inbox and waits until the stream is there. */
async function inbox(base = box.url): Promise<void> {
  await now.page.goto(base + "/approvals");
  await now.page.locator(".tag.good", { hasText: "live" }).waitFor();
}

const row = (text: string) => now.page.locator(".inbox-row", { hasText: text });
const gone = (text: string) => now.page.locator(".inbox-row.gone", { hasText: text });
const write = (path: string, content = "x") => call(box.url, "write_file", { path, content });

describe("the inbox", () => {
  it("shows a call that is made meanwhile, and its caller gets the result as soon as it is approved by keys", async () => {
    await begin("ann");
    await inbox();
    await now.page.getByText("Nothing waits for anybody.").waitFor();
    const made = write("drafts/live.md", "Q3\u200b, \u202eback\u202c, p\u0430ypal");
    await row("drafts/live.md").waitFor();
    await now.page.locator(".nav-count", { hasText: "1" }).waitFor();
    const shown = await row("drafts/live.md").textContent();
    for (const mark of ["U+200B", "U+202E", "U+202C", "\u0430 U+0430"]) expect(shown).toContain(mark);
    expect(shown).toContain("at most $0");
    const left = row("drafts/live.md").getByRole("timer");
    expect(await left.textContent()).toMatch(/23 h 59 m|24 h/);
    await now.page.keyboard.press("j");
    await now.page.keyboard.press("a");
    await dialog().getByText("Approve exactly this call?").waitFor();
    await now.page.keyboard.type("Reads well.");
    await now.page.keyboard.press("Control+Enter");
    await now.page.getByText("desk.write_file is approved now.").waitFor();
    expect(await made).toContain("did write_file");
    await gone("drafts/live.md").getByText("by ann").waitFor();
    await now.page.locator(".nav-count").waitFor({ state: "detached" });
  });

  it("tells the caller the reason of a denial", async () => {
    await begin("ann");
    await inbox();
    const made = write("drafts/no.md");
    await row("drafts/no.md").waitFor();
    await now.page.keyboard.press("j");
    await now.page.keyboard.press("d");
    const deny = dialog().getByRole("button", { name: "Deny", exact: true });
    expect(await deny.isDisabled()).toBe(true);
    await now.page.keyboard.type("The auditors own it.");
    await deny.click();
    const answer = await made;
    expect(answer).toContain("The auditors own it.");
    expect(answer).not.toContain("did write_file");
  });

  it("denies several with one reason, and approves none of several", async () => {
    await begin("ann");
    await inbox();
    const made = ["drafts/1.md", "drafts/2.md", "drafts/3.md"].map((path) => write(path));
    await expect.poll(() => now.page.locator(".inbox-row:not(.gone)").count()).toBe(3);
    for (const key of ["j", "x", "j", "x", "a"]) await now.page.keyboard.press(key);
    await now.page.locator(".said", { hasText: "one by one" }).waitFor();
    expect(await dialog().count()).toBe(0);
    expect(await now.page.getByRole("button", { name: /Approve \d/ }).count()).toBe(0);
    await now.page.keyboard.press("d");
    await now.page.keyboard.type("Not today.");
    await dialog().getByRole("button", { name: "Deny 2" }).click();
    await now.page.getByText("Denied: 2 of 2.").waitFor();
    const [last] = await waiting(box.url);
    await vote(box.url, "bob", last!.id, "approve");
    const answers = await Promise.all(made);
    expect(answers.filter((text) => text.includes("Not today.")).length).toBe(2);
    expect(answers.filter((text) => text.includes("did write_file")).length).toBe(1);
  });

  it("learns what is decided elsewhere, and counts the votes of two", async () => {
    await begin("ann");
    await inbox();
    const made = call(box.url, "delete_file", { path: "drafts/old.md" });
    await row("drafts/old.md").getByText("0 of 2 approvals").waitFor();
    const [one] = await waiting(box.url);
    await vote(box.url, "bob", one!.id, "approve");
    await row("drafts/old.md").getByText("1 of 2 approvals").waitFor();
    await row("drafts/old.md").getByRole("button", { name: /^Approve/ }).click();
    await dialog().getByRole("button", { name: "Approve", exact: true }).click();
    expect(await made).toContain("did delete_file");
    const other = write("drafts/elsewhere.md");
    await row("drafts/elsewhere.md").waitFor();
    const [next] = await waiting(box.url);
    await vote(box.url, "bob", next!.id, "deny", "I was faster.");
    await gone("drafts/elsewhere.md").getByText("by bob").waitFor();
    await now.page.getByText("waiting: 0").waitFor();
    expect(await other).toContain("I was faster.");
  });

  it("comes back after the line was cut, with all that has happened meanwhile", async () => {
    const wire = await line(box.url);
    await begin("ann", { base: wire.url });
    await inbox(wire.url);
    const [first, second] = [write("drafts/before.md"), write("drafts/cut.md")];
    await row("drafts/before.md").waitFor();
    await row("drafts/cut.md").waitFor();
    wire.cut();
    await now.page.getByText(/Connection lost: asking every/).waitFor();
    const found = (await waiting(box.url, 2)).find((a) => a.arguments?.includes("cut.md"))!;
    await vote(box.url, "bob", found.id, "deny", "While you were away.");
    const third = write("drafts/after.md");
    await waiting(box.url, 2);
    wire.mend();
    await now.page.locator(".tag.good", { hasText: "live" }).waitFor();
    await row("drafts/after.md").waitFor();
    await gone("drafts/cut.md").getByText("by bob").waitFor();
    await now.page.getByText("waiting: 2").waitFor();
    for (const one of await waiting(box.url, 2)) await vote(box.url, "bob", one.id, "approve");
    await now.page.getByText("waiting: 0").waitFor();
    expect(await Promise.all([first, second, third])).toEqual([expect.stringContaining("did"), expect.stringContaining("away"), expect.stringContaining("did")]);
    await now.page.close();
    await wire.close();
  });
});

describe("one approval", () => {
  it("shows what is new against the last approved call, the cost at most, and leads to the trace and the call", async () => {
    await begin("ann");
    const before = write("drafts/report.md", "Revenue rose by 4 %.\nCosts fell.");
    await vote(box.url, "bob", (await waiting(box.url))[0]!.id, "approve", "Fine.");
    await before;
    const made = write("drafts/report.md", "Revenue rose by 40 %.\nCosts fell.");
    const [one] = await waiting(box.url);
    await now.page.goto(`${box.url}/approvals/${one!.id}`);
    await now.page.locator(".changes tr", { hasText: "content" }).first().waitFor();
    expect(await now.page.locator(".diff tr.removed").textContent()).toContain("4 %");
    expect(await now.page.locator(".diff tr.added").textContent()).toContain("40 %");
    await now.page.getByRole("link", { name: "Trace that led here" }).click();
    await now.page.locator(".wf-body .wf-row", { hasText: "desk.write_file" }).first().waitFor();
    await now.page.goBack();
    await now.page.keyboard.press("a");
    await dialog().getByRole("button", { name: "Approve", exact: true }).click();
    expect(await made).toContain("40 %");
    await now.page.getByRole("link", { name: "Open the call that was made" }).click();
    await now.page.locator(".facts", { hasText: "Approved by" }).getByText("ann", { exact: true }).waitFor();
    await now.page.getByRole("link", { name: one!.id }).click();
    await now.page.locator(".notice.good").getByText("used").waitFor();
  });

  it("names the cost of a call of a model, no resource, and lets it through once", async () => {
    await begin("ann");
    expect((await chat(box.url, "large", "Summarize the quarter.")).status).toBe(409);
    const [one] = await waiting(box.url);
    await now.page.goto(`${box.url}/approvals/${one!.id}`);
    await now.page.locator(".facts").getByText(/at most \$0\.\d+/).waitFor();
    expect(await now.page.getByText("names no resource").count()).toBe(0);
    await now.page.keyboard.press("a");
    await dialog().getByRole("button", { name: "Approve", exact: true }).click();
    await now.page.locator(".notice.good").waitFor();
    expect((await chat(box.url, "large", "Summarize the quarter.")).status).toBe(200);
    expect((await chat(box.url, "large", "Summarize the quarter.")).status).toBe(409);
  });

  it("offers no vote to a developer, and hides the arguments", async () => {
    await begin("dev");
    const made = write("drafts/secret.md", "nobody else");
    const [one] = await waiting(box.url);
    await now.page.goto(`${box.url}/approvals/${one!.id}`);
    await now.page.getByText("Your role does not decide this.").waitFor();
    await now.page.getByText("Your role does not see the arguments.").waitFor();
    expect(await now.page.getByRole("button", { name: /^(Approve|Deny|Edit)/ }).count()).toBe(0);
    expect(await now.page.locator("main").textContent()).not.toContain("nobody else");
    await vote(box.url, "bob", one!.id, "deny");
    await made;
  });
});

describe("the page without scripts", () => {
  const LONG = "drafts/" + "a-rather-long-name-of-a-folder/".repeat(4) + "report.md";

  it.each([
    { verdict: "Approve", reason: "", caller: "did write_file", says: "approve by ann" },
    { verdict: "Deny", reason: "Not from a phone.", caller: "Not from a phone.", says: "deny by ann" },
  ])("decides on a phone: $verdict", async ({ verdict, reason, caller, says }) => {
    await begin("ann");
    const phone = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 800 }, storageState: await now.context.storageState() });
    const page = await phone.newPage();
    const made = write(LONG, "a\u200bb p\u0430ypal " + "word".repeat(60));
    const [one] = await waiting(box.url);
    await page.goto(`${box.url}/decide/${one!.id}`);
    const text = (await page.locator("body").textContent())!;
    for (const part of ["a⟨U+200B⟩b", "⟨U+0430⟩", "medium", "writer", '"path": "drafts/']) expect(text).toContain(part);
    await fitsPhone();
    if (verdict === "Deny") {
      await page.getByRole("button", { name: "Deny" }).click();
      await page.getByText("A denial needs a reason.").waitFor();
    }
    if (reason) await page.getByLabel(/^Reason/).fill(reason);
    await page.getByRole("button", { name: verdict }).click();
    await page.getByText("Your verdict is on record.").waitFor();
    await page.getByText(says).waitFor();
    expect(await page.getByRole("button").count()).toBe(0);
    await fitsPhone();
    expect(await made).toContain(caller);
    await phone.close();

    /** Without scripts the page can not be asked how wide it is: its picture can. */
    async function fitsPhone(): Promise<void> {
      const picture = await page.screenshot({ fullPage: true });
      expect(picture.readUInt32BE(16), "the page is wider than the phone").toBe(390);
    }
  });

  it("is accessible, and says so where there is nothing to decide", async () => {
    await begin("ann", { width: 390 });
    const made = write(LONG);
    const [one] = await waiting(box.url);
    const answer = await now.page.goto(`${box.url}/decide/${one!.id}`);
    expect(answer!.headers()["content-security-policy"]).toContain("default-src 'none'");
    await accessible(now.page, "the page without scripts");
    await vote(box.url, "bob", one!.id, "deny");
    await made;
    await now.page.goto(`${box.url}/decide/${one!.id}`);
    await now.page.getByText("denied", { exact: true }).waitFor();
    await now.page.goto(`${box.url}/decide/appr_unknown`);
    await now.page.getByText("There is no such approval.").waitFor();
    await accessible(now.page, "the page that says there is none");
    now.troubles.length = 0;
  });
});

describe.each([
  { theme: "dark", lang: "en", width: 1280 },
  { theme: "light", lang: "ko", width: 390 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing", async () => {
    await begin("ann", setting);
    // What was denied a moment ago is refused at once: each round makes calls of its own.
    const made = [write(`drafts/${setting.lang}.md`, "a\u200b\nb"), call(box.url, "delete_file", { path: `drafts/${setting.lang}.md` })];
    const [one] = await waiting(box.url, 2);
    for (const [path, sight] of [["/approvals", ".inbox-row"], ["/approvals/" + one!.id, ".json"], ["/approvals?state=decided", "tbody tr"]] as const) {
      await now.page.goto(box.url + path);
      await now.page.locator(sight).first().waitFor();
      await accessible(now.page, path);
      await fits(path);
    }
    for (const a of await waiting(box.url, 2)) await vote(box.url, "bob", a.id, "deny");
    await Promise.all(made);
  });
});
