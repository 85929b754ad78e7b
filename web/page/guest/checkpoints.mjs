/**
 * Checkpoints of a machine: its state at some positions, of the memory only the pages that differ from the start.
 *
 * In: a `Machine` at its start, positions. Out: the machine as it was.
 */

import { PAGE_SIZE } from "../shared/memory.mjs";
import { compare, isSame } from "./positions.mjs";

const PAGE_WORDS = PAGE_SIZE / 4;
const KEPT = 64; // checkpoints; then every second one is dropped
const MOST_BYTES = 256 << 20; // of all their pages together; then likewise
const SAVED = ["gas", "call", "heap_end", "heap_limit", "pc", "address", "charged", "called"];

/**
 * @typedef {object} Checkpoint
 * @property {import("./positions.mjs").Position} position
 * @property {Map<string, bigint|number>} state
 * @property {BigUint64Array} registers
 * @property {Uint8Array} table
 * @property {Map<number, Uint32Array>} pages
 */

export class Checkpoints {
  #machine;
  /** In the order of their positions; the first is the start. @type {Checkpoint[]} */
  #all = [];
  /** Pages that may differ from how they were at the start, and what they held then: null is nothing but zeros. */
  #base = new Map();
  /** Pages in which the image put something. */
  #filled = new Set();

  /** @param {import("../shared/host.mjs").Machine} machine at its start */
  constructor(machine) {
    this.#machine = machine;
    for (const { address, data } of machine.image.segments) {
      for (const page of pagesOf(address, data.length)) this.#filled.add(page);
    }
  }

  /** Positions, earliest first. */
  get positions() {
    return this.#all.map(({ position }) => position);
  }

  /** @returns {import("./positions.mjs").Position} */
  get first() {
    return this.#all[0].position;
  }

  /** Whether the guest may write to more than is worth copying again and again. */
  get isTooMuch() {
    let count = 0;
    for (const _ of writablePages(this.#machine)) count++;
    return count * PAGE_SIZE > MOST_BYTES;
  }

  /** The host is about to write to a range. */
  touch(address, length) {
    for (const page of pagesOf(address, length)) if (!this.#base.has(page)) this.#base.set(page, this.#first(page));
  }

  /** The guest may have written to what it may write to, which an sbrk may have let it do just now. */
  #touchWritable() {
    for (const page of writablePages(this.#machine)) {
      if (!this.#base.has(page)) this.#base.set(page, this.#first(page));
    }
  }

  /** What a page held at the start. */
  #first(page) {
    if (!this.#filled.has(page)) return null;
    const bytes = new Uint8Array(PAGE_SIZE);
    for (const { address, data } of this.#machine.image.segments) {
      const from = Math.max(0, page * PAGE_SIZE - address);
      const part = data.subarray(from, Math.max(from, (page + 1) * PAGE_SIZE - address));
      if (part.length) bytes.set(part, address + from - page * PAGE_SIZE);
    }
    return new Uint32Array(bytes.buffer);
  }

  /** Keep the machine's state, which is at `position`. @returns {boolean} whether others had to make room for it */
  capture(position) {
    const machine = this.#machine;
    const at = this.#numberOf(position);
    const last = this.#all[at];
    if (last && isSame(last.position, position)) return false;
    const { words, table } = machine.memory;
    this.#touchWritable();
    const pages = new Map();
    for (const [page, first] of this.#base) {
      const known = last ? (last.pages.get(page) ?? first) : first;
      const from = page * PAGE_WORDS;
      if (!isEqual(words, from, known)) pages.set(page, words.slice(from, from + PAGE_WORDS));
      else if (known !== first) pages.set(page, known);
    }
    this.#all.splice(at + 1, 0, {
      position, pages,
      state: new Map(SAVED.map((name) => [name, machine.get(name)])),
      registers: machine.registers.slice(),
      table: last && isSameTable(last.table, table) ? last.table : table.slice(),
    });
    let isThinned = false;
    while (this.#all.length > KEPT || (this.#all.length > 4 && this.#size() > MOST_BYTES)) {
      // What was kept just now stays: whoever goes back from there asks for it again.
      this.#all = this.#all.filter((kept, number, { length }) =>
        number % 2 === 0 || number === length - 1 || kept.position === position);
      isThinned = true;
    }
    return isThinned;
  }

  #size() {
    const pages = new Set();
    for (const checkpoint of this.#all) for (const page of checkpoint.pages.values()) pages.add(page);
    return pages.size * PAGE_SIZE;
  }

  /** Take the machine to a checkpoint. @param {Checkpoint} checkpoint */
  restore(checkpoint) {
    const machine = this.#machine;
    const { words } = machine.memory;
    this.#touchWritable();
    for (const [page, first] of this.#base) {
      const kept = checkpoint.pages.get(page) ?? first;
      if (kept) words.set(kept, page * PAGE_WORDS);
      else words.fill(0, page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
    }
    machine.memory.table.set(checkpoint.table);
    machine.pc = checkpoint.position.pc;
    machine.registers.set(checkpoint.registers);
    for (const [name, value] of checkpoint.state) machine.set(name, value);
    machine.hasEnded = checkpoint.position.ended;
  }

  /** The number of the last at or before a position; -1 before the first was made. */
  #numberOf(position) {
    let found = this.#all.length - 1;
    while (found > 0 && compare(this.#all[found].position, position) > 0) found--;
    return found;
  }

  /** The last at or before a position; the start where there is none. @returns {Checkpoint} */
  before(position) {
    return this.#all[this.#numberOf(position)];
  }

  /** Drop those after a position. */
  cut(position) {
    this.#all = this.#all.filter((checkpoint) => compare(checkpoint.position, position) <= 0);
  }

  /** Drop those before a segment, but for the start. @returns {import("./positions.mjs").Position} of the next one */
  forget(segment) {
    const at = this.#all.findIndex(({ position }) => position.segment >= segment);
    this.#all.splice(1, at - 1);
    return this.#all[1].position;
  }
}

function* pagesOf(address, length) {
  for (let page = Math.floor(address / PAGE_SIZE); page * PAGE_SIZE < address + length; page++) yield page;
}

function* writablePages({ memory: { table }, abi: { WRITABLE, LOW_PAGES } }) {
  const eights = new Float64Array(table.buffer, table.byteOffset, table.length / 8);
  for (let at = 0; at < eights.length; at++) {
    if (eights[at] === 0) continue;
    for (let page = 8 * at; page < 8 * at + 8; page++) {
      // Below 2^16 the guest never writes.
      if (page >= LOW_PAGES && table[page] & WRITABLE) yield page;
    }
  }
}

function isEqual(words, at, known) {
  if (known === null) {
    for (let i = 0; i < PAGE_WORDS; i++) if (words[at + i] !== 0) return false;
    return true;
  }
  for (let i = 0; i < PAGE_WORDS; i++) if (words[at + i] !== known[i]) return false;
  return true;
}

function isSameTable(first, second) {
  const [a, b] = [first, second].map((table) => new Int32Array(table.buffer, table.byteOffset, table.length / 4));
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
