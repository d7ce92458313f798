/**
 * The log's tree, checked here and not by the server: RFC 6962 hashes and proofs, tiles of C2SP tlog-tiles, checkpoints of
 * C2SP tlog-checkpoint, public keys and signatures of C2SP signed-note. Nothing in this file trusts what it was given: a
 * path is folded up to a root, and the root is compared. Sizes and indexes are whole numbers below 2^53.
 */

export type Bytes = Uint8Array<ArrayBuffer>;

/** A tile is 256 hashes wide and stands for eight levels of the tree. */
export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
const HASH = 32;

/** TlogError says what is wrong with something that was read. Its text is for the reader. */
export class TlogError extends Error {}

/** hashing says whether this page may use WebCrypto: browsers offer it over TLS and on this machine only. */
export function hashing(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

export async function sha256(...parts: (Bytes | number[])[]): Promise<Bytes> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

export const leafHash = (data: Bytes): Promise<Bytes> => sha256([0], data);
export const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256([1], left, right);

export function equal(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** fromBase64 refuses what toBase64 would not have written, so that a value has one spelling. */
export function fromBase64(text: string): Bytes {
  let raw: string;
  try {
    raw = atob(text);
  } catch {
    throw new TlogError(`"${text}" is not base64`);
  }
  const bytes = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new TlogError(`"${text}" is not base64`);
  return bytes;
}

export function toBase64(bytes: Bytes): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;

/** tilePath is tile/<level>/<n>, n in groups of three digits, with .p/<width> where the tile is not full. */
export function tilePath(level: number, n: number, width: number): string {
  let path = String(n % 1000).padStart(3, "0");
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = "x" + String(rest % 1000).padStart(3, "0") + "/" + path;
  }
  return `tile/${level}/${path}${width < TILE_WIDTH ? ".p/" + width : ""}`;
}

/** ReadTile gives the bytes at a path of tilePath. */
export type ReadTile = (path: string) => Promise<Bytes>;

/** Nodes reads inner hashes of the tree of one size out of tiles, each of which is read once. */
export class Nodes {
  private readonly tiles = new Map<string, Promise<Bytes>>();

  constructor(
    readonly size: number,
    private readonly read: ReadTile,
  ) {}

  /** paths are those of the tiles that were needed, in the order of asking. */
  get paths(): string[] {
    return [...this.tiles.keys()];
  }

  /** range is the hash of the records from ≤ i < to, as RFC 6962 defines it. It is a subtree of this tree. */
  async range(from: number, to: number): Promise<Bytes> {
    const half = split(to - from);
    if (half * 2 === to - from || to - from === 1) return this.full(from, to - from);
    const [left, right] = await Promise.all([this.range(from, from + half), this.range(from + half, to)]);
    return nodeHash(left, right);
  }

  /** full is the root of a subtree whose size is a power of two, out of the tile that holds its level or the one below. */
  private async full(from: number, size: number): Promise<Bytes> {
    const height = Math.round(Math.log2(size));
    const level = Math.floor(height / TILE_HEIGHT);
    const unit = 2 ** (level * TILE_HEIGHT);
    const first = from / unit;
    const tile = await this.tile(level, Math.floor(first / TILE_WIDTH));
    const at = (first % TILE_WIDTH) * HASH;
    let row: Bytes[] = [];
    for (let i = 0; i < size / unit; i++) row.push(tile.slice(at + i * HASH, at + (i + 1) * HASH));
    while (row.length > 1) {
      row = await Promise.all(Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i]!, row[2 * i + 1]!)));
    }
    return row[0]!;
  }

  private tile(level: number, n: number): Promise<Bytes> {
    const have = Math.floor(this.size / 2 ** (level * TILE_HEIGHT));
    const width = Math.min(TILE_WIDTH, have - n * TILE_WIDTH);
    const path = tilePath(level, n, width);
    let tile = this.tiles.get(path);
    if (!tile) {
      tile = this.read(path).then((bytes) => {
        if (bytes.length !== width * HASH) throw new TlogError(`${path} has ${bytes.length} bytes, not ${width * HASH}`);
        return bytes;
      });
      this.tiles.set(path, tile);
    }
    return tile;
  }
}

/** split is the largest power of two below n; 1 for n ≤ 2. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** inclusionPath is the proof that record index is in the tree, lowest hash first (RFC 6962 2.1.1). */
export async function inclusionPath(index: number, nodes: Nodes): Promise<Bytes[]> {
  const path: Promise<Bytes>[] = [];
  let from = 0;
  let to = nodes.size;
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      path.push(nodes.range(middle, to));
      to = middle;
    } else {
      path.push(nodes.range(from, middle));
      from = middle;
    }
  }
  return Promise.all(path.reverse());
}

/** Fold is one step up: the hash that was put beside, on which side, and what came of it. */
export interface Fold {
  beside: Bytes;
  left: boolean;
  hash: Bytes;
}

/** foldInclusion computes the root that the path leads to; the last fold has it, or the leaf where there is none. */
export async function foldInclusion(leaf: Bytes, index: number, size: number, path: Bytes[]): Promise<{ root: Bytes; folds: Fold[] }> {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new TlogError(`there is no record ${index} in a tree of ${size}`);
  let own = index;
  let last = size - 1;
  let root = leaf;
  const folds: Fold[] = [];
  for (const beside of path) {
    if (last === 0) throw new TlogError("the path is too long");
    const left = own % 2 === 1 || own === last;
    root = left ? await nodeHash(beside, root) : await nodeHash(root, beside);
    folds.push({ beside, left, hash: root });
    // On the right edge, levels without a neighbour are passed over.
    while (left && own % 2 === 0 && own !== 0) [own, last] = [own / 2, half(last)];
    [own, last] = [half(own), half(last)];
  }
  if (last !== 0) throw new TlogError("the path is too short");
  return { root, folds };
}

const half = (n: number) => Math.floor(n / 2);

/** consistencyPath is the proof that the tree begins with the one of size old, 0 < old ≤ size (RFC 6962 2.1.2). */
export async function consistencyPath(old: number, nodes: Nodes): Promise<Bytes[]> {
  if (!Number.isSafeInteger(old) || old < 1 || old > nodes.size) throw new TlogError(`${old} is not between 1 and ${nodes.size}`);
  const path: Promise<Bytes>[] = [];
  let from = 0;
  let to = nodes.size;
  while (old !== to) {
    const middle = from + split(to - from);
    if (old <= middle) {
      path.push(nodes.range(middle, to));
      to = middle;
    } else {
      path.push(nodes.range(from, middle));
      from = middle;
    }
  }
  // The old tree itself is what the reader has; any smaller part of it has to be said.
  if (from > 0) path.push(nodes.range(from, to));
  return Promise.all(path.reverse());
}

/** foldConsistency computes both roots that the path leads to. The old one is given, since the path may begin with it. */
export async function foldConsistency(old: number, size: number, oldRoot: Bytes, path: Bytes[]): Promise<{ old: Bytes; root: Bytes }> {
  if (old === size) {
    if (path.length > 0) throw new TlogError("the path is too long");
    return { old: oldRoot, root: oldRoot };
  }
  let own = old - 1;
  let last = size - 1;
  while (own % 2 === 1) [own, last] = [half(own), half(last)];
  const [first, ...rest] = own === 0 ? [oldRoot, ...path] : path;
  if (!first) throw new TlogError("the path is too short");
  let [before, after] = [first, first];
  for (const beside of rest) {
    if (last === 0) throw new TlogError("the path is too long");
    const left = own % 2 === 1 || own === last;
    after = left ? await nodeHash(beside, after) : await nodeHash(after, beside);
    if (left) before = await nodeHash(beside, before);
    while (left && own % 2 === 0 && own !== 0) [own, last] = [own / 2, half(last)];
    [own, last] = [half(own), half(last)];
  }
  if (last !== 0) throw new TlogError("the path is too short");
  return { old: before, root: after };
}
