import { describe, expect, it } from "vitest";
import { readJson } from "./json";
import { headerValue, paramHeaders } from "./mirror";

const schema = readJson(`{"type": "object", "properties": {
  "region": {"type": "string", "x-mcp-header": "Region"},
  "where": {"type": "object", "properties": {"level": {"type": "integer", "x-mcp-header": "lvl"}, "x-mcp-header": {"type": "string"}}},
  "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
  "plain": {"type": "string", "default": {"x-mcp-header": "no"}}, "list": {"type": "array", "items": {"type": "string", "x-mcp-header": "No"}}}}`);

describe("paramHeaders", () => {
  it("repeats what the schema names, at every depth of its properties, and nothing else", () => {
    expect(paramHeaders(schema, '{"region": "eu", "where": {"level": 42, "x-mcp-header": "x"}, "dry": false, "plain": "x", "list": ["x"]}')).toEqual({
      "Mcp-Param-Region": "eu", "Mcp-Param-lvl": "42", "Mcp-Param-Dry-Run": "false",
    });
    for (const none of [null, undefined, readJson("true"), readJson('{"properties": {"x-mcp-header": {"type": "object"}}}')]) expect(paramHeaders(none, '{"region": "eu"}')).toEqual({});
  });

  // The gateway's own table of cases.
  it.each([
    ["{}", {}], ['{"region":null,"where":[1],"dry":{}}', {}], ['{"where":{"level":1.5}}', {}], ['{"where":{"level":9007199254740992}}', {}],
    ['{"where":{"level":1e400}}', {}], ['{"region":""}', { Region: "" }], ['{"where":{"level":-7}}', { lvl: "-7" }], ['{"where":{"level":4.20e1}}', { lvl: "42" }],
    ['{"where":{"level":9007199254740991}}', { lvl: "9007199254740991" }], ['{"where":{"level":9007199254740991.4}}', {}], ['{"where":{"level":-0.0e5}}', { lvl: "0" }],
    ['{"where":{"level":1000000000000000000000000000000000}}', {}], ['{"where":{"level":420e-1}}', { lvl: "42" }],
    ['{"region":"line1\\nline2"}', { Region: "=?base64?bGluZTEKbGluZTI=?=" }], ["no JSON", {}],
  ])("writes %s as the gateway does", (args, want) => {
    expect(paramHeaders(schema, args)).toEqual(Object.fromEntries(Object.entries(want).map(([name, value]) => ["Mcp-Param-" + name, value])));
  });
});

it.each([
  ["read_file", "read_file"], ["a b/c", "a b/c"], ["", ""], ["읽기", "=?base64?7J296riw?="], [" a", "=?base64?IGE=?="], ["=?x", "=?x"], ["=?base64?open", "=?base64?open"],
  ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="], [" padded ", "=?base64?IHBhZGRlZCA=?="], ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
])("headerValue writes %j as %j", (text, want) => expect(headerValue(text)).toBe(want));
