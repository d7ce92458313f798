import { describe, expect, it } from "vitest";
import { readJson } from "./json";
import { assemble, fieldsOf, type Field } from "./schema";

const schema = (properties: object, required: string[] = []) => readJson(JSON.stringify({ type: "object", properties, required }));
const fields = (properties: object, required: string[] = []): Field[] => fieldsOf(schema(properties, required))!;

describe("fieldsOf", () => {
  it("gives a field for each property, those that are required first", () => {
    const found = fields({ depth: { type: ["integer", "null"], default: 2 }, path: { type: "string", title: "Path", description: "Where." } }, ["path"]);
    expect(found).toEqual([
      { name: "path", title: "Path", description: "Where.", kind: "string", required: true, options: [], initial: "" },
      { name: "depth", title: "", description: "", kind: "integer", required: false, options: [], initial: "2" },
    ]);
  });

  it.each([
    ["what may be several things", { type: ["string", "integer"] }, "any"], ["alternatives", { anyOf: [{ type: "string" }] }, "any"],
    ["a reference", { $ref: "#/$defs/x" }, "any"], ["a type that there is not", { type: "date" }, "any"], ["true", true, "any"],
    ["values to choose from", { type: "string", enum: ["a", "b"] }, "enum"], ["one value", { const: 7 }, "enum"], ["a list", { type: "array" }, "array"],
    ["a number", { type: "number" }, "number"], ["yes or no", { type: "boolean" }, "boolean"], ["an object", { type: "object" }, "object"],
  ])("reads %s", (_, property, kind) => expect(fields({ x: property })[0]!.kind).toBe(kind));

  it.each([["no schema", null], ["no object", readJson("true")], ["no properties", readJson('{"type":"object"}')], ["empty ones", schema({})]])(
    "has no form for %s", (_, given) => expect(fieldsOf(given)).toBeNull(),
  );

  it("keeps a default as it would be written", () => {
    expect(fields({ a: { type: "string", default: 'x "y"' }, b: { type: "array", default: [1] }, c: { enum: ["p", "q"], default: "q" } }).map((f) => f.initial)).toEqual(['x "y"', "[1]", '"q"']);
  });
});

describe("assemble", () => {
  const all = fields(
    { s: { type: "string" }, n: { type: "number" }, i: { type: "integer" }, b: { type: "boolean" }, e: { enum: ["a", 1] }, l: { type: "array" }, o: { type: "object" }, x: {} }, ["s"],
  );

  it("writes what was written, and keeps every digit", () => {
    const done = assemble(all, { s: 'a "b"\n', n: "12345678901234567890.10", i: "-7", b: "false", e: "1", l: "[1, 2]", o: '{"a": {}}', x: "null" });
    expect(done).toEqual({ text: '{"s": "a \\"b\\"\\n", "n": 12345678901234567890.10, "i": -7, "b": false, "e": 1, "l": [1, 2], "o": {"a": {}}, "x": null}' });
  });

  it("leaves out what is empty", () => expect(assemble(all, { s: "x", n: " ", l: "" })).toEqual({ text: '{"s": "x"}' }));

  it("keeps blanks of a text", () => expect(assemble(all, { s: " " })).toEqual({ text: '{"s": " "}' }));

  it.each([
    ["s", "", "required"], ["n", "twelve", "number"], ["n", '"12"', "number"], ["i", "1.5", "integer"], ["i", "1e3", "integer"], ["b", "null", "boolean"],
    ["e", '"c"', "enum"], ["l", "[1,", "array"], ["l", "{}", "array"], ["o", "[]", "object"], ["x", "nothing", "any"],
  ])("says what is wrong with %s written as %j", (name, text, what) => {
    expect(assemble(all, { s: "x", [name]: text })).toEqual({ wrong: { [name]: what } });
  });

  it("names every field that is wrong", () => expect(assemble(all, { n: "x", i: "y" })).toEqual({ wrong: { s: "required", n: "number", i: "integer" } }));

  it("treats odd names as names", () => {
    expect(assemble(fields({ 'a"b': { type: "string" } }), { 'a"b': "x" })).toEqual({ text: '{"a\\"b": "x"}' });
  });
});
