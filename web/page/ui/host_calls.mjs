/**
 * The host calls of JAM (Gray Paper, appendix B; 100 is JIP-1's log): names, and what the registers from r7 on mean.
 *
 * A parameter that is an address of `length` bytes is written "name@length", where length names another parameter or a
 * number.
 */

const CALLS = {
  0: ["gas"],
  1: ["fetch", "out", "offset", "length", "kind", "index", "sub_index"],
  2: ["lookup", "service", "hash@32", "out", "offset", "length"],
  3: ["read", "service", "key@key_length", "key_length", "out", "offset", "length"],
  4: ["write", "key@key_length", "key_length", "value@value_length", "value_length"],
  5: ["info", "service", "out", "offset", "length"],
  6: ["historical_lookup", "service", "hash@32", "out", "offset", "length"],
  7: ["export", "segment@length", "length"],
  8: ["machine", "code@length", "length", "pc"],
  9: ["peek", "machine", "out", "source", "length"],
  10: ["poke", "machine", "source@length", "target", "length"],
  11: ["pages", "machine", "page", "count", "rights"],
  12: ["invoke", "machine", "state@112"],
  13: ["expunge", "machine"],
  14: ["bless", "manager", "assigners", "delegator", "registrar", "always", "count"],
  15: ["assign", "core", "queue", "assigner"],
  16: ["designate", "validators"],
  17: ["checkpoint"],
  18: ["new", "code_hash@32", "length", "min_gas", "min_memo_gas", "gratis", "id"],
  19: ["upgrade", "code_hash@32", "min_gas", "min_memo_gas"],
  20: ["transfer", "to", "amount", "gas", "memo@128"],
  21: ["eject", "service", "hash@32"],
  22: ["query", "hash@32", "length"],
  23: ["solicit", "hash@32", "length"],
  24: ["forget", "hash@32", "length"],
  25: ["yield", "hash@32"],
  26: ["provide", "service", "data@length", "length"],
  100: ["log", "level", "target@target_length", "target_length", "message@message_length", "message_length"],
};

const FIRST = 7; // the register of the first parameter

/** What a host call may return in r7 instead of a number. */
export const RESULTS = [
  ["OK", 0n],
  ["NONE", 2n ** 64n - 1n],
  ["WHAT", 2n ** 64n - 2n],
  ["OOB", 2n ** 64n - 3n],
  ["WHO", 2n ** 64n - 4n],
  ["FULL", 2n ** 64n - 5n],
  ["CORE", 2n ** 64n - 6n],
  ["CASH", 2n ** 64n - 7n],
  ["LOW", 2n ** 64n - 8n],
  ["HUH", 2n ** 64n - 9n],
];

/**
 * A difference from a recorded run, as a sentence.
 * @param {{call: number|null, line: number, message: string}} divergence
 */
export function divergenceText({ call, line, message }) {
  return `${call === null ? "At the end" : `At call ${call}`} (line ${line} of the trace): ${message}.`;
}

/** The call that `ecalli 100` makes, by name; "" for an unknown one. @param {string} text an instruction */
export function callIn(text) {
  const number = /^ecalli\s+(\d+)/.exec(text)?.[1];
  return CALLS[number]?.[0] ?? "";
}

/** @param {number|bigint} number */
export const nameOfCall = (number) => CALLS[number]?.[0] ?? "unknown call";

/**
 * The call's parameters with their values.
 * @returns {{name: string, value: bigint, length: bigint|null}[]} length is of the bytes there
 */
export function parametersOf(number, registers) {
  const names = (CALLS[number] ?? [""]).slice(1).map((name) => name.split("@"));
  return names.map(([name, length], index) => {
    const other = names.findIndex(([known]) => known === length);
    const bytes = length === undefined ? null : other >= 0 ? registers[FIRST + other] : BigInt(length);
    return { name, value: registers[FIRST + index], length: bytes };
  });
}

/** "OK", "NONE" …, or null for a plain number. @param {bigint} value */
export const resultName = (value) =>
  value === 0n ? null : (RESULTS.find(([, known]) => known === value)?.[0] ?? null);

/** Numbers below 2^20 in decimal, results by name, others in hex. @param {bigint} value */
export const showValue = (value) =>
  resultName(value) ?? (value < 1n << 20n ? String(value) : `0x${value.toString(16)}`);
