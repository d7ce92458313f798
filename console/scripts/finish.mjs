/**
 * After vite: compress what compresses, and refuse a bundle that is too large. With --check only the sizes are looked at.
 * The .gz files are made with a fixed level and carry no time, so that equal sources give equal bytes.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const LIMIT = 250_000;
const MOST_RUNTIME_DEPENDENCIES = 12;
const check = process.argv.includes("--check");

const files = readdirSync(DIST, { recursive: true })
  .map((name) => join(DIST, String(name)))
  .filter((name) => statSync(name).isFile() && !name.endsWith(".gz"))
  .sort();

let total = 0;
for (const name of files) {
  const packed = smallest(readFileSync(name));
  total += packed.length;
  if (!check) writeFileSync(name + ".gz", packed);
  console.log(`${String(packed.length).padStart(8)}  ${relative(DIST, name)}`);
}
console.log(`${String(total).padStart(8)}  gzipped in all; the limit is ${LIMIT}`);

/** smallest tries blocks of several sizes: which of them packs best depends on the file. */
function smallest(data) {
  const tried = [6, 7, 8].map((memLevel) => gzipSync(data, { level: 9, memLevel }));
  return tried.reduce((best, one) => (one.length < best.length ? one : best));
}

const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const names = Object.keys(dependencies);
const loose = names.filter((name) => !/^\d+\.\d+\.\d+$/.test(dependencies[name]));
if (total > LIMIT) fail("the bundle is too large");
if (names.length > MOST_RUNTIME_DEPENDENCIES) fail(`${names.length} runtime dependencies; at most ${MOST_RUNTIME_DEPENDENCIES}`);
if (loose.length > 0) fail(`not pinned to an exact version: ${loose.join(", ")}`);

function fail(why) {
  console.error(why);
  process.exit(1);
}
