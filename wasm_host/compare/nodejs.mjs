/**
 * The page's session under node, as its guest worker has it: started by guests.py with the folder of the page's modules.
 *
 * In, a line each: null; `{abi, interpreter}` once; then lists of `[method, params]`. Out, a line each: null,
 * `{results, milliseconds}` of which the last request took that long, or `{error}`. Values are tagged JSON.
 */

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const module = (name) => import(pathToFileURL(join(process.argv[2], name)).href);
const { revive } = await module("shared/workers.mjs");
const { Session } = await module("guest/session.mjs");

const session = new Session();
const turn = () => new Promise((resolve) => setImmediate(resolve));
let engine = null;

const base64 = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");

/** Whether all are 0; for pages of memory, whose length is a multiple of 4. */
function isBlank(bytes) {
  if (bytes.length % 4 || bytes.byteOffset % 4 || !bytes.length) return false;
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).every((word) => word === 0);
}

function tagged(key, value) {
  if (typeof value === "bigint") return { $int: String(value) };
  if (value instanceof Uint8Array) return isBlank(value) ? { $blank: value.length } : { $bytes: base64(value) };
  return value instanceof BigUint64Array ? { $u64: base64(value) } : value;
}

async function answer(requests) {
  if (requests === null) return null;
  if (!Array.isArray(requests)) {
    engine = { abi: requests.abi, interpreter: await WebAssembly.compile(requests.interpreter) };
    return null;
  }
  const results = [];
  let begin = 0;
  for (const [method, params] of requests) {
    begin = performance.now();
    results.push(await session[method](method === "load" ? { ...engine, ...params } : params, () => {}, turn));
  }
  return { results, milliseconds: performance.now() - begin };
}

for await (const line of createInterface({ input: process.stdin })) {
  let found;
  try {
    found = await answer(revive(line));
  } catch (error) {
    found = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(found, tagged)}\n`);
}
