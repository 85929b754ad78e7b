/**
 * Numbers and bytes as text, and text as numbers and bytes. Parsers throw an Error whose message is one clear sentence.
 */

export const U64 = (1n << 64n) - 1n;
const SPACE = 2 ** 32;
const REGISTER_NAMES = ["ra", "sp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5"];

/** The name that assembly knows r`n` by as well. */
export const registerAlias = (n) => REGISTER_NAMES[n];

/** @param {number|bigint} value @param {number} digits */
export const hex = (value, digits = 0) => value.toString(16).padStart(digits, "0");

/** @param {number} address */
export const hexAddress = (address) => "0x" + hex(address, 8);

export const signed = (value) => BigInt.asIntN(64, value);

const GROUPS = new Intl.NumberFormat("en");
/** 1234567 → "1,234,567" @param {number|bigint} value */
export const grouped = (value) => GROUPS.format(value);

/** 1 → "1 byte", 2 → "2 bytes" */
export const plural = (count, noun) => `${grouped(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;

/** 300000000 → "300 M" */
export function short(value) {
  for (const [unit, name] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (value >= unit) return `${(value / unit).toPrecision(3)} ${name}`;
  }
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(2);
}

/** Octets as "4 KiB" where that is exact, in bytes otherwise. */
export function size(bytes) {
  if (bytes >= 1 << 20 && bytes % (1 << 20) === 0) return `${grouped(bytes / (1 << 20))} MiB`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${grouped(bytes / 1024)} KiB` : plural(bytes, "byte");
}

/** @param {Uint8Array} bytes */
export const toHex = (bytes) => Array.from(bytes, (byte) => hex(byte, 2)).join("");

/** The text in the bytes if they are printable UTF-8, null otherwise. @param {Uint8Array} bytes */
export function printable(bytes) {
  if (bytes.length === 0) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /^[^\p{Cc}\p{Cs}\p{Co}\p{Cn}]+$/u.test(text.replace(/[\n\t]/g, " ")) ? text : null;
  } catch {
    return null;
  }
}

/** Printable ASCII as itself, all else as a dot. @param {number} byte */
export const asciiOf = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");

/**
 * A whole number: decimal, 0x hex, with _ or , between digits. @returns {bigint}
 * @param {string} text @param {bigint} limit the highest one allowed @param {boolean} wraps negative ones as 64-bit
 */
export function parseInteger(text, limit = U64, wraps = false) {
  const clean = text.trim().replace(/[_,\s]/g, "");
  if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(clean))
    throw new Error(clean ? `"${text.trim()}" is no whole number${meant(clean)}` : "a number is missing");
  if (clean.length > 24) throw new Error("the number is too large");
  const value = clean.startsWith("-") ? -BigInt(clean.slice(1)) : BigInt(clean);
  const wrapped = value < 0n && wraps && value >= -(1n << 63n) ? value & U64 : value;
  if (wrapped < 0n || wrapped > limit)
    throw new Error(`the number must be from 0 to ${limit === U64 ? "2^64 - 1" : grouped(limit)}`);
  return wrapped;
}

const meant = (digits) => (/^[0-9a-f]{1,16}$/i.test(digits) ? ` (0x${digits}, if that is meant)` : " (1234 or 0x4d2)");

/** A value of a register: as `parseInteger`, and negative ones. @param {string} text @returns {bigint} */
export const parseValue = (text) => parseInteger(text, U64, true);

/** An address below 2^32. @param {string} text @returns {number} */
export function parseAddress(text) {
  return Number(parseInteger(text, BigInt(SPACE - 1)));
}

/**
 * Bytes from hex digits (0x and spaces allowed), or from "text" in quotes.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function parseBytes(text) {
  const clean = text.trim();
  const quoted = /^"(.*)"$/s.exec(clean) ?? /^'(.*)'$/s.exec(clean);
  if (quoted) return new TextEncoder().encode(quoted[1]);
  const digits = clean.replace(/^0x/i, "").replace(/[\s_,]/g, "");
  if (!/^[0-9a-f]*$/i.test(digits)) throw new Error('hex digits are needed, or "text" in quotes');
  if (digits.length % 2) throw new Error("an odd number of hex digits: one is missing");
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A typed array over what a worker or a built file sent: bytes of one, one itself, or a list. */
export function typed(values, type) {
  if (values instanceof type) return values;
  if (values instanceof Uint8Array) return new type(values.slice().buffer);
  return type.from(values ?? []);
}
