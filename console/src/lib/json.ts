/**
 * JSON as it is written, for whoever approves it: numbers keep every digit, and a name that occurs twice is there twice.
 * The browser's own parser rounds the one and drops the other, and what is approved would not be what is shown.
 */

import { pieces } from "./visible";

export type Json =
  | { kind: "object"; members: Member[] }
  | { kind: "array"; items: Json[] }
  | { kind: "string"; text: string }
  | { kind: "number"; raw: string }
  | { kind: "word"; raw: string };

export interface Member {
  name: string;
  value: Json;
  /** The name occurs more than once in its object. */
  twice: boolean;
}

const DEEPEST = 200;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

class Broken extends Error {}

/** readJson gives null for what is not JSON, or is nested deeper than anybody reads: then the text is shown as it is. */
export function readJson(text: string): Json | null {
  const found = parseJson(text);
  return "value" in found ? found.value : null;
}

/** A place in a text, both counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/** parseJson gives the value, or the place at which the text stops being JSON. */
export function parseJson(text: string): { value: Json } | { wrong: Place } {
  let at = 0;
  const take = (what: RegExp): string | null => {
    what.lastIndex = at;
    const found = what.exec(text)?.[0];
    if (found === undefined) return null;
    at += found.length;
    return found;
  };
  const sign = (want: string): boolean => {
    take(SPACE);
    if (text[at] !== want) return false;
    at++;
    return true;
  };
  const must = (ok: boolean): void => {
    if (!ok) throw new Broken();
  };
  const value = (depth: number): Json => {
    must(depth <= DEEPEST);
    take(SPACE);
    if (sign("{")) return { kind: "object", members: marked(list("}", () => member(depth))) };
    if (sign("[")) return { kind: "array", items: list("]", () => value(depth + 1)) };
    const string = take(STRING);
    if (string !== null) return { kind: "string", text: JSON.parse(string) as string };
    const number = take(NUMBER);
    if (number !== null) return { kind: "number", raw: number };
    const word = take(WORD);
    must(word !== null);
    return { kind: "word", raw: word! };
  };
  const member = (depth: number): Member => {
    take(SPACE);
    const name = take(STRING);
    must(name !== null);
    must(sign(":"));
    return { name: JSON.parse(name!) as string, value: value(depth + 1), twice: false };
  };
  const list = <T>(end: string, one: () => T): T[] => {
    const out: T[] = [];
    if (sign(end)) return out;
    do out.push(one());
    while (sign(","));
    must(sign(end));
    return out;
  };
  try {
    const found = value(0);
    take(SPACE);
    if (at === text.length) return { value: found };
  } catch (cause) {
    if (!(cause instanceof Broken)) throw cause;
  }
  const before = text.slice(0, at).split("\n");
  return { wrong: { line: before.length, column: before[before.length - 1]!.length + 1 } };
}

function marked(members: Member[]): Member[] {
  const seen = new Map<string, number>();
  for (const { name } of members) seen.set(name, (seen.get(name) ?? 0) + 1);
  return members.map((one) => ({ ...one, twice: seen.get(one.name)! > 1 }));
}

/** writeJson is the value in one line, as it was read. */
export function writeJson(value: Json): string {
  switch (value.kind) {
    case "object":
      return "{" + value.members.map((m) => JSON.stringify(m.name) + ": " + writeJson(m.value)).join(", ") + "}";
    case "array":
      return "[" + value.items.map(writeJson).join(", ") + "]";
    case "string":
      return JSON.stringify(value.text);
    default:
      return value.raw;
  }
}

/** layOut is the value over several lines, for whoever changes it. What can not be seen in a text is written as an escape. */
export function layOut(value: Json, indent = ""): string {
  const deeper = indent + "  ";
  const around = (signs: string, parts: string[]) => (parts.length === 0 ? signs : `${signs[0]}\n${deeper}${parts.join(",\n" + deeper)}\n${indent}${signs[1]}`);
  switch (value.kind) {
    case "object":
      return around("{}", value.members.map((m) => seen(m.name) + ": " + layOut(m.value, deeper)));
    case "array":
      return around("[]", value.items.map((one) => layOut(one, deeper)));
    case "string":
      return seen(value.text);
    default:
      return value.raw;
  }
}

const unit = (_: string, at: number, all: string) => "\\u" + all.charCodeAt(at).toString(16).padStart(4, "0");

function seen(text: string): string {
  return pieces(JSON.stringify(text)).map((p) => (p.mark === null ? p.text : p.text.replace(/[^]/g, unit))).join("");
}

/** size is the number of values in a value, itself included. */
export function size(value: Json): number {
  if (value.kind === "object") return value.members.reduce((sum, m) => sum + size(m.value), 1);
  if (value.kind === "array") return value.items.reduce((sum, one) => sum + size(one), 1);
  return 1;
}
