/** What an approver reads: text with marks, JSON as it is written, and what differs. */
import { describe, expect, it } from "vitest";
import { changes, hunks, lines, sequence } from "./diff";
import { layOut, parseJson, readJson, size, writeJson, type Json } from "./json";
import { odd, pieces } from "./visible";

const marks = (text: string) => pieces(text).filter((p) => p.mark !== null).map((p) => `${p.mark} ${p.code}`);

describe("visible", () => {
  it.each([
    ["plain text, with\nlines\tand tabs", []],
    ["한국어와 日本語, zażółć, ελληνικά", []],
    ["Привет, мир", []],
    ["invoice\u202efdp.exe", ["bidi U+202E"]],
    ["a\u2066b\u2069", ["bidi U+2066", "bidi U+2069"]],
    ["pay\u200bpal", ["invisible U+200B"]],
    ["a\u00adb\ufeffc\u034fd\u3164e", ["invisible U+00AD", "invisible U+FEFF", "invisible U+034F", "invisible U+3164"]],
    ["tag\u{e0041}", ["invisible U+E0041"]],
    ["x\ufe0f", ["invisible U+FE0F"]],
    ["a\u00a0b\u3000c", ["space U+00A0", "space U+3000"]],
    ["bell\u0007 nul\u0000 cr\r", ["control U+0007", "control U+0000", "control U+000D"]],
    ["line\u2028end", ["invisible U+2028"]],
    ["p\u0430ypal.com", ["lookalike U+0430"]],
    ["/etc/\u0440\u0430\u0441 x", ["lookalike U+0440", "lookalike U+0430", "lookalike U+0441"]],
    ["..\uff0fetc", ["lookalike U+FF0F"]],
    ["a\u2215b", ["lookalike U+2215"]],
    ["broken \ud800", ["unknown U+D800"]],
    ["private \ue000", ["unknown U+E000"]],
  ])("%j", (text, want) => {
    expect(marks(text)).toEqual(want);
    expect(odd(text)).toBe(want.length > 0);
    expect(pieces(text).map((p) => p.text).join("")).toBe(text);
  });
});

const json = (text: string): Json => {
  const value = readJson(text);
  if (!value) throw new Error("not JSON: " + text);
  return value;
};

describe("json", () => {
  it.each(['{"a": [1, 2.50, 1e9], "b": {"c": null}}', "12345678901234567890.123", '"\\u00e9 \\" \\n"', "[]", "{}", " true "])("reads %s", (text) => {
    expect(writeJson(json(writeJson(json(text))))).toBe(writeJson(json(text)));
    expect(JSON.parse(writeJson(json(text)))).toEqual(JSON.parse(text));
  });
  it("keeps every digit and every name", () => {
    expect(writeJson(json('{"n":100000000000000000001,"n":1.10}'))).toBe('{"n": 100000000000000000001, "n": 1.10}');
    expect((json('{"n":1,"n":2,"m":3}') as Extract<Json, { kind: "object" }>).members.map((m) => m.twice)).toEqual([true, true, false]);
  });
  it.each(["", "{", "[1,]", '{"a" 1}', "01", "nul", "'a'", "1 2", '"\n"', "undefined", "[".repeat(500) + "]".repeat(500)])("is null for %j", (text) => {
    expect(readJson(text)).toBeNull();
  });
  it.each([
    ['{"a": 1,\n  b: 2}', 2, 3],
    ['{"a": 1} x', 1, 10],
    ["", 1, 1],
    ['["한",\n\n1,]', 3, 3],
  ])("says where %j stops being JSON", (text, line, column) => expect(parseJson(text)).toEqual({ wrong: { line, column } }));
  it("lays out what reads the same, and shows what can not be seen", () => {
    const text = '{"n":10000000000000000001,"s":["a\u200bb","한국","\ud83d\ude00"],"e":{},"l":[]}';
    const out = layOut(json(text));
    expect(out).toContain('  "n": 10000000000000000001,\n  "s": [\n    "a\\u200bb",\n    "한국"');
    expect(json(out)).toEqual(json(text));
  });
  it("counts values", () => expect(size(json('{"a":[1,2],"b":{}}'))).toBe(5));
});

describe("sequence", () => {
  const show = (a: string, b: string) =>
    sequence([...a], [...b]).map(({ side, item }) => ({ same: " ", removed: "-", added: "+" })[side] + item).join("");
  it.each([
    ["", "", ""],
    ["abc", "abc", " a b c"],
    ["", "ab", "+a+b"],
    ["ab", "", "-a-b"],
    ["abcd", "abxd", " a b-c+x d"],
    ["abc", "xabc", "+x a b c"],
    ["abc", "bc", "-a b c"],
  ])("%j to %j", (a, b, want) => expect(show(a, b)).toBe(want));
  it("is as short as it can be, and gives both sides back, for many pairs", () => {
    let state = 7;
    const next = (n: number) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
    for (let round = 0; round < 400; round++) {
      const [a, b] = [0, 1].map(() => Array.from({ length: next(12) }, () => "abc"[next(3)]!)) as [string[], string[]];
      const steps = sequence(a, b);
      expect(steps.filter((s) => s.side !== "added").map((s) => s.item)).toEqual(a);
      expect(steps.filter((s) => s.side !== "removed").map((s) => s.item)).toEqual(b);
      expect(steps.filter((s) => s.side === "same").length).toBe(longest(a, b));
    }
  });
  it("gives up on shortness for texts that share nothing", () => {
    const a = Array.from({ length: 5_000 }, (_, i) => "a" + i);
    const b = Array.from({ length: 5_000 }, (_, i) => "b" + i);
    expect(sequence(a, b)).toHaveLength(10_000);
  });
});

/** longest is the length of the longest common subsequence, the plain way. */
function longest(a: string[], b: string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    b.forEach((y, j) => next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)));
    row = next;
  }
  return row[b.length]!;
}

describe("lines", () => {
  const before = Array.from({ length: 20 }, (_, i) => "rule " + i).join("\n") + "\n";
  const after = before.replace("rule 9\n", "rule nine\n").replace("rule 19\n", "");
  it("number both sides", () => {
    expect(lines("a\nb\n", "a\nc\n")).toEqual([
      { side: "same", item: "a", old: 1, now: 1 },
      { side: "removed", item: "b", old: 2, now: null },
      { side: "added", item: "c", old: null, now: 2 },
    ]);
  });
  it("leave out what is equal, but for some lines around", () => {
    const found = hunks(lines(before, after), 2).map((h) => ("skipped" in h ? h.skipped : h.steps.map((s) => s.side[0] + s.item.slice(5))));
    expect(found).toEqual([7, ["s7", "s8", "r9", "anine", "s10", "s11"], 5, ["s17", "s18", "r19"]]);
  });
  it("are nothing where nothing differs", () => expect(hunks(lines(before, before))).toEqual([{ skipped: 20 }]));
});

describe("changes", () => {
  const show = (a: string, b: string) =>
    changes(json(a), json(b)).map((c) => [c.path, c.before && writeJson(c.before), c.after && writeJson(c.after)]);
  it.each([
    ['{"a":1,"b":2}', '{"b":2,"a":1}', []],
    ['{"a":1}', '{"a":2}', [["a", "1", "2"]]],
    ['{"a":1}', '{"a":"1"}', [["a", "1", '"1"']]],
    ['{"a":1}', '{"b":1}', [["a", "1", null], ["b", null, "1"]]],
    ['{"a":{"b":[{"c":1},{"c":2}]}}', '{"a":{"b":[{"c":1},{"c":3}]}}', [["a.b[1].c", "2", "3"]]],
    ['["x","y"]', '["new","x","y"]', [["[0]", null, '"new"']]],
    ['["x","y","z"]', '["x","z"]', [["[1]", '"y"', null]]],
    ['{"a b":1}', '{"a b":2}', [['["a b"]', "1", "2"]]],
    ["1", "1.0", [["", "1", "1.0"]]],
    ['{"n":1,"n":2}', '{"n":2}', [["", '{"n": 1, "n": 2}', '{"n": 2}']]],
  ])("%s to %s", (a, b, want) => expect(show(a, b)).toEqual(want));
});
