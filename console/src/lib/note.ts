/** Signed checkpoints and the public keys that they are checked with: C2SP signed-note, tlog-checkpoint, Ed25519. */
import { equal, fromBase64, sha256, TlogError, utf8, type Bytes } from "./tlog";

export interface Signature {
  name: string;
  /** The first four bytes of the key's hash, in hex. */
  id: string;
  bytes: Bytes;
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
  /** What is signed: the lines with the last one's end. */
  text: string;
  signatures: Signature[];
  /** The whole note, as it was read. */
  signed: string;
}

/** parseCheckpoint reads a signed note. It checks no signature. */
export function parseCheckpoint(signed: string): Checkpoint {
  const end = signed.lastIndexOf("\n\n");
  if (end < 0 || !signed.endsWith("\n")) throw new TlogError("it is not a signed note: an empty line and signatures are missing");
  const text = signed.slice(0, end + 1);
  const [origin, size, root] = text.split("\n");
  if (!origin || !size || !root) throw new TlogError("it has fewer than three lines");
  if (!/^(0|[1-9]\d*)$/.test(size) || !Number.isSafeInteger(Number(size))) throw new TlogError("its second line is not a size");
  const hash = fromBase64(root);
  if (hash.length !== 32) throw new TlogError("its third line is not a root hash");
  return { origin, size: Number(size), root: hash, text, signatures: signed.slice(end + 2, -1).split("\n").map(signature), signed };
}

function signature(line: string): Signature {
  const [, name, data] = /^\u2014 ([^\s+]+) (\S+)$/.exec(line) ?? [];
  if (!name || !data) throw new TlogError(`"${line}" is not the line of a signature`);
  const bytes = fromBase64(data);
  if (bytes.length < 5) throw new TlogError(`the signature of ${name} is too short`);
  return { name, id: hex(bytes.slice(0, 4)), bytes: bytes.slice(4) };
}

export interface PublicKey {
  name: string;
  id: string;
  bytes: Bytes;
}

const ED25519 = 1;

/** parseKey reads name+hash+data and checks that the hash is of this key. */
export async function parseKey(text: string): Promise<PublicKey> {
  const [, name, id, data] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? [];
  if (!name || !id || !data) throw new TlogError("it is not a public key of the form name+hash+data");
  const bytes = fromBase64(data);
  if (bytes[0] !== ED25519 || bytes.length !== 33) throw new TlogError("it is not an Ed25519 key");
  const sum = await sha256(utf8(name + "\n"), bytes);
  if (hex(sum.slice(0, 4)) !== id) throw new TlogError("its hash is not of its data: a character was lost or changed");
  return { name, id, bytes: bytes.slice(1) };
}

/** Signed is what came of checking: no line of that key, or this browser has no Ed25519, say nothing about the note. */
export type Signed = "valid" | "invalid" | "absent" | "unsupported";

/** checkSignature looks for the key's own lines; those of other keys are ignored, as the format wants. */
export async function checkSignature(point: Checkpoint, key: PublicKey): Promise<Signed> {
  const own = point.signatures.filter((s) => s.name === key.name && s.id === key.id);
  if (own.length === 0) return "absent";
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "NotSupportedError") return "unsupported";
    return "invalid";
  }
  for (const one of own) {
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, imported, one.bytes, utf8(point.text)))) return "invalid";
  }
  return "valid";
}

export function hex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** sameTree says whether two checkpoints of one size name one root. */
export function sameTree(a: Checkpoint, b: Checkpoint): boolean {
  return a.origin === b.origin && a.size === b.size && equal(a.root, b.root);
}
