import { describe, expect, it } from "vitest";
import { bucketLabel, compact, count, duration, percent, soon } from "./format";

describe("duration", () => {
  it.each([
    [null, "–"],
    [0, "0 ms"],
    [0.42, "0.42 ms"],
    [9.44, "9.4 ms"],
    [812.9, "812 ms"],
    [999.99, "999 ms"],
    [1_240, "1.24 s"],
    [59_999, "59.9 s"],
    [60_000, "1 m"],
    [185_000, "3 m 5 s"],
    [7_800_000, "2 h 10 m"],
    [273_600_000, "3 d 4 h"],
  ])("%s is %s", (ms, want) => expect(duration(ms)).toBe(want));
});

it("writes Korean units for prose", () => expect(duration(7_800_000, "ko")).toBe("2시간 10분"));

describe("count and compact", () => {
  it.each([
    [0, "0", "0"],
    [9_999, "9,999", "9,999"],
    [12_345, "12,345", "12.3k"],
    [1_000_000, "1,000,000", "1M"],
    [9_007_199_254_740_991, "9,007,199,254,740,991", "9007T"],
    [null, "–", "–"],
  ])("%s", (value, full, short) => {
    expect(count(value)).toBe(full);
    expect(compact(value)).toBe(short);
  });
});

it("never shows a failure share as zero when there was one", () => {
  expect(percent(1, 100_000)).toBe("<0.1%");
  expect(percent(0, 10)).toBe("0%");
  expect(percent(1, 0)).toBe("–");
  expect(percent(15, 100)).toBe("15%");
});

it("names day buckets in UTC", () => {
  expect(bucketLabel("2026-11-22T00:00:00Z", "day")).toBe("2026-11-22 UTC");
});

it("shortens times to come, and never without the year of another one", () => {
  const now = new Date(2026, 10, 22, 9, 0);
  expect(soon(new Date(2026, 10, 22, 15, 5).toISOString(), now)).toBe("15:05");
  expect(soon(new Date(2026, 10, 23, 0, 0).toISOString(), now)).toBe("11-23 00:00");
  expect(soon(new Date(2027, 0, 1, 0, 0).toISOString(), now)).toBe("2027-01-01 00:00");
  expect(soon(null, now)).toBe("–");
});
