/** Cost series for a stacked chart: the largest keys, the rest together, on one common time axis. */
import type { Costs } from "../api/types";
import { parseMoney, toChart } from "./money";

export interface Stack {
  times: number[];
  /** Keys from the bottom of the stack to its top; null is everything else together. */
  keys: (string | null)[];
  /** values[k][t] is the cost of key k alone; tops[k][t] is the stack up to and including it. */
  values: number[][];
  tops: number[][];
}

export function stackCosts(costs: Pick<Costs, "series" | "totals">, most: number): Stack {
  const ranked = [...costs.totals].sort((a, b) => ((parseMoney(b.cost) ?? 0n) > (parseMoney(a.cost) ?? 0n) ? 1 : -1));
  const named = ranked.slice(0, most).map((total) => total.key);
  const keys: (string | null)[] = ranked.length > most ? [...named, null] : named;
  const moments = [...new Set(costs.series.flatMap((s) => s.points.map((p) => p.time)))].sort();
  const column = new Map(moments.map((time, i) => [time, i]));
  const nano = keys.map(() => moments.map(() => 0n));
  for (const { key, points } of costs.series) {
    const row = nano[named.indexOf(key) >= 0 ? named.indexOf(key) : keys.length - 1];
    for (const point of points) row![column.get(point.time)!]! += parseMoney(point.cost) ?? 0n;
  }
  const running = moments.map(() => 0n);
  const tops = nano.map((row) => row.map((value, i) => toChart((running[i] = running[i]! + value))));
  return {
    times: moments.map((time) => Date.parse(time) / 1_000),
    keys,
    values: nano.map((row) => row.map(toChart)),
    tops,
  };
}
