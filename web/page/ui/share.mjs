/**
 * A program in a link: settings, breakpoints, place and bytes, deflated, as base64url behind the #; or plain, as tools
 * write it: `#program=0x…&args=0x…&pc=…&gas=…&spec=…`. Links are hostile input: sizes are bounded.
 */

import { grouped, parseBytes } from "./format.mjs";

const LONGEST = 150_000; // characters of a link that we make
const LONGEST_READ = 4_000_000; // characters of a link that we read
const LARGEST = 16 << 20; // bytes that a link may unfold to
const MARK = "p=";
const PLAIN = "program=";
const MOST_BREAKPOINTS = 1000;
const MOST_PAGES = 1000; // changes of rights

/**
 * @typedef {{name: string, format: string, settings: object, data: Uint8Array, example: string|null,
 *   breakpoints: number[], used: string|null}} Shared `used` is gas up to the place in the run
 *
 * @param {Shared} shared
 * @returns {Promise<string>} the fragment without #
 */
export async function toFragment({ data, ...rest }) {
  const head = new TextEncoder().encode(JSON.stringify({ version: 1, ...rest }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, head.length, true);
  const packed = await through(new CompressionStream("deflate-raw"), [length, head, data], LARGEST);
  const text = MARK + base64url(packed);
  if (text.length > LONGEST) {
    throw new Error(
      `this program is too large for a link of ${grouped(LONGEST)} characters: it would have ${grouped(text.length)}`,
    );
  }
  return text;
}

/**
 * What a fragment holds: an example's name, a program, or null.
 * @param {string} fragment without #
 * @returns {Promise<Shared|null>}
 */
export async function fromFragment(fragment) {
  const example = /^example=([\w-]{1,40})$/.exec(fragment);
  if (example) return { ...NOTHING, example: example[1] };
  if (fragment.startsWith(PLAIN) && fragment.length <= LONGEST_READ) return fromPlain(new URLSearchParams(fragment));
  if (!fragment.startsWith(MARK)) return null;
  if (fragment.length > LONGEST_READ) throw new Error("the link is too long");
  let bytes;
  try {
    bytes = await through(new DecompressionStream("deflate-raw"), [unbase64url(fragment.slice(MARK.length))], LARGEST);
  } catch {
    throw new Error("the link is damaged: its program cannot be unpacked");
  }
  try {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    return {
      name: text(head.name, "program"),
      format: text(head.format, "auto"),
      settings: settingsOf(head.settings),
      example: /^[\w-]{1,40}$/.test(head.example) ? head.example : null,
      breakpoints: numbers(head.breakpoints).slice(0, MOST_BREAKPOINTS),
      used: /^\d{1,20}$/.test(head.used) ? head.used : null,
      data: bytes.slice(4 + length),
    };
  } catch {
    throw new Error("the link is damaged: what it holds is no program");
  }
}

const NOTHING = { name: "program", format: "auto", settings: {}, breakpoints: [], used: null, data: new Uint8Array() };

/** Throws an Error for a program or arguments that are no hexadecimal digits. */
function fromPlain(given) {
  const settings = {};
  for (const name of ["args", "gas", "pc", "spec", "metering", "tier"]) {
    if (given.has(name)) settings[name] = given.get(name);
  }
  let data;
  try {
    data = parseBytes(given.get("program"));
  } catch (error) {
    throw new Error(`the link's program: ${error.message}`);
  }
  return { ...NOTHING, example: null, settings: settingsOf(settings), data };
}

const isNumber = (value) => Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32;
const numbers = (values) => (Array.isArray(values) ? values.filter(isNumber) : []);

const text = (value, fallback) => (typeof value === "string" && value.length <= 100 ? value : fallback);

/** Only what is known, and only of the right kind. */
function settingsOf(values) {
  const settings = {};
  for (const name of ["args", "gas", "pc"]) if (typeof values?.[name] === "string") settings[name] = values[name];
  for (const [name, allowed] of [
    ["spec", ["0.7.2", "0.8.0"]],
    ["metering", ["instruction", "block", "pipeline"]],
    ["tier", ["auto", "interpreter", "recompiler"]],
  ]) {
    if (allowed.includes(values?.[name])) settings[name] = values[name];
  }
  settings.pages = (Array.isArray(values?.pages) ? values.pages : []).slice(0, MOST_PAGES).filter(
    (page) => Array.isArray(page) && isNumber(page[0]) && isNumber(page[1]) && [null, "r", "rw"].includes(page[2]) &&
      page[1] <= 1 << 24 && page[0] + page[1] <= 2 ** 32,
  );
  return settings;
}

/** What the stream makes of the parts; fails beyond `limit` bytes. */
async function through(stream, parts, limit) {
  const writer = stream.writable.getWriter();
  const writing = (async () => {
    for (const part of parts) await writer.write(part);
    await writer.close();
  })();
  writing.catch(() => {}); // its reader fails as well
  const chunks = [];
  let size = 0;
  const reader = stream.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      throw new Error("too large");
    }
    chunks.push(value);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function base64url(bytes) {
  const parts = [];
  for (let i = 0; i < bytes.length; i += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(i, i + 0x8000)));
  return btoa(parts.join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function unbase64url(encoded) {
  return Uint8Array.from(atob(encoded.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
}
