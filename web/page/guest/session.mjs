/**
 * A machine as a debugger has it: runs in slices, steps, goes back, answers host calls and keeps a log of them.
 *
 * In: requests with the names of its methods (`worker.mjs`). Out: a `View` of the machine, or what was asked for.
 */

import { Log, callDifference, endDifference, recordedAnswer } from "./calls.mjs";
import { checkNumber, checkRegisters } from "./checks.mjs";
import { History, compare, placesOf } from "./history.mjs";
import { Abi, Machine, SLICE } from "../shared/host.mjs";
import { countsByPc, pageRuns, searchBytes } from "./inspect.mjs";
import { HostError, PAGE_SIZE } from "../shared/memory.mjs";

const RESULT = 1 << 16; // bytes of a result that a view holds
const LONGEST_LOG = 10_000; // entries that are kept of the host calls
const FIRST_BUDGET = 1n << 14n; // gas of the first slice; then as much as takes SLICE_TIME
const SLICE_TIME = 6; // milliseconds
const REPORT_TIME = 50; // milliseconds between two reports of a run
const MOST_ACCESS = 1 << 24; // bytes that one request reads or maps at most

/**
 * @typedef {object} View
 * @property {number} pc
 * @property {bigint} gas
 * @property {BigUint64Array} registers
 * @property {import("../shared/host.mjs").Exit|null} exit
 * @property {null|"step"|"breakpoint"|"stop"|"budget"|"divergence"|"block"} stopped
 * @property {"interpreter"|"recompiler"} tier
 * @property {boolean} can_back
 * @property {number} time how many times the host has intervened before
 * @property {bigint} gas_used by the guest since the start; what host calls cost is not in it
 * @property {number} milliseconds of generated code in the last request
 * @property {bigint} heap_end
 * @property {Uint8Array|null} result
 * @property {bigint} result_length
 * @property {{call: number|null, line: number, message: string}|null} divergence
 * @property {import("./calls.mjs").Answer|null} pending what the call at which it stands is answered when it goes on
 */

export class Session {
  /** @type {Machine} */
  #machine;
  /** @type {History} */
  #history;
  #answers = null;
  #exit = null;
  #stopped = null;
  #divergence = null;
  #divergedAt = null;
  #start = null;
  #tier = "interpreter";
  #counts = false;
  #stepCounts = new Map();
  #milliseconds = 0;
  /** @type {object[]} */
  #log = [];
  /** @type {Log} */
  #logCall;
  #isRunning = false;
  #stopAsked = false;

  /** Make a machine of an image. */
  load({ abi, interpreter, counting = null, image, counts = false, answers = null }) {
    this.#refuseWhileRunning();
    const counted = counts && counting !== null;
    this.#machine = null; // so that its memories can be freed before there are others
    this.#history = null;
    this.#machine = new Machine(new Abi(abi), counted ? counting : interpreter, image, { counts: counted });
    this.#counts = counted;
    this.#stepCounts.clear();
    this.#answers = answers && { trace: answers.trace, verify: answers.verify ?? true };
    this.#log = [];
    this.#logCall = new Log(abi.HOST_CALLS, image.spec);
    this.#history = new History(this.#machine);
    this.#start = { pc: this.#machine.pc, gas: this.#machine.gas, registers: this.#machine.registers.slice() };
    this.#divergence = null;
    this.#end(null, null);
    this.#milliseconds = 0;
    return this.view();
  }

  /** @returns {View} */
  view() {
    const machine = this.#loaded;
    const { registers } = machine;
    const isHalt = this.#exit?.reason === "halt";
    return {
      pc: machine.pc, gas: machine.gas, registers: registers.slice(),
      exit: this.#exit, stopped: this.#stopped, tier: this.#tier,
      can_back: this.#history.canGoBack, time: this.#history.interventions,
      gas_used: this.#history.gasUsed, milliseconds: this.#milliseconds, heap_end: machine.get("heap_end"),
      result: isHalt ? machine.result(RESULT) : null, result_length: isHalt ? registers[8] : 0n,
      divergence: this.#divergence, pending: this.#pending?.pending ?? null,
    };
  }

  /** The log's entry of the call at which the machine stands, if that is to be answered at once when it goes on. */
  get #pending() {
    const entry = this.#log.at(-1);
    return entry?.pending && !entry.answer && this.#machine.get("called") ? entry : null;
  }

  get #loaded() {
    if (!this.#machine) throw new HostError("no program is loaded");
    return this.#machine;
  }

  #refuseWhileRunning() {
    if (this.#isRunning) throw new HostError("the program is running: stop it first");
  }

  #end(exit, stopped) {
    this.#exit = exit;
    this.#stopped = stopped;
  }

  /** Run a translation where possible from now on; null: interpret. May come while the program runs. */
  link({ translation }) {
    this.#loaded.link(translation);
    return this.view();
  }

  // --- forwards ------------------------------------------------------------------------------------------------------

  /** Do what may take long: one thing at a time, which `stop` ends. */
  async #alone(work) {
    this.#loaded;
    this.#refuseWhileRunning();
    this.#isRunning = true;
    this.#stopAsked = false;
    try {
      await work();
    } finally {
      this.#isRunning = false;
    }
    return this.view();
  }

  /**
   * Run until something ends it. `report` gets what is new now and then; `turn` lets other requests in.
   *
   * @param {{breakpoints?: Iterable<number>, until?: "exit"|"call"|"block", budget?: bigint|null,
   *   pace?: number|null}} how
   */
  async run({ breakpoints = [], until = "exit", budget = null, pace = null }, report, turn) {
    return this.#alone(async () => {
      this.#milliseconds = 0;
      await this.#run({ places: [...breakpoints], until, left: budget, pace }, report, turn);
    });
  }

  async #run({ places, until, left, pace }, report, turn) {
    const begin = performance.now();
    let reported = begin;
    let logged = this.#log.length;
    let usedBefore = this.#history.gasUsed;
    let slice = FIRST_BUDGET;
    let most = pace && BigInt(Math.max(1, Math.round((pace * SLICE_TIME) / 1000)));
    if (until === "block") return this.#finishBlock();
    this.#answerPending();
    // Off the breakpoint where it stands.
    if (places.length && this.#once(until)) return undefined;
    if (places.includes(this.#machine.pc)) return this.#end(null, "breakpoint");
    for (;;) {
      if (this.#stopAsked) return this.#end(null, "stop");
      if (left !== null && left <= 0n) return this.#end(null, "budget");
      let granted = left !== null && left < slice ? left : slice;
      if (pace) granted = min(granted, most);
      const gas = this.#machine.gas;
      const start = performance.now();
      const code = this.#machine.advanceTo(granted, places);
      const took = performance.now() - start;
      this.#milliseconds += took;
      this.#tier = this.#machine.isLinked && !places.length ? "recompiler" : "interpreter";
      const used = gas - this.#machine.gas;
      if (left !== null) left -= used;
      if (this.#isDone(code, places, until)) return undefined;
      if (code === SLICE && used === 0n) [slice, most] = [slice * 2n, most && most * 2n]; // a block that costs more
      else if (took < SLICE_TIME / 2 && used * 2n > slice) slice *= 2n;
      else if (took > SLICE_TIME * 2 && slice > FIRST_BUDGET) slice /= 2n;
      if (left !== null && code === SLICE && used === 0n && granted === left) return this.#end(null, "budget");
      this.#history.ran(took);
      const now = performance.now();
      if (now - reported >= REPORT_TIME) {
        const spent = this.#history.gasUsed;
        report({
          view: this.view(), log: this.log().slice(logged),
          instructions_per_second: (Number(spent - usedBefore) * 1000) / (now - reported),
        });
        [reported, logged, usedBefore] = [now, this.#log.length, spent];
      }
      if (pace) await this.#pause((Number(used) * 1000) / pace - took);
      await turn();
    }
  }

  async #pause(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end && !this.#stopAsked) await pause(min(end - performance.now(), REPORT_TIME));
  }

  /** Deal with what ended a slice; whether the run ends with it. */
  #isDone(code, places, until) {
    const machine = this.#machine;
    const { abi } = machine;
    if (code === SLICE) return this.#isThere(places);
    if (code === abi.hostCall) return this.#call(until);
    // To run out of gas on coming to a breakpoint is to come to it.
    if (code === abi.BREAKPOINT || (code === abi.outOfGas && places.includes(machine.pc))) {
      this.#end(null, "breakpoint");
      return true;
    }
    return this.#finish(code);
  }

  #isThere(places) {
    if (!places.includes(this.#machine.pc)) return false;
    this.#end(null, "breakpoint");
    return true;
  }

  #finish(code) {
    this.#end(this.#machine.exitOf(code), null);
    this.#compareEnd();
    return true;
  }

  /** Run one instruction; whether the run ends with it. */
  #once(until = "exit") {
    this.#answerPending();
    const machine = this.#machine;
    const { pc, gas } = machine;
    const start = performance.now();
    const code = machine.step();
    this.#milliseconds += performance.now() - start;
    this.#tier = "interpreter";
    if (this.#counts && machine.gas !== gas) this.#stepCounts.set(pc, (this.#stepCounts.get(pc) ?? 0) + 1);
    if (code === machine.abi.STOPPED) return false;
    return code === machine.abi.hostCall ? this.#call(until) : this.#finish(code);
  }

  #finishBlock() {
    this.#answerPending();
    const code = this.#machine.finishBlock();
    this.#tier = "interpreter";
    if (code === this.#machine.abi.STOPPED) this.#end(null, "block");
    else if (code !== this.#machine.abi.hostCall) this.#finish(code);
    else if (!this.#call("exit")) this.#end(null, "block");
  }

  /** Run so many instructions or blocks. */
  async step({ count = 1, unit = "instruction" }, report, turn) {
    return this.#alone(async () => {
      this.#milliseconds = 0;
      this.#end(null, "step");
      for (let done = 0; done < count; done++) {
        if (unit === "block") this.#finishBlock();
        else if (this.#once()) break;
        if (this.#exit) break;
        this.#end(null, "step");
        if (done % 4096 === 4095) {
          this.#history.ran(4);
          await turn();
          if (this.#stopAsked) break;
        }
      }
    });
  }

  /** End what is running at the next slice. */
  stop() {
    this.#stopAsked = true;
    return null;
  }

  // --- backwards -----------------------------------------------------------------------------------------------------

  /** Go back by so many instructions or blocks, to the last host call or breakpoint, or to the start. */
  async back({ count = 1, unit = "instruction", breakpoints = [] }, report, turn) {
    return this.#alone(async () => {
      const here = this.#history.position;
      if (unit === "start") this.#history.seek(this.#history.first);
      else {
        for (const _ of this.#history.back(count, placesOf(unit, breakpoints))) {
          await turn();
          if (!this.#stopAsked) continue;
          this.#history.seek(here);
          this.#end(null, "stop");
          return;
        }
      }
      this.#end(null, "step");
      const now = this.#history.position;
      if (this.#divergence && compare(now, this.#divergedAt) < 0) this.#divergence = null;
      this.#log = this.#log.filter(({ position }) => compare(position, now) <= 0);
      if (now.called && !this.#history.isAnswered) this.#standAtCall();
    });
  }

  /** The machine stands at a call that was made before and is made again. */
  #standAtCall() {
    const entry = this.#log.at(-1);
    const isNoted = entry && compare(entry.position, this.#history.calledAt) === 0;
    if (isNoted) Object.assign(entry, { answer: null, pending: this.#answerOf(entry) });
    else this.#noteCall(); // it was one of many, and left out
    this.#end(this.#callExit(), null);
  }

  #callExit() {
    return this.#machine.exitOf(this.#machine.abi.hostCall);
  }

  // --- host calls ----------------------------------------------------------------------------------------------------

  /** A host call was made: answer it if possible; whether the run ends with it. */
  #call(until) {
    const entry = this.#noteCall();
    const isAsExpected = this.#verifyCall(entry);
    this.#end(this.#callExit(), isAsExpected ? null : "divergence");
    if (entry.pending === null || !isAsExpected || until === "call") return true;
    this.#answerPending();
    const { end } = entry.answer;
    if (end === null) this.#end(null, null);
    else this.#endBy(end);
    return end !== null;
  }

  /** The log's last entry is the call at which the machine stands, also where others before it are left out. */
  #noteCall() {
    const machine = this.#machine;
    const number = machine.get("call");
    const position = this.#history.calledAt;
    const isFull = this.#log.length >= LONGEST_LOG;
    if (isFull || (this.#log.length && compare(this.#log.at(-1).position, position) === 0)) this.#log.pop();
    const entry = {
      index: Math.max((this.#log.at(-1)?.index ?? -1) + 1, this.#history.answers),
      number, pc: machine.pc, gas: machine.gas, registers: machine.registers.slice(),
      position, answer: null, pending: null, text: number === this.#logCall.number ? this.#logCall.text(machine) : null,
    };
    entry.pending = this.#answerOf(entry);
    this.#log.push(entry);
    return entry;
  }

  /** Give the call at which the machine stands the answer that is known for it, if it has got none yet. */
  #answerPending() {
    const entry = this.#pending;
    if (!entry) return;
    entry.answer = entry.pending;
    this.#apply(entry.pending, "automatic");
  }

  #answerOf(entry) {
    if (this.#answers) return recordedAnswer(this.#answers.trace.calls[this.#history.answers]);
    return entry.number === this.#logCall.number ? this.#logCall.answer(entry.gas) : null;
  }

  /** Whether a call is as recorded. Only the first difference is told: who goes on wants to see where that leads. */
  #verifyCall(entry) {
    if (!this.#answers?.verify || this.#divergence) return true;
    const { trace } = this.#answers;
    const at = this.#history.answers;
    const message = callDifference(trace.calls[at], entry.number, this.#machine);
    if (message) this.#diverge(at, (trace.calls[at] ?? trace.end).line, message);
    return !message;
  }

  #compareEnd() {
    if (!this.#answers?.verify || this.#divergence) return;
    const { trace } = this.#answers;
    const at = this.#history.answers;
    const call = trace.calls[at];
    const message = endDifference(trace, call, this.#exit, this.#machine);
    if (!message) return;
    this.#diverge(call ? at : null, (call ?? trace.end).line, message);
    this.#stopped = "divergence";
  }

  #diverge(call, line, message) {
    this.#divergence = { call, line, message };
    this.#divergedAt = this.#history.position;
  }

  /** Answer the host call at which the machine stands, and go past it; with `end`, the run ends with that. */
  answer({ registers = {}, writes = [], gas = null, end = null }) {
    this.#refuseWhileRunning();
    const machine = this.#loaded;
    if (!machine.get("called")) throw new HostError("the program stands at no host call");
    checkRegisters(registers);
    checkNumber("gas", gas, 64n);
    for (const { address, bytes } of writes) machine.memory.view(address, bytes.length);
    const answer = { registers, writes, gas, end };
    const entry = this.#log.at(-1);
    if (entry) entry.answer = answer;
    this.#apply(answer, "answer");
    if (end === null) this.#end(null, "step");
    else this.#endBy(end);
    return this.view();
  }

  /** The run ends with the answer to the call at which the machine stands. */
  #endBy(reason) {
    const { pc, gas } = this.#machine;
    this.#end({ reason, pc, gas, address: null, call: null }, null);
  }

  #apply({ registers, writes, gas }, kind) {
    this.#history.intervene(
      (machine) => {
        for (const { address, bytes } of writes) machine.memory.write(address, bytes);
        for (const [number, value] of Object.entries(registers)) machine.registers[number] = value;
        if (gas !== null) machine.gas = gas;
      },
      writes.map(({ address, bytes }) => ({ address, length: bytes.length })), kind,
    );
  }

  /** The host calls so far, without where in history they were. */
  log() {
    return this.#log.map(({ position, pending, ...entry }) => entry);
  }

  // --- looking and editing -------------------------------------------------------------------------------------------

  read({ address, length }) {
    if (length > MOST_ACCESS) throw new HostError(`${length} bytes are more than are read at once`);
    const { memory } = this.#loaded;
    const bytes = memory.read(address, length);
    const first = Math.floor(address / PAGE_SIZE);
    const count = length ? Math.floor((address + length - 1) / PAGE_SIZE) - first + 1 : 0;
    const codes = { null: 0, r: 1, rw: 3 };
    return { bytes, access: Uint8Array.from({ length: count }, (_, at) => codes[String(memory.accessOf(first + at))]) };
  }

  write({ address, bytes }) {
    return this.#edit((machine) => machine.memory.write(address, bytes), () => {
      this.#machine.memory.view(address, bytes.length);
      return [{ address, length: bytes.length }];
    });
  }

  set({ registers = {}, gas = null, pc = null }) {
    return this.#edit(
      (machine) => {
        for (const [number, value] of Object.entries(registers)) machine.registers[number] = value;
        if (gas !== null) machine.gas = gas;
        if (pc !== null) machine.pc = pc;
      },
      () => {
        checkRegisters(registers);
        checkNumber("gas", gas, 64n);
        checkNumber("pc", pc === null ? null : BigInt(pc), 32n);
        return [];
      },
    );
  }

  map({ address, length, access }) {
    return this.#edit((machine) => machine.memory.map(address, length, access), () => {
      if (access !== null && access !== "r" && access !== "rw") throw new HostError(`access ${access}`);
      if (length > MOST_ACCESS) throw new HostError(`${length} bytes are more than are mapped at once`);
      this.#machine.memory.view(address, length);
      return [{ address, length }];
    });
  }

  #edit(apply, check) {
    this.#refuseWhileRunning();
    this.#loaded;
    this.#history.intervene(apply, check());
    if (this.#exit?.reason === "host-call" && this.#machine.get("called")) this.#end(this.#callExit(), this.#stopped);
    else this.#end(null, "step");
    return this.view();
  }

  /** Runs of pages with the same rights (`inspect.mjs`). */
  pages() {
    return pageRuns(this.#loaded);
  }

  /** The next address from `from` on, or before it, where these bytes are, in mapped pages; or null. */
  search({ bytes, from, backwards = false }) {
    return searchBytes(this.#loaded, bytes, from, backwards);
  }

  /** How often instructions were carried out, by pc (`inspect.mjs`). */
  counts() {
    return countsByPc(this.#loaded, this.#stepCounts);
  }

  /** What `trace_text` of the Python worker writes as an ecalli trace; null while the run has not ended. */
  recording() {
    const { registers } = this.#loaded;
    if (this.#log.length && this.#log.at(-1).index >= this.#log.length) {
      throw new HostError(`the run made more host calls than the ${LONGEST_LOG} that are kept of it`);
    }
    const hasEnded = this.#exit && this.#exit.reason !== "host-call";
    const end = hasEnded ? { ...this.#exit, registers: registers.slice() } : null;
    return { start: this.#start, calls: this.log(), end };
  }
}

const min = (first, second) => (first < second ? first : second);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
