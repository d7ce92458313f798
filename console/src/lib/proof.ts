/**
 * The check of one record against the log, step by step, as the reader sees it: each step has what it compared and what
 * came of it. Everything that is read comes through Source, so that tests can forge it.
 */
import { checkSignature, parseCheckpoint, parseKey, sameTree, type Checkpoint } from "./note";
import {
  consistencyPath, equal, foldConsistency, foldInclusion, fromBase64, hashing, inclusionPath, leafHash, Nodes, TlogError, toBase64, type Bytes, type Fold, type ReadTile,
} from "./tlog";

/** Claim is what the control API says of a record, and the leaf that it says the log has. */
export interface Claim {
  index: number;
  time: string;
  type: string;
  tenant: string;
  call: string;
  content: string;
  leafData: string;
  leafHash: string;
}

export interface Source {
  checkpoint: () => Promise<string>;
  tile: ReadTile;
}

/** Trust is what the reader brings along: a public key and a checkpoint from elsewhere; "" for none. */
export interface Trust {
  key: string;
  kept: string;
}

export type StepName = "leaf" | "hash" | "checkpoint" | "path" | "signature" | "kept";
/** good and bad are answers; open means that it was not checked, and why says so. */
export type State = "good" | "bad" | "open";
/** Why is a reason that has words in the dictionaries: "proof.why." and this. */
export type Why =
  | "fields" | "hash" | "notCovered" | "root" | "noKey" | "noKept" | "unsupported" | "unsigned" | "invalid" | "origin"
  | "rollback" | "fork" | "unreadable" | "skipped";

export interface Step {
  name: StepName;
  state: State;
  why?: Why;
  /** More about why, as the code that read it said it; in English. */
  detail?: string;
  values: [label: ValueName, value: string][];
  folds?: Fold[];
}

export type ValueName = "leaf" | "expected" | "content" | "computed" | "said" | "origin" | "size" | "root" | "tiles" | "key" | "keptSize" | "keptRoot" | "path";

export interface Proof {
  steps: Step[];
  checkpoint: Checkpoint | null;
}

/** verdict is bad if any step is, good if all are; else "member" says that the record is in the tree as it was served. */
export function verdict(steps: Step[]): "good" | "member" | "open" | "bad" {
  if (steps.some((step) => step.state === "bad")) return "bad";
  const good = (name: StepName) => steps.some((step) => step.name === name && step.state === "good");
  if (!good("leaf") || !good("hash") || !good("path")) return "open";
  return good("signature") ? "good" : "member";
}

export async function prove(claim: Claim, source: Source, trust: Trust): Promise<Proof> {
  if (!hashing()) throw new TlogError("insecure");
  const data = decode(claim.leafData);
  const leaf = data ? await leafHash(data) : null;
  const steps = [leafStep(claim, data), hashStep(claim, leaf)];
  const [point, step] = await readCheckpoint(claim, source);
  steps.push(step);
  const nodes = point ? new Nodes(point.size, source.tile) : null;
  steps.push(await pathStep(claim, leaf, point, nodes));
  steps.push(await signatureStep(point, trust.key));
  steps.push(await keptStep(point, nodes, trust));
  return { steps, checkpoint: point };
}

function decode(text: string): Bytes | null {
  try {
    return fromBase64(text);
  } catch {
    return null;
  }
}

/** micros writes a time as leaves do: UTC with six digits. The API leaves out zeros at the end. */
export function micros(iso: string): string {
  const [, seconds, fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(iso) ?? [];
  return seconds === undefined ? iso : `${seconds}.${fraction.padEnd(6, "0")}Z`;
}

/** expectedLeaf is the leaf of the record as this page shows it: canonical JSON, so there is one spelling. */
export function expectedLeaf(c: Claim): string {
  return JSON.stringify({ call: c.call, content: c.content, index: c.index, tenant: c.tenant, time: micros(c.time), type: c.type, v: 1 });
}

function leafStep(claim: Claim, data: Bytes | null): Step {
  const expected = expectedLeaf(claim);
  const text = data ? new TextDecoder().decode(data) : claim.leafData;
  const values: Step["values"] = [["leaf", text], ["content", claim.content]];
  if (text === expected) return { name: "leaf", state: "good", values };
  return { name: "leaf", state: "bad", why: "fields", detail: difference(text, expected), values: [["leaf", text], ["expected", expected]] };
}

/** difference names the members that are not equal; the whole text where it is no leaf at all. */
function difference(leaf: string, expected: string): string {
  try {
    const [is, should] = [leaf, expected].map((text) => JSON.parse(text) as Record<string, unknown>);
    const names = Object.keys({ ...should, ...is }).filter((name) => is![name] !== should![name]);
    return names.join(", ") || "its spelling";
  } catch {
    return "it is no JSON";
  }
}

function hashStep(claim: Claim, leaf: Bytes | null): Step {
  if (!leaf) return { name: "hash", state: "bad", why: "hash", values: [["said", claim.leafHash]] };
  const computed = toBase64(leaf);
  const same = computed === claim.leafHash;
  return { name: "hash", state: same ? "good" : "bad", ...(same ? {} : { why: "hash" as const }), values: [["computed", computed], ["said", claim.leafHash]] };
}

async function readCheckpoint(claim: Claim, source: Source): Promise<[Checkpoint | null, Step]> {
  try {
    const point = parseCheckpoint(await source.checkpoint());
    const values: Step["values"] = [["origin", point.origin], ["size", String(point.size)], ["root", toBase64(point.root)]];
    if (claim.index >= point.size) return [null, { name: "checkpoint", state: "open", why: "notCovered", values }];
    return [point, { name: "checkpoint", state: "good", values }];
  } catch (error) {
    return [null, { name: "checkpoint", ...unreadable(error), values: [] }];
  }
}

/** unreadable tells damage from what could not be had: only the first is evidence against the log. */
function unreadable(error: unknown): Pick<Step, "state" | "why" | "detail"> {
  return { state: error instanceof TlogError ? "bad" : "open", why: "unreadable", detail: error instanceof Error ? error.message : String(error) };
}

async function pathStep(claim: Claim, leaf: Bytes | null, point: Checkpoint | null, nodes: Nodes | null): Promise<Step> {
  if (!point || !nodes || !leaf) return { name: "path", state: "open", why: "skipped", values: [] };
  try {
    const path = await inclusionPath(claim.index, nodes);
    const { root, folds } = await foldInclusion(leaf, claim.index, point.size, path);
    const values: Step["values"] = [["computed", toBase64(root)], ["said", toBase64(point.root)], ["tiles", nodes.paths.join(", ")]];
    if (equal(root, point.root)) return { name: "path", state: "good", values, folds };
    return { name: "path", state: "bad", why: "root", values, folds };
  } catch (error) {
    return { name: "path", ...unreadable(error), values: [["tiles", nodes.paths.join(", ")]] };
  }
}

async function signatureStep(point: Checkpoint | null, text: string): Promise<Step> {
  const step = (state: State, why?: Why, values: Step["values"] = []): Step => ({ name: "signature", state, ...(why ? { why } : {}), values });
  if (!point) return step("open", "skipped");
  const names = point.signatures.map((s) => `${s.name}+${s.id}`).join(", ");
  if (text.trim() === "") return step("open", "noKey", [["said", names]]);
  try {
    const key = await parseKey(text);
    const values: Step["values"] = [["key", `${key.name}+${key.id}`], ["said", names]];
    if (key.name !== point.origin) return step("bad", "origin", values);
    switch (await checkSignature(point, key)) {
      case "valid":
        return step("good", undefined, values);
      case "absent":
        return step("bad", "unsigned", values);
      case "unsupported":
        return step("open", "unsupported", values);
      default:
        return step("bad", "invalid", values);
    }
  } catch (error) {
    return { name: "signature", ...unreadable(error), values: [["key", text.trim()]] };
  }
}

/** keptStep asks whether the log of today begins with the log of the checkpoint that the reader kept. */
async function keptStep(point: Checkpoint | null, nodes: Nodes | null, trust: Trust): Promise<Step> {
  const step = (state: State, why?: Why, values: Step["values"] = []): Step => ({ name: "kept", state, ...(why ? { why } : {}), values });
  if (trust.kept.trim() === "") return step("open", "noKept");
  if (!point || !nodes) return step("open", "skipped");
  try {
    const kept = parseCheckpoint(trust.kept.replaceAll("\r\n", "\n").trim() + "\n");
    const values: Step["values"] = [["keptSize", String(kept.size)], ["keptRoot", toBase64(kept.root)], ["size", String(point.size)]];
    if (kept.origin !== point.origin) return step("bad", "origin", [["said", kept.origin], ["origin", point.origin]]);
    if (trust.key.trim() !== "") {
      const signed = await checkSignature(kept, await parseKey(trust.key));
      if (signed === "absent" || signed === "invalid") return step("bad", "invalid", values);
    }
    if (kept.size > point.size) return step("bad", "rollback", values);
    if (kept.size === point.size) return sameTree(kept, point) ? step("good", undefined, values) : step("bad", "fork", values);
    if (kept.size === 0) return step("good", undefined, values);
    const path = await consistencyPath(kept.size, nodes);
    const folded = await foldConsistency(kept.size, point.size, kept.root, path);
    values.push(["path", path.map(toBase64).join(" ")], ["computed", toBase64(folded.old)]);
    const same = equal(folded.old, kept.root) && equal(folded.root, point.root);
    return same ? step("good", undefined, values) : step("bad", "fork", values);
  } catch (error) {
    return { name: "kept", ...unreadable(error), values: [] };
  }
}
