/**
 * The arguments that the invocations of a service hand to its code (Gray Paper B.2 to B.4), as fields and as octets.
 *
 * In: an entry's name and its fields. Out: octets, and back: what the octets say, or null where they are no such arguments.
 */

const NATURAL = (1n << 64n) - 1n;
const HASH = 32; // octets

/**
 * @typedef {"natural"|"u16"|"blob"|"hash"} Kind how a field is encoded (C): E, E_2, the length by E before it, 32 octets
 * @typedef {{name: string, kind: Kind, start: any, text: string}} Field `start` is its value unless one is given
 */

/** Each entry: where it begins, and its fields in the order of the paper. @type {Record<string, {pc: number, fields: Field[]}>} */
export const ENTRIES = {
  refine: {
    pc: 0,
    fields: [
      { name: "core", kind: "natural", start: 0n, text: "The core that the package is refined on" },
      { name: "item", kind: "natural", start: 0n, text: "The item's index in its package" },
      { name: "service", kind: "natural", start: 0n, text: "The item's service" },
      { name: "payload", kind: "blob", start: new Uint8Array(), text: 'The item\'s payload: hex, or "text"' },
      { name: "package", kind: "hash", start: new Uint8Array(HASH), text: "The package's hash: 32 octets in hex" },
    ],
  },
  accumulate: {
    pc: 5,
    fields: [
      { name: "slot", kind: "natural", start: 0n, text: "The block's timeslot" },
      { name: "service", kind: "natural", start: 0n, text: "The service that accumulates" },
      { name: "count", kind: "natural", start: 0n, text: "How many operands and transfers there are to fetch" },
    ],
  },
  "is-authorized": {
    pc: 0,
    fields: [{ name: "core", kind: "u16", start: 0n, text: "The core that the package is for" }],
  },
};

/** What the fields of an entry are at first. @param {string} entry @returns {Record<string, any>} */
export const startValues = (entry) => Object.fromEntries(ENTRIES[entry].fields.map(({ name, start }) => [name, start]));

/**
 * The arguments of an entry. Throws an Error for a value that has no encoding.
 * @param {string} entry
 * @param {Record<string, any>} values by field: bigints and octets
 * @returns {Uint8Array}
 */
export function encodeArguments(entry, values) {
  const parts = ENTRIES[entry].fields.map(({ name, kind }) => encode(name, kind, values[name]));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function encode(name, kind, value) {
  if (kind === "natural") return natural(value);
  if (kind === "u16") {
    if (value > 0xffffn) throw new Error(`${name}: the number must be below 65,536`);
    return Uint8Array.of(Number(value & 255n), Number(value >> 8n));
  }
  if (kind === "blob") return new Uint8Array([...natural(BigInt(value.length)), ...value]);
  if (value.length !== HASH) throw new Error(`${name}: a hash has ${HASH} octets, not ${value.length}`);
  return value;
}

/** E (C.1.1): a number below 2^64. @param {bigint} value */
function natural(value) {
  let extra = 0n;
  while (extra < 8n && value >= 1n << (7n * (extra + 1n))) extra += 1n;
  const first = extra === 8n ? 255n : 256n - (1n << (8n - extra)) + (value >> (8n * extra));
  const low = Array.from({ length: Number(extra) }, (_, index) => Number((value >> BigInt(8 * index)) & 255n));
  return Uint8Array.of(Number(first), ...low);
}

/**
 * What octets say as the arguments of an entry; null where they are none, or not in the one way that encodes them.
 * @param {string} entry
 * @param {Uint8Array} bytes
 * @returns {Record<string, any>|null}
 */
export function decodeArguments(entry, bytes) {
  const reader = new Reader(bytes);
  const values = {};
  for (const { name, kind } of ENTRIES[entry].fields) {
    if (kind === "natural") values[name] = reader.natural();
    else if (kind === "u16") values[name] = reader.number(2);
    else values[name] = reader.take(kind === "hash" ? HASH : Number(reader.natural()));
  }
  return reader.isDone ? values : null;
}

class Reader {
  #bytes;
  #at = 0;
  #failed = false;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isDone() {
    return !this.#failed && this.#at === this.#bytes.length;
  }

  take(count) {
    const part = this.#bytes.slice(this.#at, this.#at + count);
    if (part.length < count) this.#failed = true;
    this.#at += count;
    return part;
  }

  number(count) {
    return this.take(count).reduceRight((sum, octet) => sum * 256n + BigInt(octet), 0n);
  }

  natural() {
    const first = BigInt(this.take(1)[0] ?? 0);
    let extra = 0n;
    while (extra < 8n && first >= 256n - (1n << (7n - extra))) extra += 1n;
    const high = extra === 8n ? 0n : first - (256n - (1n << (8n - extra)));
    const value = (high << (8n * extra)) + this.number(Number(extra));
    if (value > NATURAL || (extra > 0n && value < 1n << (7n * extra))) this.#failed = true;
    return value;
  }
}

/** The entry that a start is one of, by its pc and arguments; null for none. @param {number} pc @param {Uint8Array} bytes */
export function entryOf(pc, bytes) {
  const fits = Object.keys(ENTRIES).filter((entry) => ENTRIES[entry].pc === pc && decodeArguments(entry, bytes));
  return fits[0] ?? null;
}
