/**
 * Text for somebody who must judge it: what can not be seen, turns the order of reading around, or looks like another
 * letter is cut out of the text as a mark with its code point.
 */

export type MarkKind = "bidi" | "control" | "invisible" | "space" | "lookalike" | "unknown";

export interface Piece {
  text: string;
  /** null: plain text. */
  mark: MarkKind | null;
  /** "U+202E" of a mark, "" of plain text. */
  code: string;
}

const BIDI = /^[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]$/u;
const INVISIBLE = /^[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]$/u;
const UNKNOWN = /^[\p{Cs}\p{Co}\p{Cn}\ufffd]$/u;
/** Signs that stand for one of ASCII: full-width forms, other slashes, dots, colons, quotes and hyphens. */
const SIGN = /^[\uff01-\uff5e\u2044\u2215\u29f8\u2571\u29f9\ufe68\u2216\u2024\ufe52\u0589\u05c3\ua789\u2236\u037e\u201a\u2010-\u2012\u2212]$/u;
const WORD = /[\p{L}\p{M}\p{N}_]+/gu;
const LATIN = /\p{Script=Latin}/u;
const FOREIGN = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}]/u;
/** Letters of other scripts that are drawn as Latin ones. */
const TWINS = /^[аеорсухіјѕһԁԛԝӏвкмнтАВЕЅІЈКМНОРСТУХԌԚԜӀαινορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ]+$/u;

/** pieces cuts a text into what can be read as it is and what must be looked at. Line ends and tabs are plain. */
export function pieces(text: string): Piece[] {
  const twins = lookalikes(text);
  const out: Piece[] = [];
  let plain = "";
  let at = 0;
  for (const char of text) {
    const mark = twins.has(at) ? "lookalike" : kindOf(char);
    at += char.length;
    if (mark === null) {
      plain += char;
      continue;
    }
    if (plain !== "") out.push({ text: plain, mark: null, code: "" });
    plain = "";
    out.push({ text: char, mark, code: codeOf(char) });
  }
  if (plain !== "") out.push({ text: plain, mark: null, code: "" });
  return out;
}

/** odd says whether a text holds anything that must be looked at. */
export function odd(text: string): boolean {
  return pieces(text).some((piece) => piece.mark !== null);
}

export function codeOf(char: string): string {
  return "U+" + char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}

function kindOf(char: string): MarkKind | null {
  if (char >= " " && char <= "~") return null;
  if (char === "\n" || char === "\t") return null;
  if (BIDI.test(char)) return "bidi";
  if (/^\p{Cc}$/u.test(char)) return "control";
  if (INVISIBLE.test(char)) return "invisible";
  if (/^\p{Zs}$/u.test(char)) return "space";
  if (UNKNOWN.test(char)) return "unknown";
  return SIGN.test(char) ? "lookalike" : null;
}

/**
 * lookalikes are the positions of letters of another script inside a Latin word, and of whole words that are drawn as
 * Latin ones in a text that is Latin otherwise. A text wholly in another script is that script, and nothing is said.
 */
function lookalikes(text: string): Set<number> {
  const out = new Set<number>();
  if (!FOREIGN.test(text) || !LATIN.test(text)) return out;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!FOREIGN.test(word) || !(LATIN.test(word) || TWINS.test(word))) continue;
    let at = index;
    for (const char of word) {
      if (FOREIGN.test(char)) out.add(at);
      at += char.length;
    }
  }
  return out;
}
