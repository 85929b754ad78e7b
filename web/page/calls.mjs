/**
 * Host calls: what a recorded run says of them, and what `log` says. In: a machine at a call. Out: answers, differences
 * in words, text.
 */

export const LOG_CALL = 100n; // JIP-1
const WHAT = 2n ** 64n - 2n; // no such call: JIP-1 has `log` return it always
const LEVELS = ["fatal", "warn", "info", "debug", "trace"];
const SHOWN = 4096; // bytes of a message

/**
 * @typedef {object} Answer
 * @property {Record<number, bigint>} registers
 * @property {{address: number, bytes: Uint8Array}[]} writes
 * @property {bigint|null} gas what is left then; null: as it was
 * @property {null|"halt"|"panic"|"out-of-gas"} end how the run ends with it
 */

/** @type {Answer} */
export const LOG_ANSWER = { registers: { 7: WHAT }, writes: [], gas: null, end: null };

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

/** What the guest logs: level, target and message. */
export function logText(machine) {
  const [level, target, targetLength, message, messageLength] = machine.registers.subarray(7, 12);
  const where = text(machine, target, targetLength);
  const name = LEVELS[Number(level)] ?? `level ${level}`;
  return `${name}${where ? ` [${where}]` : ""}: ${text(machine, message, messageLength)}`;
}

function text(machine, address, length) {
  if (!length) return "";
  const isWithin = address + length <= 2n ** 32n;
  if (!isWithin || !machine.memory.isReadable(Number(address), Number(length))) {
    return `<${length} bytes at ${hex(address)}, which the guest may not read>`;
  }
  const shown = new TextDecoder().decode(machine.memory.view(Number(address), Math.min(Number(length), SHOWN)));
  return length <= SHOWN ? shown : `${shown}… (${length} bytes)`;
}

const hex = (number) => `0x${number.toString(16)}`;
