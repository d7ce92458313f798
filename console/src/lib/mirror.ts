/** Arguments that a tool's schema wants repeated in headers (x-mcp-header), by the same rules as the gateway, which compares them. */
import { readJson, type Json } from "./json";
import { memberOf } from "./schema";

/** headerValue writes a text as a header can hold it. */
export function headerValue(text: string): string {
  const marked = text.startsWith("=?base64?") && text.endsWith("?=");
  if (/^[ -~]*$/.test(text) && text.trim() === text && !marked) return text;
  return "=?base64?" + btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("")) + "?=";
}

/** paramHeaders are the headers of a call with these arguments. What is absent, null or no value of one line has none. */
export function paramHeaders(schema: Json | null | undefined, args: string): Record<string, string> {
  const out: Record<string, string> = {};
  const walk = (of: Json | undefined, given: Json | null | undefined): void => {
    const properties = memberOf(of, "properties");
    if (properties?.kind !== "object") return;
    for (const { name, value } of properties.members) {
      const argument = memberOf(given, name);
      const text = oneLine(argument);
      const header = memberOf(value, "x-mcp-header");
      if (header?.kind === "string" && text !== null) out["Mcp-Param-" + header.text] = headerValue(text);
      walk(value, argument);
    }
  };
  if (schema) walk(schema, readJson(args));
  return out;
}

function oneLine(value: Json | undefined): string | null {
  if (value?.kind === "string") return value.text;
  if (value?.kind === "number") return whole(value.raw);
  return value?.kind === "word" && value.raw !== "null" ? value.raw : null;
}

/** whole is a number that is an integer, however it is written, and one that scripts can hold. */
function whole(raw: string): string | null {
  const [, digits, fraction = "", exponent = "0"] = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(raw)!;
  if (raw.length > 32 || Math.abs(Number(exponent)) > 99) return null;
  const shift = Number(exponent) - fraction.length;
  const scale = 10n ** BigInt(Math.abs(shift));
  const all = BigInt(digits + fraction);
  if (shift < 0 && all % scale !== 0n) return null;
  const value = shift < 0 ? all / scale : all * scale;
  return value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER ? String(value) : null;
}
