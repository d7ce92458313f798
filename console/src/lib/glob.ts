/**
 * The patterns of permissions, for showing who may do what: "*" within a segment, "**" across segments, "?", sets and
 * alternatives; the bare "*" is everything. The server decides; this draws the table.
 */

/** matches is false for a pattern that can not be read: such a line is shown as one that permits nothing. */
export function matches(pattern: string, text: string): boolean {
  if (pattern === "*") return true;
  try {
    return new RegExp("^(?:" + source(pattern) + ")$", "u").test(text);
  } catch {
    return false;
  }
}

function source(pattern: string): string {
  let out = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    const rest = pattern.slice(at);
    const set = /^\[([!^]?)((?:\\.|[^\]\\])+)\]/.exec(rest);
    const choice = /^\{((?:\\.|[^{}\\])*)\}/.exec(rest);
    if (rest.startsWith("**/")) [out, at] = [out + "(?:.*/)?", at + 2];
    else if (rest.startsWith("**")) [out, at] = [out + ".*", at + 1];
    else if (char === "*") out += "[^/]*";
    else if (char === "?") out += "[^/]";
    else if (set) [out, at] = [out + `[${set[1] ? "^" : ""}${set[2]!.replace(/[[&|~^]/g, "\\$&")}]`, at + set[0].length - 1];
    else if (choice) [out, at] = [out + "(?:" + choice[1]!.split(",").map(source).join("|") + ")", at + choice[0].length - 1];
    else if (char === "\\" && at + 1 < pattern.length) out += quote(pattern[++at]!);
    else out += quote(char);
  }
  return out;
}

const quote = (char: string) => char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
