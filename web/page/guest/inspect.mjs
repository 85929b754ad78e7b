/** Looking at a machine that stands: its pages, bytes in its memory, what it spent its time on. */

import { HostError, PAGES, PAGE_SIZE } from "../shared/memory.mjs";

/**
 * Runs of pages with the same rights, by address.
 *
 * @returns {{address: number, length: number, access: string, reachable: boolean}[]} `reachable` is false below 2^16,
 *   where the guest panics whatever is mapped
 */
export function pageRuns(machine) {
  const { memory, abi } = machine;
  const { table } = memory;
  const runs = [];
  for (let page = 0; page < PAGES; page++) {
    if (!table[page]) continue;
    const access = memory.accessOf(page);
    const reachable = page >= abi.LOW_PAGES;
    const last = runs.at(-1);
    const follows = last && last.address + last.length === page * PAGE_SIZE;
    if (follows && last.access === access && last.reachable === reachable) last.length += PAGE_SIZE;
    else runs.push({ address: page * PAGE_SIZE, length: PAGE_SIZE, access, reachable });
  }
  return runs;
}

/** Where these bytes begin: the first place from `from` on, or the last before it, in mapped pages; null if nowhere. */
export function searchBytes(machine, bytes, from, backwards) {
  if (!bytes.length) return null;
  for (const [first, length] of areas(machine, backwards)) {
    const begin = backwards ? first : Math.max(first, from);
    const end = backwards ? Math.min(first + length, from + bytes.length - 1) : first + length;
    if (end - begin < bytes.length) continue;
    const at = indexOf(machine.memory.view(begin, end - begin), bytes, backwards);
    if (at >= 0) return begin + at;
  }
  return null;
}

/** Addresses and lengths of what is mapped in one piece. */
function areas(machine, backwards) {
  const joined = [];
  for (const { address, length } of pageRuns(machine)) {
    const last = joined.at(-1);
    if (last && last[0] + last[1] === address) last[1] += length;
    else joined.push([address, length]);
  }
  return backwards ? joined.reverse() : joined;
}

function indexOf(bytes, wanted, backwards) {
  const last = bytes.length - wanted.length;
  let at = backwards ? last : 0;
  while (at >= 0) {
    at = backwards ? bytes.lastIndexOf(wanted[0], at) : bytes.indexOf(wanted[0], at);
    if (at < 0 || at > last) return -1;
    if (wanted.every((octet, index) => bytes[at + index] === octet)) return at;
    at += backwards ? -1 : 1;
  }
  return -1;
}

/**
 * How often instructions were carried out, by pc, where that is not 0.
 *
 * Metered by block it is how often their block was paid for. Octets that nothing marks as instructions are left out.
 *
 * @param {import("../shared/host.mjs").Machine} machine that counts
 * @param {Map<number, number>} steps what single steps carried out, which the machine does not count
 * @returns {{pcs: Uint32Array, counts: Float64Array}}
 */
export function countsByPc(machine, steps) {
  const { counts, abi } = machine;
  if (!counts) throw new HostError("instructions are not counted: load the program with counts");
  const starts = machine.bytes(machine.get("starts"), counts.length);
  const code = machine.bytes(machine.get("code"), counts.length);
  const operands = machine.bytes(abi.OPERANDS, 256);
  const [pcs, found] = [[], []];
  let sum = 0; // of entries less exits, since the block's start
  for (let pc = 0; pc < counts.length - 1; pc++) {
    if (!starts[pc] && pc > 0) continue;
    sum += Number(counts[pc]);
    const count = sum + (steps.get(pc) ?? 0);
    if (count > 0) {
      pcs.push(pc);
      found.push(count);
    }
    if (operands[code[pc]] & abi.ENDS) sum = 0;
  }
  return { pcs: Uint32Array.from(pcs), counts: Float64Array.from(found) };
}
