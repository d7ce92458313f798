/** Cost series for a stacked chart: the largest keys, the rest together, on one common time axis. */
import type { Bucket, Costs, Overview } from "../api/types";
import { parseMoney, toChart } from "./money";

const WIDTH: Record<Bucket, number> = { hour: 3_600_000, day: 86_400_000 };
/** More points than this no chart can show; the API refuses such ranges before. */
const MOST_POINTS = 2_000;

/** moments lists the starts of all buckets from `from` up to `to`, cut in UTC as the API cuts them. */
export function moments(from: string, to: string, bucket: Bucket): string[] {
  const width = WIDTH[bucket];
  const out: string[] = [];
  const end = Date.parse(to);
  for (let at = Math.floor(Date.parse(from) / width) * width; at < end && out.length < MOST_POINTS; at += width) {
    out.push(new Date(at).toISOString().replace(".000Z", "Z"));
  }
  return out;
}

/** fillHours puts zeros where the API, which sends only hours with calls, is silent: no call is zero calls. */
export function fillHours(points: Overview["points"], from: string, to: string): Overview["points"] {
  const known = new Map(points.map((point) => [Date.parse(point.time), point]));
  const silent = { calls: 0, failures: 0, input_tokens: 0, output_tokens: 0, unpriced: 0, cost: "0" };
  return moments(from, to, "hour").map((time) => known.get(Date.parse(time)) ?? { time, ...silent });
}

export interface Stack {
  times: number[];
  /** Keys from the bottom of the stack to its top; null is everything else together. */
  keys: (string | null)[];
  /** values[k][t] is the cost of key k alone; tops[k][t] is the stack up to and including it. */
  values: number[][];
  tops: number[][];
}

export function stackCosts(costs: Pick<Costs, "series" | "totals" | "from" | "to" | "bucket">, most: number): Stack {
  const ranked = [...costs.totals].sort((a, b) => ((parseMoney(b.cost) ?? 0n) > (parseMoney(a.cost) ?? 0n) ? 1 : -1));
  const named = ranked.slice(0, most).map((total) => total.key);
  const keys: (string | null)[] = ranked.length > most ? [...named, null] : named;
  const times = costs.series.length === 0 ? [] : moments(costs.from, costs.to, costs.bucket);
  const column = new Map(times.map((time, i) => [Date.parse(time), i]));
  const nano = keys.map(() => times.map(() => 0n));
  for (const { key, points } of costs.series) {
    const row = nano[named.indexOf(key) >= 0 ? named.indexOf(key) : keys.length - 1];
    for (const point of points) {
      const at = column.get(Date.parse(point.time));
      if (at !== undefined) row![at]! += parseMoney(point.cost) ?? 0n;
    }
  }
  const running = times.map(() => 0n);
  const tops = nano.map((row) => row.map((value, i) => toChart((running[i] = running[i]! + value))));
  return {
    times: times.map((time) => Date.parse(time) / 1_000),
    keys,
    values: nano.map((row) => row.map(toChart)),
    tops,
  };
}
