/**
 * Budgets as a tree: tenant → teams → keys, agents, runs → agents in the run and the parts of its plan. The API sends the
 * accounts flat; one pass finds their owners, one more puts them in order. Amounts are exact: see money.ts, whose
 * billionths carry counts as well as dollars. Only a bar's width leaves that world.
 */
import type { Account } from "../api/types";
import { exactMoney, NANO, parseMoney } from "./money";
import { NONE } from "./format";

export type Kind = Account["kind"];
/** KINDS is the order of owners under one parent, too. */
export const KINDS: readonly Kind[] = ["tenant", "team", "key", "agent", "permission", "run", "run_agent", "planned", "planned_normal", "planned_optional", "reserve"];

/** Owner is a row's subject: whose accounts these are. */
export interface Owner {
  id: string;
  kind: Kind;
  tenant: string;
  name: string;
  /** run is the run it belongs to, for a run itself and what is in it. */
  run: string | null;
  depth: number;
  accounts: Account[];
  /** inside is how many owners are below this one. */
  inside: number;
}

interface Node extends Owner {
  children: Node[];
}

/** withTeams gives keys the team that they belong to: an account knows its key only. */
export function withTeams(accounts: readonly Account[], keys: readonly { id: string; team: string | null }[]): Account[] {
  const teams = new Map(keys.map((key) => [key.id, key.team]));
  return accounts.map((a) => (a.kind === "key" && a.team === null ? { ...a, team: teams.get(a.key_id ?? "") ?? null } : a));
}

/** budgetTree lists owners depth-first. An owner that has no account itself is there for those below it. */
export function budgetTree(accounts: readonly Account[]): Owner[] {
  const nodes = new Map<string, Node>();
  const roots: Node[] = [];
  for (const account of accounts) owner(nodes, roots, account).accounts.push(account);
  const out: Owner[] = [];
  for (const root of arrange(roots)) flatten(root, 0, out);
  return out;
}

function owner(nodes: Map<string, Node>, roots: Node[], a: Account): Node {
  const tenant = node(nodes, roots, null, "tenant", a.tenant, a.tenant, null);
  const name = a.kind === "agent" || a.kind === "run_agent" ? (a.agent_id ?? "") : "";
  switch (a.kind) {
    case "tenant":
      return tenant;
    case "team":
      return node(nodes, roots, tenant, "team", a.tenant, a.team ?? "", null);
    case "key": {
      const parent = a.team === null ? tenant : node(nodes, roots, tenant, "team", a.tenant, a.team, null);
      return node(nodes, roots, parent, "key", a.tenant, a.key_id ?? "", null);
    }
    case "agent":
      return node(nodes, roots, tenant, "agent", a.tenant, name, null);
    case "permission": {
      const parent = node(nodes, roots, tenant, "agent", a.tenant, a.agent_id ?? "", null);
      return node(nodes, roots, parent, "permission", a.tenant, permissionOf(a), null);
    }
    default: {
      const run = node(nodes, roots, tenant, "run", a.tenant, a.run_id ?? "", a.run_id);
      return a.kind === "run" ? run : node(nodes, roots, run, a.kind, a.tenant, name, a.run_id);
    }
  }
}

/** permissionOf names a permission: its agent, and the glob over tools that is the fourth word of the account. */
export function permissionOf(a: Pick<Account, "account" | "agent_id">): string {
  return `${a.agent_id ?? ""} ${a.account.split(" ")[3] ?? ""}`;
}

function node(nodes: Map<string, Node>, roots: Node[], parent: Node | null, kind: Kind, tenant: string, name: string, run: string | null): Node {
  const id = JSON.stringify([kind, tenant, name, run]);
  let found = nodes.get(id);
  if (!found) {
    found = { id, kind, tenant, name, run, depth: 0, accounts: [], inside: 0, children: [] };
    nodes.set(id, found);
    (parent?.children ?? roots).push(found);
  }
  return found;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function arrange(nodes: Node[]): Node[] {
  return nodes.sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || byText(a.name, b.name));
}

function flatten(from: Node, depth: number, out: Owner[]): void {
  const { children, ...rest } = from;
  const at = out.length;
  const made: Owner = { ...rest, depth, accounts: [...rest.accounts].sort(byWindow) };
  out.push(made);
  for (const child of arrange(children)) flatten(child, depth + 1, out);
  made.inside = out.length - at - 1;
}

const UNITS: readonly string[] = ["usd", "tokens", "input_tokens", "output_tokens", "requests", "steps", "concurrent"];
const WINDOWS: readonly (string | null)[] = ["run", "month", "week", "day", "hour", "minute", "second", null];

/** byWindow puts money first, long windows before short ones, and the newest of equal windows on top. */
function byWindow(a: Account, b: Account): number {
  return (
    UNITS.indexOf(a.unit) - UNITS.indexOf(b.unit) ||
    WINDOWS.indexOf(a.per) - WINDOWS.indexOf(b.per) ||
    byText(b.starts_at ?? "", a.starts_at ?? "")
  );
}

/** Row is one line of the list: an owner's first account with its name, or a further one below it. */
export interface Row {
  owner: Owner;
  account: Account | null;
  first: boolean;
}

/** budgetRows leaves out what is inside a folded owner. */
export function budgetRows(owners: readonly Owner[], folded: (owner: Owner) => boolean): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < owners.length; ) {
    const owner = owners[i]!;
    rows.push({ owner, account: owner.accounts[0] ?? null, first: true });
    for (const account of owner.accounts.slice(1)) rows.push({ owner, account, first: false });
    i += folded(owner) ? owner.inside + 1 : 1;
  }
  return rows;
}

/** showAmount writes every digit that counts: dollars with cents at least, counts with grouped thousands. */
export function showAmount(unit: string, text: string | null | undefined): string {
  const value = parseMoney(text);
  return value === null ? NONE : showExact(unit, value);
}

export function showExact(unit: string, value: bigint): string {
  const sign = value < 0n ? "-" : "";
  const text = exactMoney(value < 0n ? -value : value);
  const [whole, rest] = text.split(".") as [string, string];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  if (unit === "usd") return `${sign}$${grouped}.${rest}`;
  return sign + grouped + (/^0*$/.test(rest) ? "" : "." + rest.replace(/0+$/, ""));
}

export interface Fill {
  /** Percent of the bar: what is settled, and what is held on top of it. */
  settled: number;
  held: number;
  /** over: more is used than the cap allows, which only an overrun or a lowered cap can do. */
  over: boolean;
}

/** fill places an account on its bar; null where there is no cap to compare with. */
export function fill(a: Pick<Account, "settled" | "held" | "cap">): Fill | null {
  const cap = parseMoney(a.cap);
  if (cap === null) return null;
  const settled = atLeast0(parseMoney(a.settled));
  const held = atLeast0(parseMoney(a.held));
  const whole = cap > settled + held ? cap : settled + held;
  return { settled: share(settled, whole), held: share(held, whole), over: settled + held > cap };
}

const atLeast0 = (value: bigint | null) => (value === null || value < 0n ? 0n : value);
const share = (part: bigint, whole: bigint) => (whole === 0n ? 0 : Number((part * 10_000n) / whole) / 100);

/** FLEETING windows pass before anybody could act on them. */
const FLEETING = new Set<string | null>(["second", "minute", null]);

/**
 * tightest gives the accounts with the least left of their cap: closed ones first, then by left/cap. What was not used at
 * all, and windows too short to act on, are not tight.
 */
export function tightest(accounts: readonly Account[], most: number): Account[] {
  return accounts
    .filter((a) => !FLEETING.has(a.per) && parseMoney(a.cap) !== null && (a.closed || used(a) > 0n))
    .sort((a, b) => Number(b.closed) - Number(a.closed) || compareLeft(a, b) || byText(a.account, b.account))
    .slice(0, most);
}

const used = (a: Account) => (parseMoney(a.settled) ?? 0n) + (parseMoney(a.held) ?? 0n);

/** left/cap compared by cross-multiplication: no division, so nothing is rounded. A cap of zero leaves nothing. */
function compareLeft(a: Account, b: Account): number {
  const [leftA, capA, leftB, capB] = [a.left, a.cap, b.left, b.cap].map((text) => parseMoney(text) ?? 0n) as [bigint, bigint, bigint, bigint];
  const x = capA === 0n ? 0n : leftA * (capB === 0n ? NANO : capB);
  const y = capB === 0n ? 0n : leftB * (capA === 0n ? NANO : capA);
  return x < y ? -1 : x > y ? 1 : 0;
}
