/** The policy, break-glass grants, incidents and sessions against the real binary: what is done here is done there. */
import { describe, expect, it } from "vitest";
import { accessible, open, signIn } from "../browser";
import { api, call, KEYS, vote, waiting } from "./instance";
import { begin, box, browser, button, dialog, fits, go, now, site } from "./site";

site();

const grant = (text: string) => now.page.locator(".grant", { hasText: text });

/** approved makes a call that waits, has it approved, and gives the id of the call. */
async function approved(path: string): Promise<string> {
  const made = call(box.url, "write_file", { path, content: "x" });
  const [one] = await waiting(box.url);
  await vote(box.url, "bob", one!.id, "approve");
  expect(await made).toContain("did write_file");
  const { used_by } = (await (await api(box.url, "ann", "GET", "/approvals/" + one!.id)).json()) as { used_by: string };
  return used_by;
}

describe("the policy", () => {
  it("shows who may do what, by which line, and answers what would change a decision", async () => {
    await begin("dev");
    await go("/policy", ".matrix");
    await button("reader, desk.delete_file: nothing").waitFor();
    await button("writer, desk.write_file: read, write").click();
    await now.page.locator(".cell-lines li", { hasText: "drafts/**" }).getByText(/agents\[0\]\.permissions\.tools\[1\] \(signalbox\.yml:\d+\)/).waitFor();
    await now.page.getByRole("link", { name: "Ask about a call with these" }).click();
    const ask = async (agent: string, tool: string, path: string) => {
      await now.page.getByLabel("Agent").fill(agent);
      await now.page.getByLabel("Tool").fill(tool);
      await now.page.getByLabel("Arguments").fill(JSON.stringify({ path }));
      await button("Explain").click();
    };
    const notice = (text: string) => now.page.locator(".notice", { hasText: text });
    await ask("writer", "desk.write_file", "drafts/a.md");
    await notice("Allowed once people have agreed").getByText(/agents\[0\]\.permissions\.tools\[1\]/).waitFor();
    await ask("reader", "desk.read_file", "docs/a.md");
    await notice("Allowed").getByText(/agents\[1\]\.permissions\.tools\[0\]/).waitFor();
    await ask("reader", "desk.write_file", "docs/a.md");
    await notice("Denied").getByText(/may not write "docs\/a\.md"/).waitFor();
    await now.page.locator(".lines li", { hasText: "operations: [write]" }).waitFor();
    await ask("writer", "desk.write_file", "drafts/../../etc/passwd");
    await notice("Denied").getByText(/leads out of its root/).waitFor();
  });

  it("tells the lines by which two versions differ, once the configuration has changed", async () => {
    await begin("dev");
    await go("/policy?tab=versions", "form.versions");
    await now.page.getByText("Only one version is kept").waitFor();
    await box.changeConfig('resources: ["docs/*"]', 'resources: ["docs/**"]');
    await now.page.reload();
    await now.page.locator(".diff tr.added", { hasText: 'agent "reader" may read ["docs/**"]' }).waitFor();
    expect(await now.page.locator(".diff tr.removed").textContent()).toContain('["docs/*"]');
    expect(await now.page.locator(".diff tr.added, .diff tr.removed").count()).toBe(2);
  });
});

describe("break-glass", () => {
  const refused = async () => call(box.url, "read_file", { path: "notes/today.md" }, "reader");

  it("is given, works, is seen everywhere, is ended, and is reviewed by somebody else", async () => {
    expect(await refused()).toContain("may not read");
    await begin("olga");
    await go("/break-glass", "main section");
    await now.page.getByText("No grant is in force.").waitFor();
    await button("Give a grant").click();
    expect(await dialog().getByRole("button", { name: "Give a grant" }).isDisabled()).toBe(true);
    await dialog().getByLabel("Agent").fill("reader");
    await dialog().getByLabel("Tools (a pattern)").fill("nothing that is a tool");
    await dialog().getByLabel(/Reason/).fill("Outage 17.");
    await dialog().getByRole("button", { name: "Give a grant" }).click();
    await dialog().getByRole("alert").waitFor();
    await dialog().getByLabel("Tools (a pattern)").fill("desk.*");
    await dialog().getByRole("button", { name: "Give a grant" }).click();
    await grant("desk.*").getByRole("timer").waitFor();
    now.troubles.length = 0; // The browser notes the refusal of the pattern.
    expect(await grant("desk.*").getByRole("button", { name: /Review/ }).count()).toBe(0);
    await now.page.locator(".line a", { hasText: "Break-glass" }).getByText("1 in force").waitFor();
    expect(await refused()).toContain("did read_file");
    await grant("desk.*").getByRole("button", { name: /End now/ }).click();
    await dialog().getByRole("button", { name: "End now" }).click();
    await grant("desk.*").getByText("not reviewed").waitFor();
    await grant("desk.*").getByText("Somebody else reviews it.").waitFor();
    await expect.poll(refused).toContain("may not read");
    await now.context.close();
    await begin("ann");
    await go("/break-glass", ".grant.bad");
    await grant("desk.*").getByRole("button", { name: /Review/ }).click();
    await now.page.keyboard.type("One file was read, rightly.");
    await dialog().getByRole("button", { name: "Review" }).click();
    await grant("One file was read, rightly.").getByText(/Reviewed by/).waitFor();
    expect(await now.page.locator(".grant.bad").count()).toBe(0);
  });

  it("offers nothing to a role that may not", async () => {
    await api(box.url, "olga", "POST", "/break-glass", { agent: "reader", tool: "desk.*", reason: "A drill.", minutes: 5 });
    await begin("aud");
    await go("/break-glass", ".grant");
    expect(await now.page.getByRole("button", { name: /Give a grant|End now|Review/ }).count()).toBe(0);
    const { items } = (await (await api(box.url, "olga", "GET", "/break-glass")).json()) as { items: { id: string; active: boolean }[] };
    for (const one of items.filter((g) => g.active)) await api(box.url, "olga", "POST", `/break-glass/${one.id}/end`);
  });
});

describe("incidents", () => {
  it("are opened on a call, listed, and closed with words", async () => {
    const id = await approved("drafts/harm.md");
    await begin("dev");
    await go("/calls/" + id, ".track");
    await button("Report an incident").click();
    await dialog().getByLabel(/What happened/).fill("Written into the wrong folder.");
    await dialog().getByLabel("Severity").selectOption("high");
    await dialog().getByRole("button", { name: "Report an incident" }).click();
    await now.page.getByText("The incident is open. See").waitFor();
    await go("/incidents", ".alert");
    const one = now.page.locator(".alert", { hasText: "Written into the wrong folder." });
    await one.getByText("write action").waitFor();
    await one.getByRole("button", { name: /^Close/ }).click();
    await now.page.keyboard.type("The file was removed.");
    await dialog().getByRole("button", { name: "Close" }).click();
    await now.page.getByText("No incident is open.").waitFor();
    await go("/incidents?which=closed", ".alert");
    await one.getByText("The file was removed.").waitFor();
    await one.getByRole("link", { name: id }).click();
    await now.page.locator(".track").waitFor();
  });

  it("are only read by an auditor", async () => {
    const id = await approved("drafts/read.md");
    await begin("aud");
    await go("/calls/" + id, ".track");
    expect(await button("Report an incident").count()).toBe(0);
  });
});

describe("sessions", () => {
  it("are listed to an admin, who ends one; it is over with its next request", async () => {
    const other = await open(browser, { base: box.url });
    await signIn(other.page, KEYS.bob, box.url);
    await other.page.locator(".strip").waitFor();
    await begin("root");
    await go("/sessions", "tbody tr");
    const row = now.page.locator("tbody tr", { hasText: "bob" });
    await row.getByRole("button", { name: /Revoke/ }).click();
    await dialog().getByText("is signed out with the next request").waitFor();
    await dialog().getByRole("button", { name: "Revoke" }).click();
    await expect.poll(() => row.count()).toBe(0);
    await other.page.goto(box.url + "/approvals");
    await other.page.locator("input[name=key]").waitFor();
    await other.context.close();
  });

  it("of oneself are the only ones that others see; ending it leads to the sign-in", async () => {
    await begin("ann");
    await go("/sessions", "tbody tr");
    expect(new Set(await now.page.locator("tbody tr td:first-child").evaluateAll((cells) => cells.map((cell) => cell.firstChild!.textContent)))).toEqual(new Set(["ann"]));
    await now.page.locator("tr", { hasText: "this one" }).getByRole("button", { name: /Revoke/ }).click();
    await dialog().getByText("This is your own session").waitFor();
    await dialog().getByRole("button", { name: "Revoke" }).click();
    await now.page.locator("input[name=key]").waitFor();
  });
});

describe.each([
  { theme: "light", lang: "en", width: 1280 },
  { theme: "dark", lang: "ko", width: 390 },
] as const)("axe, $theme $lang $width", (setting) => {
  it("finds nothing", async () => {
    const opened = { agent: "reader", tool: "desk.*", reason: "A drill.", minutes: 5 };
    await api(box.url, "olga", "POST", "/break-glass", opened);
    const call_id = await approved("drafts/axe.md");
    // The call is in the lists a moment after it was made.
    await expect.poll(async () => (await api(box.url, "dev", "POST", "/incidents", { call_id, severity: "medium", text: "A drill as well." })).status).toBe(201);
    await begin("root", setting);
    for (const [path, sight] of [
      ["/policy?agent=writer&tool=desk.write_file", ".cell-lines"], ["/policy?tab=explain&agent=reader&tool=desk.delete_file", ".notice"],
      ["/policy?tab=versions", "form.versions"], ["/break-glass", ".grant"], ["/incidents", ".alert"], ["/sessions", "tbody tr"],
    ] as const) {
      await go(path, sight);
      await accessible(now.page, path);
      await fits(path);
    }
  });
});
