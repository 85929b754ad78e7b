/** Whether values that people give are such as the machine can hold. Out: errors for people. */

import { HostError } from "../shared/memory.mjs";

export function checkRegisters(registers) {
  for (const [number, value] of Object.entries(registers)) {
    if (!(Number(number) in Array.from({ length: 13 }))) throw new HostError(`there is no register ${number}`);
    checkNumber(`r${number}`, value, 64n);
  }
}

export function checkNumber(what, value, bits) {
  if (value === null) return;
  if (typeof value !== "bigint" || value < 0n || value >= 2n ** bits) {
    throw new HostError(`${what}: ${value} is not from 0 to 2^${bits} - 1`);
  }
}
