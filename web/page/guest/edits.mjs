/**
 * What is done to a machine by hand, checked first. In: a machine, a request. Out: `apply`, which does the same each
 * time, and `touched`, the ranges of memory that it writes to.
 */

import { checkNumber, checkRegisters } from "./checks.mjs";
import { HostError, PAGE_SIZE } from "../shared/memory.mjs";

const MOST_ACCESS = 1 << 24; // bytes that one request reads or maps at most
const ACCESS_CODES = { null: 0, r: 1, rw: 3 };

/** Bytes of memory, and the rights of the pages they are in: 0, 1 readable, 3 writable. */
export function readMemory({ memory }, { address, length }) {
  if (length > MOST_ACCESS) throw new HostError(`${length} bytes are more than are read at once`);
  const bytes = memory.read(address, length);
  const first = Math.floor(address / PAGE_SIZE);
  const count = length ? Math.floor((address + length - 1) / PAGE_SIZE) - first + 1 : 0;
  return { bytes, access: Uint8Array.from({ length: count }, (_, at) => ACCESS_CODES[memory.accessOf(first + at)]) };
}

export function writing(machine, { address, bytes }) {
  machine.memory.view(address, bytes.length);
  return { apply: (to) => to.memory.write(address, bytes), touched: [{ address, length: bytes.length }] };
}

export function setting(machine, { registers = {}, gas = null, pc = null }) {
  checkRegisters(registers);
  checkNumber("gas", gas, 64n);
  checkNumber("pc", pc === null ? null : BigInt(pc), 32n);
  const apply = (to) => {
    for (const [number, value] of Object.entries(registers)) to.registers[number] = value;
    if (gas !== null) to.gas = gas;
    if (pc !== null) to.pc = pc;
  };
  return { apply, touched: [] };
}

export function mapping(machine, { address, length, access }) {
  if (access !== null && access !== "r" && access !== "rw") throw new HostError(`access ${access}`);
  if (length > MOST_ACCESS) throw new HostError(`${length} bytes are more than are mapped at once`);
  machine.memory.view(address, length);
  return { apply: (to) => to.memory.map(address, length, access), touched: [{ address, length }] };
}

/** @param {import("./calls.mjs").Answer} answer to the call at which the machine stands */
export function answering(machine, { registers = {}, writes = [], maps = [], gas = null }) {
  if (!machine.get("called")) throw new HostError("the program stands at no host call");
  checkRegisters(registers);
  checkNumber("gas", gas, 64n);
  for (const { address, bytes } of writes) machine.memory.view(address, bytes.length);
  for (const { address, length } of maps) machine.memory.view(address, length);
  const apply = (to) => {
    for (const { address, length, access } of maps) to.memory.map(address, length, access);
    for (const { address, bytes } of writes) to.memory.write(address, bytes);
    for (const [number, value] of Object.entries(registers)) to.registers[number] = value;
    if (gas !== null) to.gas = gas;
  };
  return { apply, touched: [...maps, ...writes.map(({ address, bytes }) => ({ address, length: bytes.length }))] };
}
