/**
 * The waterfall's time axis. Where nothing runs for long, the axis is broken: the gap takes a fixed small width and a
 * mark says how long it was. The mapping is piecewise linear, strictly rising, and exact to invert.
 */
import type { Span } from "../api/types";

export interface Segment {
  from: number;
  to: number;
  /** Where the segment begins on the compressed axis, and how wide it is there. Same unit as time. */
  at: number;
  width: number;
  gap: boolean;
}

export interface Axis {
  segments: Segment[];
  total: number;
}

/** A gap is broken when it is longer than this share of the whole and than MIN_GAP_MS. */
export const GAP_SHARE = 0.08;
export const MIN_GAP_MS = 400;
/** What a broken gap keeps, as a share of the time in which something ran. */
export const GAP_KEEPS = 0.035;

/** busy merges the times in which a span without children ran: a parent that waits for its children is not work. */
export function busy(spans: Span[]): [number, number][] {
  const leaves: [number, number][] = [];
  spans.forEach((span, i) => {
    const next = spans[i + 1];
    if (next && next.depth > span.depth) return;
    leaves.push([span.start_ms, span.start_ms + Math.max(0, span.duration_ms)]);
  });
  leaves.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of leaves) {
    const last = merged[merged.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** extent is the time the spans cover, from zero. */
export function extent(spans: Span[]): number {
  let end = 0;
  for (const span of spans) end = Math.max(end, span.start_ms + Math.max(0, span.duration_ms));
  return end;
}

export function buildAxis(spans: Span[], compress: boolean): Axis {
  const end = Math.max(extent(spans), 1);
  const gaps = compress ? idle(busy(spans), end) : [];
  const idleTime = gaps.reduce((sum, [from, to]) => sum + to - from, 0);
  const keep = Math.max((end - idleTime) * GAP_KEEPS, 1e-6);
  const segments: Segment[] = [];
  let at = 0;
  const push = (from: number, to: number, gap: boolean) => {
    if (to <= from) return;
    const width = gap ? keep : to - from;
    segments.push({ from, to, at, width, gap });
    at += width;
  };
  let cursor = 0;
  for (const [from, to] of gaps) {
    push(cursor, from, false);
    push(from, to, true);
    cursor = to;
  }
  push(cursor, end, false);
  return { segments, total: at };
}

function idle(work: [number, number][], end: number): [number, number][] {
  const least = Math.max(MIN_GAP_MS, end * GAP_SHARE);
  const gaps: [number, number][] = [];
  let cursor = 0;
  for (const [from, to] of [...work, [end, end] as [number, number]]) {
    if (from - cursor >= least) gaps.push([cursor, from]);
    cursor = Math.max(cursor, to);
  }
  return gaps;
}

/** position maps a time to the axis; invert is its inverse. */
export function position(axis: Axis, ms: number): number {
  const segment = find(axis, ms, (s) => s.from);
  return segment.at + ((clamp(ms, segment.from, segment.to) - segment.from) / (segment.to - segment.from)) * segment.width;
}

export function invert(axis: Axis, at: number): number {
  const segment = find(axis, at, (s) => s.at);
  const inside = clamp(at - segment.at, 0, segment.width) / segment.width;
  return segment.from + inside * (segment.to - segment.from);
}

function find(axis: Axis, value: number, begin: (s: Segment) => number): Segment {
  let low = 0;
  let high = axis.segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (begin(axis.segments[middle]!) <= value) low = middle;
    else high = middle - 1;
  }
  return axis.segments[low]!;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** ticks puts round times on the visible part of the axis, at least `apart` of its width from each other and out of gaps. */
export function ticks(axis: Axis, from: number, to: number, apart: number): { ms: number; at: number }[] {
  const out: { ms: number; at: number }[] = [];
  const step = niceStep((to - from) * apart);
  let last = -Infinity;
  for (const segment of axis.segments) {
    if (segment.gap || segment.at + segment.width < from || segment.at > to) continue;
    const start = Math.max(segment.from, invert(axis, from));
    const stop = Math.min(segment.to, invert(axis, to));
    for (let ms = Math.ceil(start / step) * step; ms <= stop; ms += step) {
      const at = position(axis, ms);
      if (at - last < (to - from) * apart) continue;
      out.push({ ms, at });
      last = at;
    }
  }
  return out;
}

/** niceStep is the round time not below the given one: 1, 2, 5, 10 … ms and s, then minutes and hours people use. */
export function niceStep(ms: number): number {
  if (ms >= 1_000) {
    for (const step of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400]) {
      if (step * 1_000 >= ms) return step * 1_000;
    }
    return Math.ceil(ms / 86_400_000) * 86_400_000;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(ms, 1e-3)));
  for (const factor of [1, 2, 5, 10]) if (factor * power >= ms) return factor * power;
  return 10 * power;
}
