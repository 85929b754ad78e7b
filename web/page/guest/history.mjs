/**
 * Going back and forth: checkpoints of a machine, and a journal of what the host did to it.
 *
 * What a program does follows from its state, so any earlier state is reached again from a checkpoint before it. Going
 * back forgets nothing: the journal keeps what the host did later, and does it again when the machine comes there,
 * until the host does something else. In: a `Machine`. Out: `History`.
 */

import { SLICE } from "../shared/host.mjs";
import { Checkpoints } from "./checkpoints.mjs";
import { before, compare, isAnsweredAt, isSame, isThere, matcher, moves, placeOf } from "./positions.mjs";

const MOST_ENTRIES = 100_000; // of the journal; then its first half is forgotten
const FIRST_PAUSE = 20; // milliseconds of running between two checkpoints at first
const SHARE = 40; // a checkpoint is made when the machine ran this many times as long as making the last one took
const LONGEST_WALK = 1 << 22; // single steps that one search for an earlier state takes at most
const FIRST_WIDTH = 64n; // gas that is looked through first on going back; then four times as much
const STEPPED = 1n << 16n; // gas up to which a stretch is looked through step by step
const STRETCH = 1n << 22n; // gas that is run in one piece
const WORTH = 8; // milliseconds: what took longer to reach is kept as a checkpoint

/**
 * @typedef {import("./positions.mjs").Position} Position
 *
 * @typedef {object} Entry What the host did: it takes the state at `before` to that at `after`.
 * @property {Position} before
 * @property {Position} after
 * @property {(machine: import("../shared/host.mjs").Machine) => void} apply
 * @property {"edit"|"answer"|"automatic"} kind
 * @property {import("./calls.mjs").Answer|null} answer to the host call that the machine stood at
 * @property {number} answers how many entries up to this one answer host calls
 * @property {bigint} used gas that the guest had used before it
 */

export class History {
  #machine;
  #checkpoints;
  /** What was done, and what will be done again. @type {Entry[]} */
  #journal = [];
  /** How many entries before those of the journal are forgotten. Then only the start is left of what was before. */
  #forgotten = 0;
  /** How many entries lie behind the machine. */
  #at = 0;
  /** The latest position that is known. @type {Position} */
  #furthest;
  #ranFor = 0;
  #pause = FIRST_PAUSE;

  /** @param {import("../shared/host.mjs").Machine} machine at its start */
  constructor(machine) {
    this.#machine = machine;
    this.#checkpoints = new Checkpoints(machine);
    this.capture();
    this.#furthest = this.position;
  }

  /** When the machine's state is. @returns {Position} */
  get position() {
    return { segment: this.#at, ...placeOf(this.#machine) };
  }

  /** The start. @returns {Position} */
  get first() {
    return this.#checkpoints.first;
  }

  /** The latest position that the machine has been at and can be taken to. @returns {Position} */
  get furthest() {
    this.#note();
    return this.#furthest;
  }

  #note() {
    const { position } = this;
    if (compare(position, this.#furthest) > 0) this.#furthest = position;
  }

  get canGoBack() {
    return !isSame(this.position, this.first);
  }

  get canGoForward() {
    return compare(this.position, this.furthest) < 0;
  }

  /** How often the host has done something. */
  get interventions() {
    return this.#at;
  }

  /** How many host calls have been answered. */
  get answers() {
    return this.#entry(this.#at - 1)?.answers ?? 0;
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
    return this.usedAt(this.position);
  }

  /** The same at a position. @param {Position} position @returns {bigint} */
  usedAt({ segment, gas }) {
    const last = this.#entry(segment - 1);
    return last ? last.used + last.after.gas - gas : this.first.gas - gas;
  }

  /** The machine has run for so many milliseconds: make a checkpoint if it is worth one. */
  ran(milliseconds) {
    this.#ranFor += milliseconds;
    if (this.#ranFor < this.#pause) return;
    this.#ranFor = 0;
    // Too much to copy again and again: going back then starts from an earlier checkpoint, and takes longer.
    if (this.#checkpoints.isTooMuch) return;
    const begin = performance.now();
    if (this.capture()) this.#pause *= 2;
    this.#pause = Math.max(FIRST_PAUSE, (performance.now() - begin) * SHARE);
  }

  /** Keep the machine's state. */
  capture() {
    return this.#checkpoints.capture(this.position);
  }

  // --- what the host does --------------------------------------------------------------------------------------------

  /**
   * Do something to the machine and keep it in the journal; what was kept of the future is forgotten.
   *
   * @param {(machine: import("../shared/host.mjs").Machine) => void} apply must do the same each time
   * @param {{address: number, length: number}[]} touched where it writes
   * @param {"edit"|"answer"|"automatic"} kind an answer to a host call, given by hand or at once, or something else
   */
  intervene(apply, touched = [], kind = "edit", answer = null) {
    this.#cut();
    const start = this.position;
    const [used, answers] = [this.gasUsed, this.answers + Number(kind !== "edit")];
    for (const { address, length } of touched) this.#checkpoints.touch(address, length);
    apply(this.#machine);
    const entry = { before: start, after: start, apply, kind, answer, answers, used };
    this.#journal.push(entry);
    this.#at++;
    entry.after = this.position;
    this.#furthest = entry.after;
    if (this.#journal.length > MOST_ENTRIES) this.#forget();
  }

  /** What was done next where the machine is now, and is kept; null when that comes later, or there is nothing. */
  get next() {
    const entry = this.#entry(this.#at);
    return entry && isThere(this.#machine, entry.before) ? entry : null;
  }

  /** The answer that is kept for the call at which the machine stands. @returns {import("./calls.mjs").Answer|null} */
  get keptAnswer() {
    let place = this.position;
    for (let number = this.#at; ; number++) {
      const entry = this.#entry(number);
      if (!entry || !isSame({ ...entry.before, segment: 0 }, { ...place, segment: 0 })) return null;
      if (entry.kind !== "edit") return entry.answer;
      place = entry.after;
    }
  }

  /** Gas that may be used before something is done again at a place that is no host call; null: any amount. */
  get room() {
    const entry = this.#entry(this.#at);
    if (!entry || entry.before.called) return null;
    const byBlock = this.#machine.get("metering") !== 0;
    return this.#machine.gas - entry.before.gas - (byBlock ? 1n : 0n);
  }

  /** Do again what was done next. @returns {Entry} */
  redo() {
    const entry = this.#entry(this.#at);
    entry.apply(this.#machine);
    this.#at++;
    return entry;
  }

  /** Forget what was kept of the future. */
  #cut() {
    this.#journal.length = this.#at - this.#forgotten;
    this.#furthest = this.position;
    this.#checkpoints.cut(this.#furthest);
  }

  /** The entry of the journal with so many before it; undefined when it is forgotten or there is none. */
  #entry(number) {
    return this.#journal[number - this.#forgotten];
  }

  /** Forget what was before a checkpoint in the second half of the journal, but for the start. */
  #forget() {
    this.capture();
    const position = this.#checkpoints.forget(this.#forgotten + this.#journal.length / 2);
    // The entry before the checkpoint says what was used and answered up to there.
    const number = position.segment - 1;
    this.#journal.splice(0, number - this.#forgotten);
    this.#forgotten = number;
  }

  // --- going somewhere -----------------------------------------------------------------------------------------------

  /** Take the machine to a position that it has been at. @param {Position} target */
  seek(target) {
    this.#note();
    this.#goTo(target);
    if (this.#at < this.#forgotten) {
      this.#forgotten = 0; // what came after the start is not known any more
      this.#journal = [];
      this.#cut();
    }
    this.#ranFor = 0;
  }

  /** Take the machine to where the guest has used so much gas, or to the end of what is known. @param {bigint} used */
  seekUsed(used) {
    const { furthest } = this;
    if (used >= this.usedAt(furthest)) return this.seek(furthest);
    const target = used > 0n ? this.#where(used, furthest) : this.first;
    if (target.pc >= 0) return this.seek(target);
    this.#aside(() => this.#approach(target));
    this.#ranFor = 0;
  }

  #aside(work) {
    this.#machine.countAside(true);
    try {
      return work();
    } finally {
      this.#machine.countAside(false);
    }
  }

  #restore(checkpoint) {
    this.#checkpoints.restore(checkpoint);
    this.#at = checkpoint.position.segment;
  }

  #goTo(target) {
    this.#aside(() => {
      this.#restore(this.#checkpoints.before(target));
      this.#forwardTo(target.segment);
      this.#runTo(target);
    });
  }

  /** Run to the beginning of a segment. */
  #forwardTo(segment) {
    while (this.#at < segment) {
      this.#runTo(this.#entry(this.#at).before);
      this.redo();
    }
  }

  /** Run to a position in the segment where the machine is. What takes long is kept on the way: closer and closer. */
  #runTo(target) {
    const machine = this.#machine;
    const byBlock = machine.get("metering") !== 0;
    let begin = performance.now();
    for (let rounds = 0; ; rounds++) {
      const gas = machine.gas;
      if (isThere(machine, target)) return;
      if (gas < target.gas || rounds > LONGEST_WALK) throw new Error("an earlier state could not be reached again");
      // By block, what is in a block has been paid for: stop before it, and go on in steps.
      let budget = gas - target.gas - (byBlock ? 1n : 0n);
      if (budget > STRETCH) budget -= budget / 4n;
      if (budget > 0n && machine.advance(budget) !== SLICE && machine.gas !== gas) continue;
      if (performance.now() - begin > WORTH && !this.#checkpoints.isTooMuch) {
        this.capture();
        begin = performance.now();
      }
      const isNear = machine.gas === gas || gas - target.gas <= STRETCH;
      if (machine.gas === target.gas || (byBlock && isNear)) this.#stepTo(target);
    }
  }

  #stepTo(target) {
    const machine = this.#machine;
    for (let steps = 0; !isThere(machine, target) && machine.gas >= target.gas; steps++) {
      if (steps > LONGEST_WALK) throw new Error("an earlier state could not be reached again");
      if (!moves(machine) && !isThere(machine, target)) throw new Error("an earlier state could not be reached again");
    }
  }

  /** The earliest position that can be reached again, but for the start. */
  get #oldest() {
    return this.#forgotten ? this.#checkpoints.positions[1] : this.first;
  }

  /** About where the guest had used so much gas, not after `end`; never before the oldest position. */
  #where(used, end) {
    const oldest = this.#oldest;
    if (used <= this.usedAt(oldest)) return oldest;
    // The last segment that began before that.
    let [low, high] = [oldest.segment, end.segment];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#entry(middle - 1).used < used) low = middle;
      else high = middle - 1;
    }
    const start = low === oldest.segment ? oldest : this.#entry(low - 1).after;
    const target = before(low, start.gas - (used - this.usedAt(start)));
    return compare(target, start) < 0 ? start : target;
  }

  /**
   * Go back to the last state before this one that `unit` means, or that is the `count`-th such; to the start if there
   * are fewer. Yields how much of the way it has looked through, so that the caller can let others run.
   *
   * @param {number} count
   * @param {"instruction"|"block"|"call"|"breakpoint"} unit
   * @param {Iterable<number>} breakpoints
   */
  *back(count, unit, breakpoints) {
    this.#note();
    if (unit === "call") return this.seek(this.#callBefore(count));
    const places = new Set(breakpoints);
    const matches = matcher(unit, places);
    let end = this.position;
    const all = Number(this.usedAt(end)) || 1;
    let missing = count;
    for (let width = FIRST_WIDTH; ; width *= 4n) {
      if (compare(end, this.#oldest) <= 0) return this.seek(this.first);
      const begin = this.#where(this.usedAt(end) - width, end);
      const armed = unit === "breakpoint" && width > STEPPED ? places : null;
      const found = yield* this.#walk(begin, end, missing, matches, armed, all);
      if (found.length >= missing) return this.seek(found[found.length - missing]);
      // All states from `begin` on are known now; what is missing lies before it.
      missing -= found.length;
      end = begin;
    }
  }

  /** Where the host call before this position was made, or the `count`-th one: where it waits for an answer. */
  #callBefore(count) {
    const here = this.position;
    const entry = (number) => this.#entry(number);
    let missing = count;
    for (let number = this.#at - 1; number >= this.#forgotten; number--) {
      const { before: place } = this.#entry(number);
      if (!place.called || isAnsweredAt(entry, place) || compare(place, here) >= 0) continue;
      if (this.#forgotten && compare(place, this.#oldest) < 0) break;
      if (--missing === 0) return place;
    }
    return this.first;
  }

  /**
   * The last `count` matching positions from `begin` on and before `end`. The machine is left anywhere. With `armed`
   * it runs from breakpoint to breakpoint instead of stepping.
   */
  *#walk(begin, end, count, matches, armed, all) {
    const machine = this.#machine;
    const entry = (number) => this.#entry(number);
    const found = [];
    machine.countAside(true);
    try {
      if (begin.pc < 0) this.#approach(begin);
      else this.#goTo(begin);
      machine.countAside(true);
      for (let steps = 1; compare(this.position, end) < 0; steps++) {
        const { position } = this;
        if (matches(machine, position, entry)) {
          found.push(position);
          if (found.length >= 2 * count + 1024) found.splice(0, found.length - count);
        }
        const next = position.segment < end.segment ? entry(position.segment) : null;
        if (next && isSame(next.before, position)) this.redo();
        else if (!moves(machine)) break;
        else if (armed) yield* this.#armed(end, armed, all);
        if (steps % 4096 === 0) yield Number(this.usedAt(end)) / all;
      }
    } finally {
      machine.countAside(false);
    }
    return found;
  }

  /** Run to a breakpoint, or near `end` or the next thing that is done again. */
  *#armed(end, places, all) {
    const machine = this.#machine;
    const byBlock = machine.get("metering") !== 0 ? 1n : 0n;
    for (;;) {
      const target = this.#at < end.segment ? this.#entry(this.#at).before : end;
      const gas = machine.gas;
      const room = gas - target.gas - byBlock;
      if (room <= 0n || places.has(machine.pc) || machine.get("called") || machine.hasEnded) return;
      const code = machine.advanceTo(room < STRETCH ? room : STRETCH, places);
      if (code !== SLICE || machine.gas === gas) return;
      yield Number(this.usedAt(end)) / all;
    }
  }

  /** Take the machine to the first state of a segment with at most this much gas that is met on the way. */
  #approach(target) {
    const machine = this.#machine;
    this.#restore(this.#checkpoints.before(target));
    this.#forwardTo(target.segment);
    let begin = performance.now();
    while (machine.gas > target.gas) {
      const gas = machine.gas;
      const missing = gas - target.gas;
      machine.advance(missing > STRETCH ? missing - missing / 4n : missing);
      if (performance.now() - begin > WORTH && !this.#checkpoints.isTooMuch) {
        this.capture();
        begin = performance.now();
      }
      if (machine.gas === gas) {
        machine.step();
        if (machine.gas === gas) return;
      }
    }
  }
}
