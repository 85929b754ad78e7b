/**
 * A machine as a debugger has it: runs in slices, steps, goes back, answers host calls and keeps a log of them.
 *
 * In: requests with the names of its methods (`worker.mjs`). Out: a `View` of the machine, or what was asked for.
 */

import { CallLog } from "./call_log.mjs";
import { Log } from "./calls.mjs";
import { answering, mapping, readMemory, setting, writing } from "./edits.mjs";
import { History } from "./history.mjs";
import { compare, isSame } from "./positions.mjs";
import { Recorded } from "./recorded.mjs";
import { Slices } from "./slices.mjs";
import { Abi, Machine, SLICE } from "../shared/host.mjs";
import { countsByPc, pageRuns, searchBytes } from "./inspect.mjs";
import { HostError } from "../shared/memory.mjs";

const RESULT = 1 << 16; // bytes of a result that a view holds
const MOST_STOPS = 1000; // stops at breakpoints that are kept for the line of time
const REPORT_TIME = 50; // milliseconds between two reports of a run

export class Session {
  /** @type {Machine} */
  #machine;
  /** @type {History} */
  #history;
  /** @type {Recorded|null} */
  #recorded = null;
  #exit = null;
  #stopped = null;
  /** How the run ended, and when. */
  #ending = null;
  /** When the run stopped at breakpoints. @type {{used: bigint, pc: number, position: object}[]} */
  #stops = [];
  #start = null;
  #tier = "interpreter";
  #counts = false;
  #stepCounts = new Map();
  #milliseconds = 0;
  /** @type {CallLog} */
  #log;
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
    this.#recorded = answers && new Recorded(answers);
    this.#log = new CallLog();
    [this.#stops, this.#ending] = [[], null];
    this.#logCall = new Log(abi.HOST_CALLS, image.spec);
    this.#history = new History(this.#machine);
    this.#start = { pc: this.#machine.pc, gas: this.#machine.gas, registers: this.#machine.registers.slice() };
    this.#end(null, null);
    this.#milliseconds = 0;
    return this.view();
  }

  /** @returns {import("./view.mjs").View} */
  view() {
    const machine = this.#loaded;
    const { registers } = machine;
    const isHalt = this.#exit?.reason === "halt";
    return {
      pc: machine.pc, gas: machine.gas, registers: registers.slice(),
      exit: this.#exit, stopped: this.#stopped, tier: this.#tier,
      can_back: this.#history.canGoBack, can_forward: this.#history.canGoForward,
      time: this.#history.interventions, answers: this.#history.answers,
      furthest: this.#history.usedAt(this.#history.furthest),
      gas_used: this.#history.gasUsed, milliseconds: this.#milliseconds, heap_end: machine.get("heap_end"),
      result: isHalt ? machine.result(RESULT) : null, result_length: isHalt ? registers[8] : 0n,
      divergence: this.#recorded?.shownAt(this.#history.position) ?? null, pending: this.#pending?.pending ?? null,
    };
  }

  /** The log's entry of the call at which the machine stands, if that is to be answered at once when it goes on. */
  get #pending() {
    const entry = this.#log.last;
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
    const { position, gasUsed: used } = this.#history;
    if (exit && exit.reason !== "host-call") this.#ending = { position, exit };
    const isKnown = this.#stops.some((stop) => isSame(stop.position, position));
    if (stopped !== "breakpoint" || isKnown || this.#stops.length >= MOST_STOPS) return;
    this.#stops.push({ used, pc: this.#machine.pc, position });
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
    const slices = new Slices(pace, left);
    if (until === "block") return this.#finishBlock();
    if (this.#answerPending()) return undefined;
    // Off the breakpoint where it stands.
    if (places.length && this.#once(until)) return undefined;
    if (places.includes(this.#machine.pc)) return this.#end(null, "breakpoint");
    for (;;) {
      if (this.#stopAsked) return this.#end(null, "stop");
      if (slices.isOver) return this.#end(null, "budget");
      const gas = this.#machine.gas;
      const { room } = this.#history; // up to what was changed by hand, and is again
      if (room !== null && room <= 0n) {
        if (this.#once(until)) return undefined;
        if (this.#isThere(places)) return undefined;
        slices.ran(false, gas - this.#machine.gas, 0, 0n);
        continue;
      }
      const granted = slices.next(room);
      const start = performance.now();
      const code = this.#machine.advanceTo(granted, places);
      const took = performance.now() - start;
      this.#milliseconds += took;
      this.#tier = this.#machine.isLinked && !places.length ? "recompiler" : "interpreter";
      const used = gas - this.#machine.gas;
      if (this.#isDone(code, places, until)) return undefined;
      if (code === SLICE && used === 0n && granted === room && this.#once(until)) return undefined;
      if (slices.ran(code === SLICE, used, took, granted)) return this.#end(null, "budget");
      this.#history.ran(took);
      const now = performance.now();
      if (now - reported >= REPORT_TIME) {
        const spent = this.#history.gasUsed;
        report({
          view: this.view(), log: this.#log.plain(logged),
          instructions_per_second: (Number(spent - usedBefore) * 1000) / (now - reported),
        });
        [reported, logged, usedBefore] = [now, this.#log.length, spent];
      }
      await slices.wait(used, took, () => this.#stopAsked);
      await turn();
    }
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
    const exit = this.#machine.exitOf(code);
    const { answers, position, gasUsed } = this.#history;
    const isAsRecorded = this.#recorded?.verifyEnd(this.#machine, answers, exit, position, gasUsed) ?? true;
    this.#end(exit, isAsRecorded ? null : "divergence");
    return true;
  }

  /** Run one instruction; whether the run ends with it. */
  #once(until = "exit") {
    if (this.#answerPending()) return true;
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
    if (this.#answerPending()) return;
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

  /**
   * Go back by so many instructions or blocks, to the last host call or breakpoint, or to the start. What came after
   * is kept until something else is done. `report` gets how much of the way is looked through.
   */
  async back({ count = 1, unit = "instruction", breakpoints = [] }, report, turn) {
    return this.#alone(async () => {
      const here = this.#history.position;
      if (unit === "start") this.#history.seek(this.#history.first);
      else {
        let reported = performance.now();
        for (const left of this.#history.back(count, unit, breakpoints)) {
          if (performance.now() - reported > REPORT_TIME) {
            reported = performance.now();
            report({ fraction: 1 - left });
          }
          await turn();
          if (!this.#stopAsked) continue;
          this.#history.seek(here);
          this.#arrive("stop");
          return;
        }
      }
      this.#arrive("step");
    });
  }

  /** Go to a place in the known run: a host call by its index, gas used, or the end of what is known. */
  async seek({ call = null, used = null }) {
    return this.#alone(async () => {
      if (call !== null) {
        const entry = this.#log.find(call);
        if (!entry) throw new HostError(`host call ${call} is not among those that are kept`);
        this.#history.seek(entry.position);
      } else if (used !== null) this.#history.seekUsed(used);
      else this.#history.seek(this.#history.furthest);
      this.#arrive("step", !this.#history.canGoForward);
    });
  }

  /** The machine is at another place of the run: say how it stands there. */
  #arrive(stopped, isEnd = false) {
    const now = this.#history.position;
    this.#log.moved(now);
    this.#end(null, stopped);
    // An end that changed nothing, such as of a program that may not begin, is at the place before it.
    const isEnding = (isEnd || now.ended) && this.#ending && isSame(this.#ending.position, now);
    if (isEnding) this.#end(this.#ending.exit, null);
    else if (now.called && !this.#history.isAnswered) this.#standAtCall();
  }

  /** Something else is done than what is kept of the future. */
  #cut() {
    const now = this.#history.position;
    this.#log.cut();
    this.#recorded?.cut(now);
    this.#stops = this.#stops.filter(({ position }) => compare(position, now) <= 0);
    if (this.#ending && compare(this.#ending.position, now) >= 0) this.#ending = null;
  }

  /** The machine stands at a call that was made before and is made again. */
  #standAtCall() {
    const entry = this.#log.last;
    const isNoted = entry && isSame(entry.position, this.#history.calledAt);
    if (isNoted) Object.assign(entry, { answer: null, pending: this.#answerOf(entry) });
    else this.#noteCall(); // it was one of many, and left out
    this.#end(this.#callExit(), null);
  }

  /** Where everything is on the line of time: in gas that the guest had used. */
  timeline() {
    const { position, gasUsed, furthest } = this.#history;
    const { divergence } = this.#recorded ?? { divergence: null };
    return {
      used: gasUsed, furthest: this.#history.usedAt(furthest), calls: this.#log.marks(),
      stops: this.#stops.map((stop) => ({ used: stop.used, pc: stop.pc, later: compare(stop.position, position) > 0 })),
      divergence: divergence && { used: divergence.used, message: divergence.message },
      ending: this.#ending && this.#ending.exit.reason,
    };
  }

  #callExit() {
    return this.#machine.exitOf(this.#machine.abi.hostCall);
  }

  // --- host calls ----------------------------------------------------------------------------------------------------

  /** A host call was made: answer it if possible; whether the run ends with it. */
  #call(until) {
    const entry = this.#noteCall();
    const { answers, position } = this.#history;
    const isAsExpected = this.#recorded?.verifyCall(this.#machine, answers, entry.number, position, entry.used) ?? true;
    this.#end(this.#callExit(), isAsExpected ? null : "divergence");
    if (entry.pending === null || !isAsExpected || until === "call") return true;
    const hasEnded = this.#answerPending();
    if (!hasEnded) this.#end(null, null);
    return hasEnded;
  }

  /** Note the call at which the machine stands. */
  #noteCall() {
    const machine = this.#machine;
    const number = machine.get("call");
    const entry = this.#log.note(this.#history.calledAt, this.#history.answers, {
      number, pc: machine.pc, gas: machine.gas, registers: machine.registers.slice(), used: this.#history.gasUsed,
      text: number === this.#logCall.number ? this.#logCall.text(machine) : null,
    });
    entry.pending = this.#answerOf(entry);
    return entry;
  }

  /**
   * Give the call at which the machine stands the answer that is known for it, if it has got none yet, and do again
   * what else was done here. Whether the run ends with that.
   */
  #answerPending() {
    const entry = this.#pending;
    if (!this.#history.next) {
      if (!entry) return false;
      entry.answer = entry.pending;
      this.#apply(entry.pending, "automatic");
      return this.#endsBy(entry.answer);
    }
    while (this.#history.next) {
      const { answer } = this.#history.redo();
      if (!answer) continue;
      this.#log.last.answer = answer;
      if (this.#endsBy(answer)) return true;
    }
    return false;
  }

  #answerOf(entry) {
    const kept = this.#history.keptAnswer;
    if (kept) return kept;
    const recorded = this.#recorded?.answer(this.#history.answers);
    if (recorded) return recorded;
    return entry.number === this.#logCall.number ? this.#logCall.answer(entry.gas) : null;
  }

  /** Answer the host call at which the machine stands, and go past it; with `end`, the run ends with that. */
  answer({ registers = {}, writes = [], maps = [], gas = null, end = null }) {
    this.#refuseWhileRunning();
    const answer = { registers, writes, maps, gas, end };
    answering(this.#loaded, answer);
    this.#cut();
    if (this.#log.last) this.#log.last.answer = answer;
    this.#apply(answer, "answer");
    if (!this.#endsBy(answer)) this.#end(null, "step");
    return this.view();
  }

  /** Whether the run ends with the answer to the call at which the machine stands. */
  #endsBy({ end: reason }) {
    const { pc, gas } = this.#machine;
    if (reason !== null) this.#end({ reason, pc, gas, address: null, call: null }, null);
    return reason !== null;
  }

  #apply(answer, kind) {
    const { apply, touched } = answering(this.#machine, answer);
    this.#history.intervene(apply, touched, kind, answer);
  }

  /** The host calls so far. */
  log() {
    return this.#log.plain();
  }

  /** Those that came after, as far as they are kept. */
  later() {
    return this.#log.later();
  }

  // --- looking and editing -------------------------------------------------------------------------------------------

  read(range) {
    return readMemory(this.#loaded, range);
  }

  write(change) {
    return this.#edit(writing, change);
  }

  set(change) {
    return this.#edit(setting, change);
  }

  map(change) {
    return this.#edit(mapping, change);
  }

  #edit(kind, change) {
    this.#refuseWhileRunning();
    const { apply, touched } = kind(this.#loaded, change);
    this.#cut();
    this.#history.intervene(apply, touched);
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
    if (this.#log.isCut) throw new HostError(`the run made more host calls than the ${this.#log.length} that are kept`);
    const hasEnded = this.#exit && this.#exit.reason !== "host-call";
    const end = hasEnded ? { ...this.#exit, registers: registers.slice() } : null;
    return { start: this.#start, calls: this.log(), end };
  }
}
