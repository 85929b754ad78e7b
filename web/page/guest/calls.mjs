/**
 * Host calls: what a recorded run says of them, and what `log` says. In: a machine at a call. Out: answers, differences
 * in words, text.
 */

const SHOWN = 4096; // bytes of a message

/**
 * @typedef {object} Answer
 * @property {Record<number, bigint>} registers
 * @property {{address: number, bytes: Uint8Array}[]} writes
 * @property {{address: number, length: number, access: string|null}[]} [maps] pages that it maps
 * @property {bigint|null} gas what is left then; null: as it was
 * @property {null|"halt"|"panic"|"out-of-gas"} end how the run ends with it
 */

/** The answer in a recorded call; null without one. @returns {Answer|null} */
export function recordedAnswer(call) {
  if (!call) return null;
  const writes = call.writes.map(({ address, data }) => ({ address, bytes: data }));
  return { registers: Object.fromEntries(call.set), writes, gas: call.set_gas, end: null };
}

/** What differs between the call that was recorded and that at which the machine stands; null: nothing. */
export function callDifference(call, number, machine) {
  if (!call) return `host call ${number}: the trace has no more`;
  if (BigInt(call.number) !== number) return `host call ${number}, recorded was ${call.number}`;
  const difference = stateDifference(call, machine);
  if (difference) return difference;
  for (const { address, data } of call.reads) {
    const found = machine.memory.view(address, data.length);
    const at = data.findIndex((octet, index) => octet !== found[index]);
    if (at >= 0) return `memory at ${hex(address + at)} is ${hex(found[at])}, recorded was ${hex(data[at])}`;
  }
  return null;
}

/** The same for the end of a run; `call` is the next that was recorded. */
export function endDifference(trace, call, exit, machine) {
  if (call) return `ended with ${exit.reason}, recorded was host call ${call.number}`;
  // To an invocation a page fault is a panic (A.8), and that is how traces record it.
  const reason = exit.reason === "page-fault" ? "panic" : exit.reason;
  if (reason !== trace.end.reason) return `ended with ${exit.reason}, recorded was ${trace.end.reason}`;
  return stateDifference(trace.end, machine);
}

function stateDifference({ pc, gas, registers }, machine) {
  if (pc !== machine.pc) return `pc is ${machine.pc}, recorded was ${pc}`;
  if (gas !== machine.gas) return `gas is ${machine.gas}, recorded was ${gas}`;
  const at = registers.findIndex((value, register) => value !== machine.registers[register]);
  return at < 0 ? null : `r${at} is ${hex(machine.registers[at])}, recorded was ${hex(registers[at])}`;
}

/** The host call `log` (JIP-1), by the table of host calls, `HOST_CALLS` in `data/abi.json`. */
export class Log {
  #levels;
  #what;
  #price;

  constructor({ log, log_levels, results, unknown_gas }, spec) {
    this.#levels = log_levels;
    this.#what = BigInt(results.WHAT);
    this.#price = BigInt(unknown_gas[spec] ?? 0);
    this.number = BigInt(log);
  }

  /** It always returns that there is no such call, and takes the gas of one. @returns {Answer} */
  answer(gas) {
    if (gas < this.#price) return { registers: {}, writes: [], gas: 0n, end: "out-of-gas" };
    return { registers: { 7: this.#what }, writes: [], gas: gas - this.#price, end: null };
  }

  /** What the guest logs: level, target and message. */
  text(machine) {
    const [level, target, targetLength, message, messageLength] = machine.registers.subarray(7, 12);
    const where = text(machine, target, targetLength);
    const name = this.#levels[Number(level)] ?? `level ${level}`;
    return `${name}${where ? ` [${where}]` : ""}: ${text(machine, message, messageLength)}`;
  }
}

function text(machine, address, length) {
  if (!length) return "";
  const isWithin = address + length <= 2n ** 32n;
  if (!isWithin || !machine.memory.isReadable(Number(address), Number(length))) {
    return `<${length} byte${length === 1n ? "" : "s"} at ${hex(address)}, which the guest may not read>`;
  }
  const shown = new TextDecoder().decode(machine.memory.view(Number(address), Math.min(Number(length), SHOWN)));
  return length <= SHOWN ? shown : `${shown}… (${length} bytes)`;
}

const hex = (number) => `0x${number.toString(16)}`;
