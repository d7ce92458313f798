import { describe, expect, it } from "vitest";
import type { Span } from "../api/types";
import { buildAxis, busy, invert, niceStep, position, ticks } from "./gaps";

const at = (depth: number, start_ms: number, duration_ms: number) => ({ depth, start_ms, duration_ms }) as Span;

// A root that covers everything, a burst, two hours of waiting, a burst.
const waiting = [at(0, 0, 7_203_000), at(1, 0, 1_000), at(1, 500, 1_000), at(1, 7_202_000, 1_000)];

describe("busy", () => {
  it("merges leaves and leaves out a parent that waits", () => {
    expect(busy(waiting)).toEqual([[0, 1_500], [7_202_000, 7_203_000]]);
  });
});

describe("buildAxis", () => {
  it("breaks the wait and keeps the bursts at full scale", () => {
    const axis = buildAxis(waiting, true);
    expect(axis.segments.map((s) => s.gap)).toEqual([false, true, false]);
    expect(axis.segments[1]).toMatchObject({ from: 1_500, to: 7_202_000 });
    expect(position(axis, 1_500) - position(axis, 0)).toBe(1_500);
    expect(axis.total).toBeLessThan(2_700);
  });
  it("changes nothing when asked not to", () => {
    const axis = buildAxis(waiting, false);
    expect(axis).toEqual({ segments: [{ from: 0, to: 7_203_000, at: 0, width: 7_203_000, gap: false }], total: 7_203_000 });
  });
  it("does not break short waits", () => {
    expect(buildAxis([at(0, 0, 100), at(0, 300, 100)], true).segments).toHaveLength(1);
  });
  it("has an axis for a trace without time", () => {
    const axis = buildAxis([at(0, 0, 0)], true);
    expect(axis.total).toBeGreaterThan(0);
    expect(Number.isFinite(position(axis, 0))).toBe(true);
  });
  it("has an axis for no spans at all", () => expect(position(buildAxis([], true), 5)).toBe(1));
});

it("position rises and invert undoes it, over random traces", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let round = 0; round < 50; round++) {
    let clock = 0;
    const spans = Array.from({ length: 30 }, () => {
      clock += random() < 0.2 ? random() * 1e6 : random() * 100;
      return at(1, clock, random() * 500);
    });
    const axis = buildAxis(spans, true);
    const end = axis.segments[axis.segments.length - 1]!.to;
    let last = -1;
    for (let i = 0; i <= 200; i++) {
      const ms = (end * i) / 200;
      const x = position(axis, ms);
      expect(x).toBeGreaterThan(last);
      expect(Math.abs(invert(axis, x) - ms)).toBeLessThan(end * 1e-9 + 1e-6);
      last = x;
    }
    expect(position(axis, end)).toBeCloseTo(axis.total, 6);
  }
});

describe("ticks", () => {
  it("are round, apart, and never inside a gap", () => {
    const axis = buildAxis(waiting, true);
    const got = ticks(axis, 0, axis.total, 0.1);
    expect(got.length).toBeGreaterThan(3);
    for (const [i, tick] of got.entries()) {
      expect(tick.ms <= 1_500 || tick.ms >= 7_202_000).toBe(true);
      if (i > 0) expect(tick.at - got[i - 1]!.at).toBeGreaterThanOrEqual(axis.total * 0.1);
    }
  });
  it.each([[0.3, 0.5], [3, 5], [120, 200], [800, 1_000], [1_001, 2_000], [70_000, 120_000], [90_000_000, 172_800_000]])(
    "the step for %s is %s",
    (ms, want) => expect(niceStep(ms)).toBeCloseTo(want, 9),
  );
});
