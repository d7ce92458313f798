import { describe, expect, it } from "vitest";
import { compareMoney, exactMoney, NANO, parseMoney, roundMoney, showMoney, sumMoney } from "./money";

describe("parseMoney", () => {
  it.each([
    ["0", 0n],
    ["0.000000001", 1n],
    ["12.5", 12_500_000_000n],
    ["-3.25", -3_250_000_000n],
    ["9007199254740993.000000001", 9_007_199_254_740_993_000_000_001n],
  ])("%s", (text, want) => expect(parseMoney(text)).toBe(want));
  it.each([null, undefined, "", "abc", "1e3", "1,000", ".5"])("%s is unknown, not zero", (text) =>
    expect(parseMoney(text)).toBeNull(),
  );
});

it("adds what floats cannot", () => {
  expect(exactMoney(sumMoney(["0.1", "0.2"]))).toBe("0.30");
  expect(exactMoney(sumMoney(Array.from({ length: 1000 }, () => "0.000000001")))).toBe("0.000001");
  expect(exactMoney(sumMoney(["9007199254740993", "0.000000001"]))).toBe("9007199254740993.000000001");
});

it("writes back what it read", () => {
  for (const text of ["0.00", "0.000000001", "1.10", "-12.345678901", "1000000.00"]) {
    expect(exactMoney(parseMoney(text.slice(0, 20))!)).toBe(text.replace(/(\.\d{9})\d+/, "$1"));
  }
});

describe("showMoney", () => {
  it.each([
    ["0", "$0"],
    ["0.0000000004", "$0"],
    ["0.000000001", "<$0.000001"],
    ["0.0000005", "$0.000001"],
    ["0.00123449", "$0.001234"],
    ["0.01", "$0.0100"],
    ["1.23456", "$1.2346"],
    ["99.99996", "$100.0000"],
    ["1234.565", "$1,234.57"],
    ["1234567.891", "$1,234,567.89"],
    [null, "–"],
  ])("%s is %s", (text, want) => expect(showMoney(text)).toBe(want));
});

it("rounds half away from zero on both sides", () => {
  expect(roundMoney(5n * (NANO / 1000n), 2)).toBe("$0.01");
  expect(roundMoney(-5n * (NANO / 1000n), 2)).toBe("-$0.01");
});

it("orders amounts that are equal as floats", () => {
  expect(compareMoney("9007199254740993.1", "9007199254740993.2")).toBe(-1);
  expect(compareMoney(null, "0")).toBe(-1);
});
