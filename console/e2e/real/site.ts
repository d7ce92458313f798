/** What all journeys against the real binary begin and end with: one browser, one instance, and a page for each of them. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launch, open, signIn, type Guarded, type Setting } from "../browser";
import { KEYS, start, type Instance, type Who } from "./instance";

export let browser: Browser;
export let box: Instance;
export let now: Guarded;

/** site is called once by each file. Expected are troubles that its journeys make on purpose; after is what they leave to be done. */
export function site({ expected, after }: { expected?: RegExp; after?: () => Promise<void> } = {}): void {
  beforeAll(async () => {
    [browser, box] = await Promise.all([launch(), start()]);
  });
  afterAll(async () => {
    await browser?.close();
    await box?.stop();
  });
  afterEach(async () => {
    const { troubles, context } = now;
    await context.close();
    expect(troubles.filter((text) => !expected?.test(text))).toEqual([]);
    await after?.();
  });
}

/** begin signs somebody in. */
export async function begin(who: Who, setting: Setting = {}): Promise<void> {
  now = await open(browser, { base: box.url, ...setting });
  await signIn(now.page, KEYS[who], setting.base ?? box.url);
  await now.page.locator(".strip").waitFor();
}

/** go opens a page and waits for what is to be seen on it. */
export async function go(path: string, sight: string): Promise<void> {
  await now.page.goto(box.url + path);
  await now.page.locator(sight).first().waitFor();
}

export const dialog = () => now.page.getByRole("dialog");
export const button = (name: RegExp | string) => now.page.getByRole("button", { name });

/** fits is that nothing is wider than the window. */
export async function fits(where: string): Promise<void> {
  const over = await now.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over, where + " is wider than the window").toBeLessThanOrEqual(0);
}
