/** A form out of a tool's schema: a field for each property that one line can hold, JSON text for all others. */
import { parseJson, writeJson, type Json } from "./json";

export type FieldKind = "string" | "number" | "integer" | "boolean" | "enum" | "array" | "object" | "any";

export interface Field {
  name: string;
  title: string;
  description: string;
  kind: FieldKind;
  required: boolean;
  /** Of an enum: its values as JSON. */
  options: string[];
  /** What the schema gives where nothing is written, as it would be written; "" where it gives nothing. */
  initial: string;
}

/** Wrong is what keeps a field from being sent. */
export type Wrong = "required" | "number" | "integer" | "boolean" | "enum" | "array" | "object" | "any";

export const memberOf = (value: Json | null | undefined, name: string): Json | undefined =>
  value?.kind === "object" ? value.members.find((m) => m.name === name)?.value : undefined;

export const textOf = (value: Json | undefined): string => (value?.kind === "string" ? value.text : "");

const itemsOf = (value: Json | undefined): Json[] => (value?.kind === "array" ? value.items : []);

/** fieldsOf gives the fields of a schema, those that are required first; null where it is none of an object, or names no property: then only JSON is of use. */
export function fieldsOf(schema: Json | null | undefined): Field[] | null {
  const properties = memberOf(schema, "properties");
  if (properties?.kind !== "object" || properties.members.length === 0) return null;
  const required = new Set(itemsOf(memberOf(schema, "required")).map(textOf));
  const fields = properties.members.map(({ name, value }): Field => {
    const options = [...itemsOf(memberOf(value, "enum")), ...constants(memberOf(value, "oneOf"))].map(writeJson);
    const fixed = memberOf(value, "const");
    if (fixed) options.push(writeJson(fixed));
    const kind = options.length > 0 ? "enum" : kindOf(value);
    const given = memberOf(value, "default");
    return {
      name, kind, options, required: required.has(name), title: textOf(memberOf(value, "title")), description: textOf(memberOf(value, "description")),
      initial: given === undefined ? "" : kind === "string" ? textOf(given) : writeJson(given),
    };
  });
  // The server keeps definitions with their names in order: what is needed comes first here.
  return fields.sort((a, b) => Number(b.required) - Number(a.required));
}

/** constants are the values that alternatives give, each its one; none where some alternative is of another kind. */
function constants(alternatives: Json | undefined): Json[] {
  const values = itemsOf(alternatives).map((one) => memberOf(one, "const"));
  return values.every((value) => value !== undefined) ? values : [];
}

const KINDS = ["string", "number", "integer", "boolean", "array", "object"] as const;

/** kindOf is the one type that a property has beside null; whatever may be several things is written as JSON. */
function kindOf(property: Json): FieldKind {
  const type = memberOf(property, "type");
  const names = (type?.kind === "array" ? type.items : type ? [type] : []).map(textOf).filter((name) => name !== "null");
  return (names.length === 1 && KINDS.find((kind) => kind === names[0])) || "any";
}

/** assemble writes the arguments, or says what is wrong with which field. What is empty is left out. */
export function assemble(fields: readonly Field[], values: Readonly<Record<string, string>>): { text: string } | { wrong: Record<string, Wrong> } {
  const wrong: Record<string, Wrong> = {};
  const parts: string[] = [];
  for (const field of fields) {
    const text = values[field.name] ?? "";
    if (text === "" || (field.kind !== "string" && text.trim() === "")) {
      if (field.required) wrong[field.name] = "required";
      continue;
    }
    const value = field.kind === "string" ? JSON.stringify(text) : written(field, text);
    if (value === null) wrong[field.name] = field.kind as Wrong;
    else parts.push(JSON.stringify(field.name) + ": " + value);
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { text: "{" + parts.join(", ") + "}" };
}

/** written is a text of JSON of a field's kind as it was written, null where it is none. */
function written({ kind, options }: Field, text: string): string | null {
  const found = parseJson(text);
  if (!("value" in found)) return null;
  const { value } = found;
  const fits =
    kind === "enum" ? options.includes(writeJson(value))
    : kind === "number" ? value.kind === "number"
    : kind === "integer" ? value.kind === "number" && /^-?\d+$/.test(value.raw)
    : kind === "boolean" ? value.kind === "word" && value.raw !== "null"
    : kind === "any" || value.kind === kind;
  return fits ? text.trim() : null;
}
