/** What differs: of two lists of lines, and of two JSON values by their paths. */
import { writeJson, type Json } from "./json";

export type Side = "same" | "removed" | "added";

export interface Step<T> {
  side: Side;
  item: T;
}

/** More differences than this are not looked for one by one: what is between the common ends counts as replaced. */
const MOST_EDITS = 600;

/** sequence is the shortest way from a to b, after Myers: removals come before additions. */
export function sequence<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean = Object.is): Step<T>[] {
  let head = 0;
  while (head < a.length && head < b.length && same(a[head]!, b[head]!)) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && same(a[a.length - 1 - tail]!, b[b.length - 1 - tail]!)) tail++;
  const as = (side: Side) => (item: T): Step<T> => ({ side, item });
  return [
    ...a.slice(0, head).map(as("same")),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail), same),
    ...a.slice(a.length - tail).map(as("same")),
  ];
}

function middle<T>(a: T[], b: T[], same: (x: T, y: T) => boolean): Step<T>[] {
  const replaced = (): Step<T>[] => [
    ...a.map((item): Step<T> => ({ side: "removed", item })),
    ...b.map((item): Step<T> => ({ side: "added", item })),
  ];
  if (a.length === 0 || b.length === 0) return replaced();
  const reach = new Map<number, number>([[1, 0]]);
  const trail: Map<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(a.length + b.length, MOST_EDITS); edits++) {
    trail.push(new Map(reach));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && reach.get(k - 1)! < reach.get(k + 1)!);
      let x = down ? reach.get(k + 1)! : reach.get(k - 1)! + 1;
      while (x < a.length && x - k < b.length && same(a[x]!, b[x - k]!)) x++;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return back(a, b, trail);
    }
  }
  return replaced();
}

function back<T>(a: T[], b: T[], trail: Map<number, number>[]): Step<T>[] {
  const out: Step<T>[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trail.length - 1; edits >= 0; edits--) {
    const reach = trail[edits]!;
    const k = x - y;
    const down = k === -edits || (k !== edits && reach.get(k - 1)! < reach.get(k + 1)!);
    const from = down ? k + 1 : k - 1;
    const startX = edits === 0 ? 0 : reach.get(from)!;
    const startY = edits === 0 ? 0 : startX - from;
    while (x > startX && y > startY) {
      out.push({ side: "same", item: a[--x]! });
      y--;
    }
    if (edits > 0) out.push(down ? { side: "added", item: b[--y]! } : { side: "removed", item: a[--x]! });
  }
  return out.reverse();
}

export interface LineStep extends Step<string> {
  /** Line numbers from 1 in the old and the new text; null where the line is not in it. */
  old: number | null;
  now: number | null;
}

export function lines(before: string, after: string): LineStep[] {
  let old = 0;
  let now = 0;
  return sequence(split(before), split(after)).map((step) => ({
    ...step,
    old: step.side === "added" ? null : ++old,
    now: step.side === "removed" ? null : ++now,
  }));
}

function split(text: string): string[] {
  const out = text.split("\n");
  if (out.at(-1) === "") out.pop();
  return out;
}

/** A run of lines to show, or the number of equal ones that are left out. */
export type Hunk = { steps: LineStep[] } | { skipped: number };

/** hunks keeps the differences with a few equal lines around them. */
export function hunks(steps: LineStep[], around = 3): Hunk[] {
  const near = new Uint8Array(steps.length);
  steps.forEach((step, i) => {
    if (step.side !== "same") near.fill(1, Math.max(0, i - around), i + around + 1);
  });
  const out: Hunk[] = [];
  steps.forEach((step, i) => {
    const last = out.at(-1);
    if (near[i]) {
      if (last && "steps" in last) last.steps.push(step);
      else out.push({ steps: [step] });
    } else if (last && "skipped" in last) last.skipped++;
    else out.push({ skipped: 1 });
  });
  return out;
}

export interface Change {
  /** "files[2].path"; "" is the whole value. */
  path: string;
  before: Json | null;
  after: Json | null;
}

/** changes lists what differs between two values, at the deepest place that differs. Equal values give none. */
export function changes(before: Json, after: Json, path = ""): Change[] {
  if (before.kind === "object" && after.kind === "object") return ofObjects(before, after, path);
  if (before.kind === "array" && after.kind === "array") return ofArrays(before, after, path);
  return equal(before, after) ? [] : [{ path, before, after }];
}

/** equal ignores the order of an object's members, which says nothing. */
export function equal(a: Json, b: Json): boolean {
  return stable(a) === stable(b);
}

function stable(value: Json): string {
  if (value.kind === "array") return "[" + value.items.map(stable).join(",") + "]";
  if (value.kind !== "object") return writeJson(value);
  return "{" + value.members.map((m) => JSON.stringify(m.name) + ":" + stable(m.value)).sort().join(",") + "}";
}

type Of<K extends Json["kind"]> = Extract<Json, { kind: K }>;

function ofObjects(before: Of<"object">, after: Of<"object">, path: string): Change[] {
  const whole = [...before.members, ...after.members].some((m) => m.twice);
  if (whole) return equal(before, after) ? [] : [{ path, before, after }];
  const old = new Map(before.members.map((m) => [m.name, m.value]));
  const now = new Map(after.members.map((m) => [m.name, m.value]));
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name) => pair(old.get(name) ?? null, now.get(name) ?? null, member(path, name)));
}

function ofArrays(before: Of<"array">, after: Of<"array">, path: string): Change[] {
  const out: Change[] = [];
  let gone: { value: Json; at: number }[] = [];
  let at = 0;
  let old = 0;
  for (const step of sequence(before.items, after.items, equal)) {
    if (step.side === "removed") {
      gone.push({ value: step.item, at: old++ });
      continue;
    }
    if (step.side === "added") {
      out.push(...pair(gone.shift()?.value ?? null, step.item, `${path}[${at}]`));
    } else {
      out.push(...left(gone, path));
      gone = [];
      old++;
    }
    at++;
  }
  return [...out, ...left(gone, path)];
}

const left = (gone: { value: Json; at: number }[], path: string): Change[] =>
  gone.map(({ value, at }) => ({ path: `${path}[${at}]`, before: value, after: null }));

function pair(before: Json | null, after: Json | null, path: string): Change[] {
  return before && after ? changes(before, after, path) : [{ path, before, after }];
}

function member(path: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}
