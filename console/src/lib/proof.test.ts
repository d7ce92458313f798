import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Log, signer } from "../../dev/tree.mjs";
import { expectedLeaf, micros, prove, verdict, type Claim, type Source, type Trust } from "./proof";

const SIZE = 700;
const key = signer("example.com/log", 1);
const claimOf = (index: number): Omit<Claim, "leafData" | "leafHash"> => ({
  index, time: `2026-11-22T10:00:00.${String(index).padStart(4, "0")}Z`, type: "outcome", tenant: "acme", call: "call_" + index,
  content: createHash("sha256").update("content " + index).digest("base64"),
});
const leaf = (index: number) => expectedLeaf(claimOf(index) as Claim);
const log = new Log(Array.from({ length: SIZE }, (_, i) => leaf(i)));
const source: Source = { checkpoint: () => Promise.resolve(log.checkpoint(key)), tile: (path) => Promise.resolve(log.tile(path)) };
const trust: Trust = { key: key.text, kept: log.checkpoint(key, 300) };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const hashOf = (text: string) => createHash("sha256").update("\0").update(text).digest("base64");
const claim = (index: number): Claim => ({ ...claimOf(index), leafData: base64(leaf(index)), leafHash: hashOf(leaf(index)) });
const forged = (text: string): Pick<Claim, "leafData" | "leafHash"> => ({ leafData: base64(text), leafHash: hashOf(text) });

async function fails(c: Claim, s: Source = source, t: Trust = trust): Promise<[verdict: string, ...steps: string[]]> {
  const { steps } = await prove(c, s, t);
  return [verdict(steps), ...steps.filter((step) => step.state !== "good").map((step) => `${step.name} ${step.state} ${step.why}`)];
}

describe("a record of the log", () => {
  it.each([0, 255, 256, 511, 699])("%i is proven", async (index) => expect(await fails(claim(index))).toEqual(["good"]));
  it("is a member only, without a key", async () => {
    expect(await fails(claim(3), source, { key: "", kept: "" })).toEqual(["member", "signature open noKey", "kept open noKept"]);
  });
  it("waits for a checkpoint that covers it", async () => {
    const early: Source = { ...source, checkpoint: () => Promise.resolve(log.checkpoint(key, 300)) };
    expect(await fails(claim(300), early)).toEqual(["open", "checkpoint open notCovered", "path open skipped", "signature open skipped", "kept open skipped"]);
  });
  it("is not accused when the server cannot be reached", async () => {
    const away: Source = { ...source, tile: () => Promise.reject(new Error("503")) };
    expect(await fails(claim(3), away)).toEqual(["open", "path open unreadable", "kept open unreadable"]);
  });
  it("shows each step up with the hash that is put beside", async () => {
    const { steps } = await prove(claim(3), source, trust);
    const { folds } = steps.find((step) => step.name === "path")!;
    expect(folds!.length).toBe(10);
    expect(folds!.slice(0, 3).map((fold) => fold.left)).toEqual([true, true, false]);
  });
});

describe("a forgery is named by the step it breaks at", () => {
  it.each<[string, Partial<Claim>, string[]]>([
    ["another tenant on the page", { tenant: "globex" }, ["leaf bad fields"]],
    ["another time on the page", { time: "2026-11-22T10:00:01Z" }, ["leaf bad fields"]],
    ["another content hash on the page", { content: claimOf(5).content }, ["leaf bad fields"]],
    ["the leaf of another record", { leafData: base64(leaf(8)), leafHash: hashOf(leaf(8)) }, ["leaf bad fields", "path bad root"]],
    ["a leaf that is no base64", { leafData: "{}" }, ["leaf bad fields", "hash bad hash", "path open skipped"]],
    ["a leaf hash that is not the leaf's", { leafHash: hashOf("x") }, ["hash bad hash"]],
    ["record and leaf rewritten together", { tenant: "globex", ...forged(expectedLeaf({ ...claimOf(7), tenant: "globex" } as Claim)) }, ["path bad root"]],
    ["record moved to another place", { index: 9, ...forged(expectedLeaf({ ...claimOf(7), index: 9 } as Claim)) }, ["path bad root"]],
  ])("%s", async (_, change, want) => {
    const [is, ...steps] = await fails({ ...claim(7), ...change });
    expect(is).toBe("bad");
    expect(steps).toEqual(want);
  });

  const rewritten = new Log(Array.from({ length: SIZE }, (_, i) => (i === 7 ? leaf(7).replace("acme", "evil") : leaf(i))));
  it("a tree built anew without the key", async () => {
    const other: Source = { checkpoint: () => Promise.resolve(rewritten.checkpoint(signer("example.com/log", 9))), tile: (path) => Promise.resolve(rewritten.tile(path)) };
    expect(await fails(claim(8), other)).toEqual(["bad", "signature bad unsigned", "kept bad fork"]);
  });
  it("a tree built anew with the stolen key, by the checkpoint that was kept", async () => {
    const other: Source = { checkpoint: () => Promise.resolve(rewritten.checkpoint(key)), tile: (path) => Promise.resolve(rewritten.tile(path)) };
    expect(await fails(claim(8), other)).toEqual(["bad", "kept bad fork"]);
  });
  it("a log rolled back to an old copy", async () => {
    const old: Source = { ...source, checkpoint: () => Promise.resolve(log.checkpoint(key, 200)) };
    expect(await fails(claim(8), old)).toEqual(["bad", "kept bad rollback"]);
  });
  it("a signature that was changed", async () => {
    const note = log.checkpoint(key);
    const broken: Source = { ...source, checkpoint: () => Promise.resolve(note.slice(0, -9) + (note.at(-9) === "A" ? "B" : "A") + note.slice(-8)) };
    expect(await fails(claim(8), broken)).toEqual(["bad", "signature bad invalid"]);
  });
  it("a tile with one bit changed", async () => {
    const bent: Source = { ...source, tile: (path) => Promise.resolve(log.tile(path).map((byte, i) => (path.startsWith("tile/0/000") && i === 33 ? byte ^ 1 : byte)) as Uint8Array<ArrayBuffer>) };
    expect(await fails(claim(8), bent, { ...trust, kept: "" })).toEqual(["bad", "path bad root", "kept open noKept"]);
  });
  it("a tile that is cut, and a checkpoint of another log", async () => {
    const cut: Source = { ...source, tile: (path) => Promise.resolve(log.tile(path).slice(32) as Uint8Array<ArrayBuffer>) };
    expect((await fails(claim(8), cut))[1]).toBe("path bad unreadable");
    const other: Source = { ...source, checkpoint: () => Promise.resolve(log.checkpoint(signer("elsewhere.example/log", 1))) };
    expect(await fails(claim(8), other)).toEqual(["bad", "signature bad origin", "kept bad origin"]);
  });
  it("a key with a character lost", async () => expect((await fails(claim(8), source, { ...trust, key: key.text.replace("log+", "lo+") }))[1]).toBe("signature bad unreadable"));
});

it("micros has six digits whatever the API left out", () => {
  expect(["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.123456Z"].map(micros)).toEqual([
    "2026-11-22T10:00:00.000000Z", "2026-11-22T10:00:00.500000Z", "2026-11-22T10:00:00.123456Z",
  ]);
});
