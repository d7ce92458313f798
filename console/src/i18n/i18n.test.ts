import { describe, expect, it } from "vitest";
import { en, type Key } from "./en";
import { fill, translate } from "./index";
import { ko } from "./ko";
import { named } from "./named";

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

describe("dictionaries", () => {
  it("have equal keys in equal order", () => {
    expect(Object.keys(ko)).toEqual(Object.keys(en));
  });
  it.each(Object.keys(en) as Key[])("%s has text and equal placeholders", (key) => {
    expect(ko[key].trim()).not.toBe("");
    expect(holes(ko[key])).toEqual(holes(en[key]));
  });
  it("are the same where the names of one are given to the texts of the other, as in what is built", () => {
    expect(named(en, Object.values(ko))).toEqual(ko);
  });
  it("are not each other's copy", () => {
    const same = (Object.keys(en) as Key[]).filter((key) => en[key] === ko[key]);
    expect(same).toEqual(["app.name"]);
  });
});

describe("fill", () => {
  it("replaces what it knows and leaves what it does not", () => {
    expect(fill("{a} of {b}", { a: 3 })).toBe("3 of {b}");
  });
  it("is reached through translate", () => {
    expect(translate("ko", "health.ofCapacity", { depth: 1, capacity: 8 })).toBe("8 중 1");
  });
});
