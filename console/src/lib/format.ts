/** Numbers, durations and times for reading. Nothing here is parsed again. */

export type Lang = "en" | "ko";

export const NONE = "–";

/** count groups thousands. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** compact shortens large counts for headlines: 12,345 → 12.3k. The exact count belongs beside it as a title. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value < 10_000) return count(value);
  for (const [unit, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]] as const) {
    if (value >= unit) return trim((value / unit).toFixed(value / unit < 100 ? 1 : 0)) + letter;
  }
  return count(value);
}

function trim(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

const UNITS = {
  en: { s: " s", m: " m", h: " h", d: " d" },
  ko: { s: "초", m: "분", h: "시간", d: "일" },
} as const;

/** duration shows milliseconds with three figures that count: 0.42 ms, 812 ms, 1.24 s, 3 m 05 s, 2 h 10 m, 3 d 4 h. Prose in Korean takes its own units; tables keep the short ones. */
export function duration(ms: number | null | undefined, lang: Lang = "en"): string {
  const unit = UNITS[lang];
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms < 1) return ms === 0 ? "0 ms" : trim(ms.toFixed(2)) + " ms";
  if (ms < 1_000) return (ms < 10 ? trim(ms.toFixed(1)) : Math.floor(ms)) + " ms";
  if (ms < 10_000) return trim((Math.floor(ms / 10) / 100).toFixed(2)) + unit.s;
  if (ms < 60_000) return trim((Math.floor(ms / 100) / 10).toFixed(1)) + unit.s;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), unit.m, seconds % 60, unit.s);
  if (seconds < 86_400) return pair(Math.floor(seconds / 3_600), unit.h, Math.floor((seconds % 3_600) / 60), unit.m);
  return pair(Math.floor(seconds / 86_400), unit.d, Math.floor((seconds % 86_400) / 3_600), unit.h);
}

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit} ${small}${smallUnit}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return NONE;
  const share = (100 * part) / whole;
  if (share > 0 && share < 0.1) return "<0.1%";
  return trim(share.toFixed(share < 10 ? 1 : 0)) + "%";
}

export function bytes(value: number): string {
  if (value < 1024) return value + " B";
  if (value < 1024 * 1024) return (value / 1024).toFixed(1) + " kB";
  return (value / 1024 / 1024).toFixed(1) + " MB";
}

const pad = (value: number) => String(value).padStart(2, "0");

/** clock is the reader's local wall time; with the date unless it is today. */
export function clock(iso: string | null | undefined, now: Date): string {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return NONE;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return at.toDateString() === now.toDateString() ? time : `${isoDay(at)} ${time}`;
}

/** soon is a time that is to come, short enough for a column: 15:00 today, else 11-23 15:00. */
export function soon(iso: string | null | undefined, now: Date): string {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return NONE;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return time;
  const day = isoDay(at);
  return `${at.getFullYear() === now.getFullYear() ? day.slice(5) : day} ${time}`;
}

/** stamp is the full local time with milliseconds, for a detail page. */
export function stamp(iso: string | null | undefined): string {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return NONE;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return `${isoDay(at)} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function isoDay(at: Date): string {
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

/** bucketLabel names a rollup bucket. Day buckets are cut in UTC by the server, so they are named in UTC. */
export function bucketLabel(iso: string, bucket: "hour" | "day"): string {
  if (bucket === "day") return iso.slice(0, 10) + " UTC";
  const at = new Date(iso);
  return `${isoDay(at)} ${pad(at.getHours())}:00`;
}
