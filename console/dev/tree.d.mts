import type { KeyObject } from "node:crypto";

export interface Signer {
  origin: string;
  secret: KeyObject;
  id: Buffer;
  text: string;
}

export class Log {
  constructor(leaves: string[]);
  size: number;
  root(from?: number, to?: number): Buffer;
  tile(path: string): Uint8Array<ArrayBuffer>;
  checkpoint(key: Signer, size?: number): string;
}

export function signer(origin: string, seed: number): Signer;
