/**
 * Going back: checkpoints of a machine, and a journal of what the host did to it.
 *
 * What a program does follows from its state, so any earlier state is reached again from a checkpoint before it.
 * Between two entries of the journal (a segment), gas falls with every block that is paid and pc grows within one: so
 * segment, gas, pc and whether the block around pc is paid say when a state was. In: a `Machine`. Out: `History`.
 */

import { SLICE } from "../shared/host.mjs";

const PAGE_WORDS = 1024;
const PAGE_SIZE = 4096;
const KEPT = 64; // checkpoints; then every second one is dropped
const MOST_BYTES = 256 << 20; // of all their pages together; then likewise
const MOST_ENTRIES = 100_000; // of the journal; then its first half is forgotten
const FIRST_PAUSE = 20; // milliseconds of running between two checkpoints at first
const SHARE = 40; // a checkpoint is made when the machine ran this many times as long as making the last one took
const SAVED = ["gas", "call", "heap_end", "heap_limit", "pc", "address", "charged", "called"];
const LONGEST_WALK = 1 << 22; // single steps that one search for an earlier state takes at most

/**
 * @typedef {object} Position When a state was.
 * @property {number} segment entries of the journal before it
 * @property {bigint} gas
 * @property {boolean} paid whether the block around pc is paid; by instruction always false
 * @property {number} pc
 * @property {boolean} called whether the machine stands at a host call that has been made
 * @property {boolean} ended whether the instruction at pc ended the run
 *
 * @typedef {object} Entry What the host did: it takes the state at `before` to that at `after`.
 * @property {Position} before
 * @property {Position} after
 * @property {(machine: import("../shared/host.mjs").Machine) => void} apply
 * @property {"edit"|"answer"|"automatic"} kind
 * @property {number} answers how many entries up to this one answer host calls
 * @property {bigint} used gas that the guest had used before it
 */

export class History {
  #machine;
  /** @type {{position: Position, state: Map<string, bigint|number>, registers: BigUint64Array, table: Uint8Array,
   *   pages: Map<number, Uint32Array>}[]} */
  #checkpoints = [];
  /** @type {Entry[]} */
  #journal = [];
  /** How many entries before those of the journal are forgotten. Then only the start is left of what was before. */
  #forgotten = 0;
  /** Pages that may differ from how they were at the start, and what they held then: null is nothing but zeros. */
  #base = new Map();
  /** Pages in which the image put something. */
  #filled = new Set();
  #ranFor = 0;
  #pause = FIRST_PAUSE;

  /** @param {import("../shared/host.mjs").Machine} machine at its start */
  constructor(machine) {
    this.#machine = machine;
    for (const { address, data } of machine.image.segments) {
      for (const page of pagesOf(address, data.length)) this.#filled.add(page);
    }
    this.capture();
  }

  /** When the machine's state is. @returns {Position} */
  get position() {
    return { segment: this.interventions, ...placeOf(this.#machine) };
  }

  /** The start. @returns {Position} */
  get first() {
    return this.#checkpoints[0].position;
  }

  get canGoBack() {
    return !isSame(this.position, this.first);
  }

  /** How often the host has done something. */
  get interventions() {
    return this.#forgotten + this.#journal.length;
  }

  /** How many host calls have been answered. */
  get answers() {
    return this.#journal.at(-1)?.answers ?? 0;
  }

  /** Whether the machine stands where a host call has just been answered. */
  get isAnswered() {
    return isAnsweredAt((number) => this.#entry(number), this.position);
  }

  /** When the call was made at which the machine stands; edits may have come after that. */
  get calledAt() {
    let place = this.position;
    for (let at = place.segment - 1; at >= 0; at--) {
      const entry = this.#entry(at);
      if (!entry?.before.called || !isSame(entry.after, place)) break;
      place = entry.before;
    }
    return place;
  }

  /** Gas that the guest has used since the start; what the host took or gave is not in it. */
  get gasUsed() {
    const last = this.#journal.at(-1);
    return last ? last.used + last.after.gas - this.#machine.gas : this.first.gas - this.#machine.gas;
  }

  /** The machine has run for so many milliseconds: make a checkpoint if it is worth one. */
  ran(milliseconds) {
    this.#ranFor += milliseconds;
    if (this.#ranFor < this.#pause) return;
    this.#ranFor = 0;
    // Too much to copy again and again: going back then starts from an earlier checkpoint, and takes longer.
    if (countOf(writablePages(this.#machine.memory.table, this.#machine.abi.WRITABLE)) * PAGE_SIZE > MOST_BYTES) return;
    const begin = performance.now();
    this.capture();
    this.#pause = Math.max(FIRST_PAUSE, (performance.now() - begin) * SHARE);
  }

  /**
   * Do something to the machine and keep it in the journal.
   *
   * @param {(machine: import("../shared/host.mjs").Machine) => void} apply must do the same each time
   * @param {{address: number, length: number}[]} touched where it writes
   * @param {"edit"|"answer"|"automatic"} kind an answer to a host call, given by hand or at once, or something else
   */
  intervene(apply, touched = [], kind = "edit") {
    const before = this.position;
    const [used, answers] = [this.gasUsed, this.answers + Number(kind !== "edit")];
    for (const { address, length } of touched) this.#touch(address, length);
    apply(this.#machine);
    const entry = { before, after: before, apply, kind, answers, used };
    this.#journal.push(entry);
    entry.after = this.position;
    if (this.#journal.length > MOST_ENTRIES) this.#forget();
  }

  /** The entry of the journal with so many before it; undefined when it is forgotten or there is none. */
  #entry(number) {
    return this.#journal[number - this.#forgotten];
  }

  /** Forget what was before a checkpoint in the second half of the journal, but for the start. */
  #forget() {
    this.capture();
    const half = this.#forgotten + this.#journal.length / 2;
    const at = this.#checkpoints.findIndex(({ position }) => position.segment >= half);
    this.#checkpoints.splice(1, at - 1);
    // The entry before the checkpoint says what was used and answered up to there.
    const number = this.#checkpoints[1].position.segment - 1;
    this.#journal.splice(0, number - this.#forgotten);
    this.#forgotten = number;
  }

  /** The first position in a segment that can be reached again. */
  #beginOf(segment) {
    if (!segment) return this.first;
    const { after } = this.#entry(segment - 1);
    if (!this.#forgotten) return after;
    const { position } = this.#checkpoints[1];
    return compare(after, position) < 0 ? position : after;
  }

  #touch(address, length) {
    for (const page of pagesOf(address, length)) if (!this.#base.has(page)) this.#base.set(page, this.#first(page));
  }

  /** The guest may have written to what it may write to, which an sbrk may have let it do just now. */
  #touchWritable() {
    const { memory, abi } = this.#machine;
    for (const page of writablePages(memory.table, abi.WRITABLE)) {
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

  #copy(page) {
    return this.#machine.memory.words.slice(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  }

  /** Keep the machine's state. */
  capture() {
    const machine = this.#machine;
    const position = this.position;
    const last = this.#checkpoints.at(-1);
    if (last && isSame(last.position, position)) return;
    const table = machine.memory.table;
    this.#touchWritable();
    const pages = new Map();
    const { words } = machine.memory;
    for (const [page, first] of this.#base) {
      const known = last ? (last.pages.get(page) ?? first) : first;
      if (!isEqual(words, page * PAGE_WORDS, known)) pages.set(page, this.#copy(page));
      else if (known !== first) pages.set(page, known);
    }
    this.#checkpoints.push({
      position, pages,
      state: new Map(SAVED.map((name) => [name, machine.get(name)])),
      registers: machine.registers.slice(),
      table: last && isSameTable(last.table, table) ? last.table : table.slice(),
    });
    while (this.#checkpoints.length > KEPT || (this.#checkpoints.length > 4 && this.#size() > MOST_BYTES)) {
      this.#checkpoints = this.#checkpoints.filter((_, at, { length }) => at % 2 === 0 || at === length - 1);
      this.#pause *= 2;
    }
  }

  #size() {
    const pages = new Set();
    for (const checkpoint of this.#checkpoints) for (const page of checkpoint.pages.values()) pages.add(page);
    return pages.size * PAGE_SIZE;
  }

  #restore(checkpoint) {
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

  /** The last checkpoint at or before a position. */
  #checkpointFor(position) {
    let found = this.#checkpoints[0];
    for (const checkpoint of this.#checkpoints) if (compare(checkpoint.position, position) <= 0) found = checkpoint;
    return found;
  }

  /**
   * Take the machine to a position that it has been at, and forget what came after.
   *
   * @param {Position} target
   */
  seek(target) {
    this.#goTo(target);
    if (target.segment < this.#forgotten) this.#forgotten = 0; // back at the start
    this.#journal.length = target.segment - this.#forgotten;
    this.#checkpoints = this.#checkpoints.filter(({ position }) => compare(position, target) <= 0);
    this.#ranFor = 0;
  }

  /** The same, but nothing is forgotten. */
  #goTo(target) {
    const machine = this.#machine;
    const checkpoint = this.#checkpointFor(target);
    machine.countAside(true);
    try {
      this.#restore(checkpoint);
      for (let number = checkpoint.position.segment; number < target.segment; number++) {
        const { before, apply } = this.#entry(number);
        this.#runTo(before);
        apply(machine);
      }
      this.#runTo(target);
    } finally {
      machine.countAside(false);
    }
  }

  /** Run to a position in the segment where the machine is. */
  #runTo(target) {
    const machine = this.#machine;
    const byBlock = machine.get("metering") !== 0;
    for (let rounds = 0; ; rounds++) {
      const gas = machine.gas;
      if (isThere(machine, target)) return;
      if (gas < target.gas || rounds > LONGEST_WALK) throw new Error("an earlier state could not be reached again");
      // By block, what is in a block has been paid for: stop before it, and go on in steps.
      const budget = gas - target.gas - (byBlock ? 1n : 0n);
      if (budget > 0n && machine.advance(budget) !== SLICE && machine.gas !== gas) continue;
      if (machine.gas === target.gas || byBlock) this.#stepTo(target);
    }
  }

  #stepTo(target) {
    const machine = this.#machine;
    for (let steps = 0; !isThere(machine, target) && machine.gas >= target.gas; steps++) {
      if (steps > LONGEST_WALK) throw new Error("an earlier state could not be reached again");
      if (!moves(machine) && !isThere(machine, target)) throw new Error("an earlier state could not be reached again");
    }
  }

  /**
   * Go back to the last state before this one that `matches`, or that is the `count`-th such; to the start if there are
   * fewer. Yields now and then, so that the caller can let others run.
   *
   * @param {number} count
   * @param {ReturnType<typeof placesOf>} matches
   */
  *back(count, matches) {
    let end = this.position;
    let missing = count;
    let rounds = 0;
    for (let width = 64n; ; width *= 4n) {
      const begin = this.#before(end, width);
      if (begin === null) {
        this.seek(this.first);
        return;
      }
      const found = yield* this.#walk(begin, end, missing, matches);
      if (++rounds % 16 === 0) yield;
      if (found.length >= missing) {
        this.seek(found[found.length - missing]);
        return;
      }
      // All states from `begin` on are known now; what is missing lies before it.
      missing -= found.length;
      end = begin;
    }
  }

  /** A position that lies before `end` by about so much gas, in the same segment if there is any; null at the start. */
  #before(end, width) {
    if (compare(end, this.first) <= 0) return null;
    const { segment } = end;
    const begin = this.#beginOf(segment);
    if (compare(end, begin) <= 0) {
      const isOldest = this.#forgotten && compare(begin, this.#checkpoints[1].position) === 0;
      return isOldest ? null : this.#entry(segment - 1).before;
    }
    if (begin.gas - end.gas <= width) return begin;
    return { segment, gas: end.gas + width, paid: true, pc: -1, called: false, ended: false };
  }

  /** The last `count` matching positions from `begin` on and before `end`. The machine is left anywhere. */
  *#walk(begin, end, count, matches) {
    const machine = this.#machine;
    const entry = (number) => this.#entry(number);
    const found = [];
    const note = () => {
      const position = { ...this.position, segment: begin.segment };
      if (!matches(machine, position, entry)) return;
      found.push(position);
      if (found.length >= 2 * count + 1024) found.splice(0, found.length - count);
    };
    machine.countAside(true);
    try {
      if (begin.pc < 0) this.#approach(begin);
      else this.#goTo(begin);
      if (begin.segment < end.segment) note();
      else {
        for (let steps = 1; compare({ ...this.position, segment: end.segment }, end) < 0; steps++) {
          note();
          if (!moves(machine)) break;
          if (steps % 4096 === 0) yield;
        }
      }
    } finally {
      machine.countAside(false);
    }
    return found;
  }

  /** Take the machine to the first state of a segment with at most this much gas that is met on the way. */
  #approach({ segment, gas }) {
    const machine = this.#machine;
    const start = this.#beginOf(segment);
    const checkpoint = this.#checkpointFor({ segment, gas, paid: true, pc: -1, called: false, ended: false });
    this.#goTo(compare(checkpoint.position, start) > 0 ? checkpoint.position : start);
    while (machine.gas > gas) {
      const before = machine.gas;
      machine.advance(before - gas);
      if (machine.gas === before) {
        machine.step();
        if (machine.gas === before) return;
      }
    }
  }
}

/** Where a machine is, but for the segment. */
function placeOf(machine) {
  const { pc } = machine; // first, as it makes the other fields valid where translated code was left
  const paid = machine.get("metering") !== 0 && machine.get("charged") !== 0;
  return { gas: machine.gas, paid, pc, called: machine.get("called") !== 0, ended: machine.hasEnded };
}

/** Step, and whether that led anywhere. */
function moves(machine) {
  const before = placeOf(machine);
  const code = machine.step();
  if (code === machine.abi.outOfGas) machine.exitOf(code);
  return !isThere(machine, before);
}

/**
 * What `back` stops at. It gets the journal, too, by number.
 *
 * @param {"instruction"|"block"|"call"|"breakpoint"} unit
 * @param {Iterable<number>} breakpoints
 * @returns {(machine: import("../shared/host.mjs").Machine, position: Position,
 *   entry: (number: number) => Entry|undefined) => boolean}
 */
export function placesOf(unit, breakpoints) {
  const places = new Set(breakpoints);
  return {
    // A call that is answered at once is one step, forwards as backwards.
    instruction: (machine, position, entry) => {
      const next = entry(position.segment);
      return next?.kind !== "automatic" || !isSame(next.before, position);
    },
    block: (machine, { called }) => machine.recordAt(machine.pc).isStart && !called,
    // Where it waits for an answer, and not where it has just got it.
    call: (machine, position, entry) => position.called && !isAnsweredAt(entry, position),
    breakpoint: (machine, { called }) => places.has(machine.pc) && !called,
  }[unit];
}

/** Whether the call at which the machine stands at a position has been answered; edits may have come after that. */
function isAnsweredAt(entry, position) {
  let place = position;
  for (let number = position.segment - 1; place.called; number--) {
    const last = entry(number);
    if (!last || !isSame(last.after, place)) return false;
    if (last.kind !== "edit") return true;
    place = last.before;
  }
  return false;
}

function isThere(machine, target) {
  return isSame({ ...placeOf(machine), segment: target.segment }, target);
}

function isSame(first, second) {
  return compare(first, second) === 0;
}

/**
 * Below 0 when the first is earlier. Within a segment gas falls; of the same gas, what is in a paid block comes before
 * the start of the next one; within a block pc grows, and a call or an end comes after the state before it.
 */
export function compare(first, second) {
  if (first.segment !== second.segment) return first.segment - second.segment;
  if (first.gas !== second.gas) return first.gas > second.gas ? -1 : 1;
  if (first.paid !== second.paid) return first.paid ? -1 : 1;
  if (first.pc !== second.pc) return first.pc - second.pc;
  return Number(first.called || first.ended) - Number(second.called || second.ended);
}

function* pagesOf(address, length) {
  for (let page = Math.floor(address / PAGE_SIZE); page * PAGE_SIZE < address + length; page++) yield page;
}

function countOf(items) {
  let count = 0;
  for (const _ of items) count++;
  return count;
}

function* writablePages(table, writable) {
  const eights = new Float64Array(table.buffer, table.byteOffset, table.length / 8);
  for (let at = 0; at < eights.length; at++) {
    if (eights[at] === 0) continue;
    for (let page = 8 * at; page < 8 * at + 8; page++) {
      // Below 2^16 the guest never writes.
      if (page >= 16 && table[page] & writable) yield page;
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
