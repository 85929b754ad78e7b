/**
 * The host calls of one version: names, what the registers from r7 on mean, and what r7 may return.
 *
 * A PolkaVM blob brings names of its own, and says nothing of registers.
 *
 * In: `HOST_CALLS` of `data/abi.json` (`pvm.jam.host_calls`) and the version. A parameter that is an address of `length`
 * bytes is written "name@length" there, where length names another parameter or is a number.
 */

const FIRST = 7; // the register of the first parameter
const SMALL = 1n << 20n; // numbers below it are shown in decimal

export class HostCalls {
  #calls;
  #imports;
  /** What a call may return in r7 instead of a number: name and value. @type {[string, bigint][]} */
  results;

  /**
   * @param {{calls: Record<string, Record<string, {name: string, parameters: string[]}>>,
   *   results: Record<string, string>}} table
   * @param {string} spec
   * @param {string[]|null} imports the program's own calls in place of the version's, by number
   */
  constructor(table, spec, imports = null) {
    this.#calls = imports ? {} : (table.calls[spec] ?? {});
    this.#imports = imports ?? [];
    this.results = Object.entries(table.results).map(([name, value]) => [name, BigInt(value)]);
  }

  /** @param {number|bigint} number */
  nameOf(number) {
    return (this.#calls[number]?.name ?? this.#imports[Number(number)]) || "unknown call";
  }

  /**
   * The call's parameters with their values.
   * @returns {{name: string, value: bigint, length: bigint|null}[]} length is of the bytes there
   */
  parametersOf(number, registers) {
    const names = (this.#calls[number]?.parameters ?? []).map((name) => name.split("@"));
    return names.map(([name, length], index) => {
      const other = names.findIndex(([known]) => known === length);
      const bytes = length === undefined ? null : other >= 0 ? registers[FIRST + other] : BigInt(length);
      return { name, value: registers[FIRST + index], length: bytes };
    });
  }

  /** Small numbers in decimal, results by name, others in hex. @param {bigint} value */
  show(value) {
    const result = value === 0n ? undefined : this.results.find(([, known]) => known === value);
    return result?.[0] ?? (value < SMALL ? String(value) : `0x${value.toString(16)}`);
  }
}

/**
 * A difference from a recorded run, as a sentence.
 * @param {{call: number|null, line: number, message: string}} divergence
 */
export function divergenceText({ call, line, message }) {
  return `${call === null ? "At the end" : `At call ${call}`} (line ${line} of the trace): ${message}.`;
}
