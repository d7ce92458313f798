/**
 * Edits of calls that wait: what came of one, and what is kept of it so that the same edit can be sent again once somebody
 * else has approved it. It is kept by the approval that was edited, for this tab only, until the call is made or the reader
 * signs out.
 */
import type { Approval } from "../api/types";
import { readJson, writeJson } from "./json";
import type { Reader } from "./inbox";

export interface Edit {
  /** A JSON object, as it was sent. */
  arguments: string;
  reason: string;
}

/** What came of an edit: the call was made, or waits for an approval of its own. */
export interface Edited {
  call: string;
  waitsFor: string | null;
  /** JSON; null where the call waits. */
  result: string | null;
}

/** readEdited reads the answer of the server, whose numbers keep their digits. */
export function readEdited(text: string): Edited {
  const { call_id: call, approval_id: waitsFor, result } = JSON.parse(text) as { call_id: string; approval_id: string | null; result: unknown };
  const exact = readJson(text);
  const own = exact?.kind === "object" ? exact.members.find((m) => m.name === "result")?.value : undefined;
  return { call, waitsFor, result: result === null ? null : own ? writeJson(own) : JSON.stringify(result) };
}

/** The server begins the reason of a denial that came with an edit so. */
const EDITED = "edited: ";

/** hasEdited tells whether the reader has edited what the approval asks: then the same edit can be sent again. */
export function hasEdited(a: Approval, who: Reader | undefined): boolean {
  const last = a.votes.at(-1);
  return a.state === "denied" && last !== undefined && last.by === who?.key_id && last.reason.startsWith(EDITED);
}

const PREFIX = "signalbox.edit.";

export function keepEdit(id: string, edit: Edit): void {
  try {
    sessionStorage.setItem(PREFIX + id, JSON.stringify(edit));
  } catch {
    // It is full or not allowed: the page of the new approval still makes the call.
  }
}

export function keptEdit(id: string): Edit | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PREFIX + id) ?? "null") as Partial<Edit> | null;
    return typeof kept?.arguments === "string" && typeof kept.reason === "string" ? { arguments: kept.arguments, reason: kept.reason } : null;
  } catch {
    return null;
  }
}

export function dropEdit(id: string): void {
  try {
    sessionStorage.removeItem(PREFIX + id);
  } catch {
    // Nothing is kept where nothing is allowed.
  }
}

/** dropEdits is for who signs out: nobody after him reads what he has written. */
export function dropEdits(): void {
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(PREFIX)) sessionStorage.removeItem(name);
  } catch {
    // As above.
  }
}
