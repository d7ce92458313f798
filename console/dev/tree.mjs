/** A small log for tests and the mock: its tiles and its checkpoint, computed by Node's own crypto and not by src/lib. */
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";

const hash = (prefix, ...parts) => parts.reduce((sum, part) => sum.update(part), createHash("sha256").update(Buffer.from([prefix]))).digest();

export class Log {
  /** levels[k] are the roots of all whole subtrees of 2^k records. */
  constructor(leaves) {
    this.size = leaves.length;
    this.levels = [leaves.map((leaf) => hash(0, leaf))];
    while (this.levels.at(-1).length > 1) {
      const below = this.levels.at(-1);
      this.levels.push(Array.from({ length: below.length >> 1 }, (_, i) => hash(1, below[2 * i], below[2 * i + 1])));
    }
  }

  root(from = 0, to = this.size) {
    if (to - from === 1) return this.levels[0][from];
    let half = 1;
    while (half * 2 < to - from) half *= 2;
    return hash(1, this.root(from, from + half), this.root(from + half, to));
  }

  tile(path) {
    const [, level, name, width = "256"] = /^tile\/(\d+)\/(.*?)(?:\.p\/(\d+))?$/.exec(path);
    const first = Number(name.replaceAll(/[x/]/g, "")) * 256;
    const hashes = this.levels[Number(level) * 8].slice(first, first + Number(width));
    return new Uint8Array(Buffer.concat(hashes));
  }

  /** checkpoint is the signed note of the first size records. */
  checkpoint(key, size = this.size) {
    const text = `${key.origin}\n${size}\n${this.root(0, size).toString("base64")}\n`;
    return `${text}\n\u2014 ${key.origin} ${Buffer.concat([key.id, sign(null, Buffer.from(text), key.secret)]).toString("base64")}\n`;
  }
}

/** signer is the key of a seed byte; text is its public half as name+hash+data. */
export function signer(origin, seed) {
  const secret = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, seed)]), format: "der", type: "pkcs8" });
  const data = Buffer.concat([Buffer.from([1]), createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32)]);
  const id = createHash("sha256").update(origin + "\n").update(data).digest().subarray(0, 4);
  return { origin, secret, id, text: `${origin}+${id.toString("hex")}+${data.toString("base64")}` };
}
