import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Log } from "../../dev/tree.mjs";
import { checkSignature, parseCheckpoint, parseKey } from "./note";
import vectors from "./testdata/tlog.json";
import {
  consistencyPath, foldConsistency, foldInclusion, fromBase64, inclusionPath, leafHash, Nodes, TILE_WIDTH, tilePath, toBase64, utf8, type Bytes,
} from "./tlog";

const text = (i: number) => "record " + i;
const log = new Log(Array.from({ length: 66_000 }, (_, i) => text(i)));
const nodes = (size: number) => new Nodes(size, (path) => Promise.resolve(log.tile(path)));
const root = (size: number) => fromBase64(vectors.roots[String(size) as keyof typeof vectors.roots]);
const flip = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) as Bytes;

describe("tiles", () => {
  it.each(vectors.tiles)("$path", ({ level, n, width, path, sha256 }) => {
    expect(tilePath(level, n, width)).toBe(path);
    if (sha256) expect(createHash("sha256").update(log.tile(path)).digest("hex")).toBe(sha256);
  });
  it("give the roots that tlog computes", async () => {
    for (const [size, want] of Object.entries(vectors.roots)) {
      expect(toBase64(await nodes(Number(size)).range(0, Number(size))), size).toBe(want);
    }
  });
  it("are refused where they are cut", async () => {
    const cut = new Nodes(700, (path) => Promise.resolve(log.tile(path).slice(1) as Bytes));
    await expect(inclusionPath(5, cut)).rejects.toThrow(/has \d+ bytes, not/);
  });
});

describe("inclusion", () => {
  it.each(vectors.inclusion)("of $index in $size", async ({ size, index, proof }) => {
    const path = await inclusionPath(index, nodes(size));
    expect(path.map(toBase64)).toEqual(proof);
    const folded = await foldInclusion(await leafHash(utf8(text(index))), index, size, path);
    expect(toBase64(folded.root)).toBe(toBase64(root(size)));
    expect(folded.folds.length).toBe(proof.length);
  });
  it.each(vectors.inclusion)("of $index in $size fails for every changed hash, another leaf, another place", async ({ size, index, proof }) => {
    const path = proof.map(fromBase64);
    const leaf = await leafHash(utf8(text(index)));
    const want = toBase64(root(size));
    for (let i = 0; i < path.length; i++) {
      const forged = path.map((hash, at) => (at === i ? flip(hash) : hash));
      expect(toBase64((await foldInclusion(leaf, index, size, forged)).root)).not.toBe(want);
    }
    expect(toBase64((await foldInclusion(flip(leaf), index, size, path)).root)).not.toBe(want);
    await expect(foldInclusion(leaf, index, size, [...path, leaf])).rejects.toThrow("too long");
    if (path.length > 0) await expect(foldInclusion(leaf, index, size, path.slice(1))).rejects.toThrow("too short");
    await expect(foldInclusion(leaf, size, size, path)).rejects.toThrow("no record");
  });
  it("reads few tiles", async () => {
    const large = nodes(66_000);
    await inclusionPath(300, large);
    expect(large.paths).toEqual(expect.arrayContaining([tilePath(0, 1, TILE_WIDTH), "tile/1/000"]));
    expect(large.paths.length).toBeLessThanOrEqual(4);
  });
});

describe("consistency", () => {
  it.each(vectors.consistency)("of $old with $size", async ({ old, size, proof }) => {
    const path = await consistencyPath(old, nodes(size));
    expect(path.map(toBase64)).toEqual(proof);
    const folded = await foldConsistency(old, size, root(old), path);
    expect(toBase64(folded.old)).toBe(toBase64(root(old)));
    expect(toBase64(folded.root)).toBe(toBase64(root(size)));
  });
  it.each(vectors.consistency.filter((v) => v.old < v.size))("of $old with $size fails for another old tree and for changed hashes", async ({ old, size, proof }) => {
    const path = proof.map(fromBase64);
    const both = async (oldRoot: Bytes, some: Bytes[]) => {
      const folded = await foldConsistency(old, size, oldRoot, some);
      return toBase64(folded.old) === toBase64(oldRoot) && toBase64(folded.root) === toBase64(root(size));
    };
    expect(await both(root(old), path)).toBe(true);
    expect(await both(flip(root(old)), path)).toBe(false);
    for (let i = 0; i < path.length; i++) expect(await both(root(old), path.map((hash, at) => (at === i ? flip(hash) : hash)))).toBe(false);
    await expect(both(root(old), path.slice(0, -1))).rejects.toThrow("too short");
  });
});

describe("checkpoints", () => {
  const { key, other, signed } = vectors.note;
  it("are read with their signatures", () => {
    const point = parseCheckpoint(signed);
    expect([point.origin, point.size, toBase64(point.root), point.signatures.length]).toEqual(["example.com/log", 700, vectors.roots["700"], 2]);
  });
  it("are signed by their key and no other", async () => {
    const point = parseCheckpoint(signed);
    expect(await checkSignature(point, await parseKey(key))).toBe("valid");
    expect(await checkSignature(point, await parseKey(other))).toBe("absent");
    expect(await checkSignature({ ...point, text: point.text.replace("700", "701") }, await parseKey(key))).toBe("invalid");
    const [stranger, own] = point.signatures;
    expect(await checkSignature({ ...point, signatures: [stranger!, { ...own!, bytes: flip(own!.bytes) }] }, await parseKey(key))).toBe("invalid");
  });
  it.each([
    ["no signature", signed.slice(0, signed.indexOf("\n\n") + 1), "not a signed note"],
    ["a size with a zero before", signed.replace("\n700\n", "\n0700\n"), "not a size"],
    ["a root that is too short", signed.replace(vectors.roots["700"], "AAAA"), "not a root hash"],
    ["a line that is no signature", signed.replace("\u2014", "-"), "not the line of a signature"],
  ])("are refused with %s", (_, note, want) => expect(() => parseCheckpoint(note)).toThrow(want));
  it.each([
    ["one character changed", key.replace("+", "x+"), "its hash is not of its data"],
    ["no data", key.slice(0, key.lastIndexOf("+")), "not a public key"],
    ["another kind", key.slice(0, key.lastIndexOf("+") + 1) + "AgAA", "not an Ed25519 key"],
  ])("a key with %s is refused", (_, text, want) => expect(parseKey(text)).rejects.toThrow(want));
});
