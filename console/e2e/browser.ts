/** One Chromium for the journeys, and what each of them needs: a signed-in page that reports everything unexpected. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";

export const BASE_URL = must("CONSOLE_URL");
export const KEY = must("SB_KEY", "SIGNALBOX_API_KEY");

function must(...names: string[]): string {
  for (const name of names) {
    const value = process.env[name];
    if (value) return value.replace(/\/$/, "");
  }
  throw new Error(`set BASE_URL and SB_KEY (${names.join(", ")} is empty): the journeys run against a Signalbox that is up, or use "npm run e2e:mock"`);
}

/** The background switches keep a closed network quiet: without them Chromium asks for hosts of its own. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

export interface Guarded {
  context: BrowserContext;
  page: Page;
  /** Console errors, exceptions, policy violations and foreign requests, in order. */
  troubles: string[];
  /** API requests since the last reset. */
  requests: string[];
}

export interface Setting {
  theme?: "dark" | "light";
  lang?: "en" | "ko";
  width?: number;
  /** Where the Signalbox of the journey is, if not the one that all share. */
  base?: string;
}

export async function open(browser: Browser, setting: Setting = {}): Promise<Guarded> {
  const base = setting.base ?? BASE_URL;
  const context = await browser.newContext({ viewport: { width: setting.width ?? 1440, height: 900 }, acceptDownloads: true });
  await context.addInitScript(
    ([theme, lang]) => {
      // Only what was not chosen in the page itself.
      if (!localStorage.getItem("signalbox.theme")) localStorage.setItem("signalbox.theme", theme!);
      if (!localStorage.getItem("signalbox.lang")) localStorage.setItem("signalbox.lang", lang!);
    },
    [setting.theme ?? "dark", setting.lang ?? "en"],
  );
  const page = await context.newPage();
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    // The browser writes a line for each 401; without a session that is the right answer.
    if (message.type() === "error" && !/status of 401/.test(message.text())) troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("blob:")) troubles.push("foreign request " + request.url());
    if (request.url().includes("/api/")) requests.push(request.method() + " " + request.url().slice(base.length));
  });
  return { context, page, troubles, requests };
}

export async function signIn(page: Page, key = KEY, base = BASE_URL): Promise<void> {
  await page.goto(base + "/");
  await page.locator("input[name=key]").fill(key);
  await page.locator("button[type=submit]").click();
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResult {
  violations: { id: string; help: string; nodes: { target: string[]; failureSummary: string }[] }[];
}

/** accessible runs axe with all rules of WCAG 2.2 A and AA, and its best practices. */
export async function accessible(page: Page, where: string): Promise<void> {
  // The debugger's evaluation is not subject to the page's policy, so the policy stays as it is.
  await page.evaluate(axeSource);
  const result = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (o: object) => Promise<AxeResult> } };
    return axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
  });
  const found = result.violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 3).map((n) => "  " + n.target.join(" ") + "\n  " + n.failureSummary).join("\n")}`);
  expect(found, where).toEqual([]);
}
