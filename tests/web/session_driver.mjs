/**
 * Carries out requests on sessions, for tests that compare them with Python's engines.
 *
 * In, on standard input: JSON {modules: {name: base64}, runs: [[{method, params}]]}, values as `pvm_web.bridge` writes them to
 * static files. Out: for each run the list of results, or of errors as {error}; integers beyond 2^53 as text.
 */

import { readFileSync } from "node:fs";

import { Session } from "../../web/page/guest/session.mjs";

const KINDS = {
  $bytes: (text) => new Uint8Array(Buffer.from(text, "base64")),
  $u32: (text) => new Uint32Array(new Uint8Array(Buffer.from(text, "base64")).buffer),
  $u64: (text) => new BigUint64Array(new Uint8Array(Buffer.from(text, "base64")).buffer),
  $int: (text) => BigInt(text),
};

function revived(key, value) {
  if (value === null || typeof value !== "object") return value;
  const [kind] = Object.keys(value);
  return kind in KINDS ? KINDS[kind](value[kind]) : value;
}

function plain(key, value) {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof BigUint64Array) return Array.from(value, String);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return ArrayBuffer.isView(value) ? Array.from(value) : value;
}

const { abi, modules, runs } = JSON.parse(readFileSync(0, "utf-8"), revived);
const compiled = Object.fromEntries(Object.entries(modules).map(([name, bytes]) => [name, new WebAssembly.Module(bytes)]));
const turn = () => new Promise((resolve) => setImmediate(resolve));
const results = [];
for (const requests of runs) {
  const session = new Session();
  const found = [];
  for (const { method, params } of requests) {
    const given = method === "load" ? { ...params, abi, ...compiled } : params;
    try {
      found.push(await session[method](given, () => {}, turn));
    } catch (error) {
      found.push({ error: `${error.constructor.name}: ${error.message}` });
    }
  }
  results.push(found);
  if (globalThis.gc) globalThis.gc();
}
process.stdout.write(JSON.stringify(results, plain));
