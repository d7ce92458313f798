/** Time ranges: a name in the URL becomes two absolute times for the API. */

export const RANGES = ["1h", "6h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];

const HOURS: Record<Range, number> = { "1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720 };

export function isRange(text: unknown): text is Range {
  return typeof text === "string" && (RANGES as readonly string[]).includes(text);
}

/** bounds gives the range that ends now, to the millisecond: two refreshes in one second are two questions. */
export function bounds(range: Range, now: number): { from: string; to: string } {
  return { from: new Date(now - HOURS[range] * 3_600_000).toISOString(), to: new Date(now).toISOString() };
}

export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** localInput and fromLocalInput translate between the API's UTC and a datetime-local field. */
export function localInput(iso: string | undefined): string {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function fromLocalInput(text: string): string | undefined {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? undefined : rfc3339(at.getTime());
}
