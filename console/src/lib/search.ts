/** The query string as plain names and texts: what a person reads in the address bar and can edit. */

export type Search = Record<string, string>;

export function parseSearch(text: string): Search {
  const out: Search = {};
  new URLSearchParams(text).forEach((value, name) => {
    if (value !== "") out[name] = value;
  });
  return out;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") out.set(name, String(value));
  }
  const text = out.toString();
  return text === "" ? "" : "?" + text;
}

/** isServerPage tells the pages that the server makes itself, which the browser must ask it for. */
export function isServerPage(path: string): boolean {
  return path.startsWith("/decide/");
}

/** localPath keeps a "come back to" address inside this console. */
export function localPath(text: string | undefined): string {
  return text !== undefined && /^\/(?![/\\])/.test(text) && !text.startsWith("/login") ? text : "/";
}
