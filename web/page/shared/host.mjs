/**
 * The machine in JavaScript: instantiates the generated modules and runs them, in browsers, workers and node.
 *
 * In: the contract (`pvm.abi` as JSON), the compiled interpreter, an image of a program, a translation if there is one.
 * Out: `Machine`, with exact registers, gas, pc, memory and exits. It is the counterpart of `wasm_host`: whatever it
 * does with the state, `wasm_host/machine/interpreted.py` and `wasm_host/machine/translated.py` do.
 */

import { ADDRESS_SPACE, GuestMemory, HostError, PAGES } from "./memory.mjs";

export { HostError } from "./memory.mjs";

/**
 * @typedef {object} Image A program and its start, as `pvm_web.bridge` makes it; the same for every machine.
 * @property {number} reserve bytes that the engine memory has to have
 * @property {{address: number, bytes: Uint8Array}[]} writes into the engine memory
 * @property {Record<string, number|bigint>} numbers fields of the state
 * @property {{address: number, length: number, access: string, data: Uint8Array}[]} segments of the guest's memory
 * @property {BigUint64Array} registers
 * @property {bigint} gas
 * @property {number} pc
 * @property {boolean} valid whether the program may run at all under its spec
 * @property {boolean} gas_stays whether gas that was too little stays, or becomes 0
 *
 * @typedef {object} Translation
 * @property {Uint8Array} module
 * @property {Uint32Array} entries pairs of a pc and the entry there
 * @property {Uint32Array} resumes pairs of the pc of a host call and the entry after it
 * @property {Uint8Array} jumps the entry of each jump table entry
 *
 * @typedef {object} Exit
 * @property {"halt"|"panic"|"out-of-gas"|"page-fault"|"host-call"} reason
 * @property {number} pc
 * @property {bigint} gas
 * @property {number|null} address of the page that a fault is about
 * @property {bigint|null} call
 */

/** What `advance` returns when the budget is used up, and gas is left. */
export const SLICE = -1;

/** What this browser lacks of what the generated modules need, in words; empty when it has all. */
export function missingFeatures() {
  if (typeof WebAssembly !== "object") return ["WebAssembly"];
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const function_ = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0];
  const modules = {
    "several memories in a module (multi-memory)": [5, 5, 2, 0, 1, 0, 1],
    "tail calls": [...function_, 10, 6, 1, 4, 0, 0x12, 0, 0x0b],
    "bulk memory operations": [...function_.slice(0, 10), 5, 3, 1, 0, 1, 10, 13, 1, 11, 0, 0x41, 0, 0x41, 0, 0x41, 0,
      0xfc, 11, 0, 0x0b],
  };
  const missing = [];
  for (const [name, sections] of Object.entries(modules)) {
    if (!WebAssembly.validate(new Uint8Array([...header, ...sections]))) missing.push(name);
  }
  if (typeof BigUint64Array === "undefined") missing.push("64-bit integers (BigInt)");
  try {
    new WebAssembly.Memory({ initial: 65536, maximum: 65536 });
  } catch {
    missing.push("memories of 4 GiB (is it a 64-bit browser?)");
  }
  return missing;
}

/** The contract with generated code, out of `data/abi.json`. */
export class Abi {
  /** @param {Record<string, any>} constants as `pvm.abi.as_json` prints them */
  constructor(constants) {
    Object.assign(this, constants);
    this.constants = constants;
    /** @type {Map<number, string>} */
    this.reasons = new Map(Object.entries(constants.EXIT_CODES).map(([reason, code]) => [code, reason]));
    this.outOfGas = constants.EXIT_CODES["out-of-gas"];
    this.hostCall = constants.EXIT_CODES["host-call"];
    this.panic = constants.EXIT_CODES["panic"];
    this.pageFault = constants.EXIT_CODES["page-fault"];
    const fields = Object.values(constants.STATE);
    /** Bytes of the state: the registers and the numbers after them. */
    this.stateSize = Math.max(...fields.map((field) => field.offset + field.size));
  }
}

/** A program with its state. */
export class Machine {
  #engine;
  #view;
  #exports;
  #interpreter;
  #linked = null;
  #endings;
  #isCounting = false;

  /**
   * @param {Abi} abi
   * @param {WebAssembly.Module} interpreter
   * @param {Image} image
   * @param {{counts?: boolean}} options `counts`: the interpreter is the one that counts instructions
   */
  constructor(abi, interpreter, image, options = {}) {
    this.abi = abi;
    this.image = image;
    /** Whether the instruction at pc was carried out, and ended the run. */
    this.hasEnded = false;
    this.#endings = new Set(["halt", "panic", "page-fault"].map((reason) => abi.EXIT_CODES[reason]));
    this.#isCounting = Boolean(options.counts);
    try {
      this.#interpreter = new WebAssembly.Instance(interpreter, {});
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new HostError("no room for one more machine: each takes 8 GiB of address space (close other pages)");
    }
    this.#exports = this.#interpreter.exports;
    this.#engine = this.#exports[abi.ENGINE_MEMORY];
    this.#refresh();
    this.memory = new GuestMemory(abi, this.#exports[abi.GUEST_MEMORY], () =>
      new Uint8Array(this.#engine.buffer, abi.PAGE_TABLE, PAGES));
    this.#load();
    this.start();
  }

  #load() {
    const { image, abi } = this;
    const codeLength = image.numbers.code_length;
    // The records end the memory; the counts lie before them.
    const room = this.#isCounting ? 16 * (codeLength + 1) : 0;
    const missing = Math.ceil((image.reserve + room) / abi.WASM_PAGE) - this.#engine.buffer.byteLength / abi.WASM_PAGE;
    if (missing > 0) {
      try {
        this.#engine.grow(missing);
      } catch {
        throw new HostError(`the program needs ${image.reserve} bytes beside the guest's, more than the browser gives`);
      }
    }
    for (const { address, bytes } of image.writes) new Uint8Array(this.#engine.buffer).set(bytes, address);
    for (const [name, number] of Object.entries(image.numbers)) this.set(name, number);
    if (room) {
      this.set("counts", image.numbers.records);
      this.set("records", image.numbers.records + room);
    }
    this.#exports[abi.PREPARE]();
  }

  /** Go back to the program's start: segments, registers, gas, pc. Memory outside the segments is left alone. */
  start() {
    const { image } = this;
    for (const { address, length, access, data } of image.segments) {
      this.memory.map(address, length, access);
      this.memory.write(address, data);
    }
    this.registers.set(image.registers);
    this.set("heap_end", image.numbers.heap_end);
    this.set("heap_limit", image.numbers.heap_limit);
    this.pc = image.pc;
    this.gas = image.gas;
  }

  /** Growing the engine memory, as generated code may, detaches what lay over it. */
  #refresh() {
    this.#view = new DataView(this.#engine.buffer);
    this.#registers = new BigUint64Array(this.#engine.buffer, this.abi.REGISTERS, 13);
  }

  #registers;

  get #state() {
    if (this.#view.buffer !== this.#engine.buffer) this.#refresh();
    return this.#view;
  }

  /** The 13 registers, live until the machine runs again. */
  get registers() {
    return this.#state && this.#registers;
  }

  /** The engine memory's bytes. */
  bytes(address, length) {
    return new Uint8Array(this.#engine.buffer, address, length);
  }

  /** A field of the state: a Number, or a BigInt if it has 8 bytes. */
  get(name) {
    const { offset, size } = this.abi.STATE[name];
    return size === 8 ? this.#state.getBigUint64(offset, true) : this.#state.getUint32(offset, true);
  }

  set(name, value) {
    const { offset, size } = this.abi.STATE[name];
    if (size === 8) this.#state.setBigUint64(offset, BigInt(value), true);
    else this.#state.setUint32(offset, Number(value), true);
  }

  get gas() {
    return this.get("gas");
  }

  set gas(value) {
    this.set("gas", value);
  }

  /** The next instruction; after a host call still the call itself. Setting it starts a basic block anew. */
  get pc() {
    this.#settle();
    return this.get("pc");
  }

  set pc(value) {
    this.set("pc", value);
    for (const name of ["at_entry", "charged", "called", "exit"]) this.set(name, 0);
    this.hasEnded = false;
  }

  /** Whether an instruction may be carried out at pc: where the spec validates programs, only one of a valid one. */
  get mayRun() {
    if (!this.image.valid) return false;
    if (!this.get("validates")) return true;
    const pc = this.pc;
    if (pc >= this.get("code_length") || !this.bytes(this.get("starts") + pc, 1)[0]) return false;
    const opcode = this.bytes(this.get("code") + pc, 1)[0];
    return Boolean(this.bytes(this.abi.OPERANDS + opcode, 1)[0] & this.abi.VALID);
  }

  /** From now on run a translation where it can be entered; null: interpret. @param {Translation|null} translation */
  link(translation) {
    this.#settle();
    if (!translation) {
      this.#linked = null;
      return;
    }
    const { abi } = this;
    const imports = {};
    for (const name of [abi.GUEST_MEMORY, abi.ENGINE_MEMORY, abi.SBRK]) imports[name] = this.#exports[name];
    const module = translation.compiled ?? new WebAssembly.Module(translation.module);
    const instance = new WebAssembly.Instance(module, { pvm: imports });
    this.bytes(this.get("entries"), translation.jumps.length).set(translation.jumps);
    const [entries, resumes] = [pairs(translation.entries), pairs(translation.resumes)];
    this.#linked = { run: instance.exports[abi.RUN], entries, resumes };
  }

  get isLinked() {
    return this.#linked !== null;
  }

  /**
   * Run with at most `budget` gas. A block that costs more than the budget is not entered.
   *
   * @param {bigint} budget
   * @param {boolean} interprets whether to interpret although there is a translation
   * @returns {number} SLICE, or an exit code; STOPPED where nothing may run
   */
  advance(budget, interprets = false) {
    const gas = this.gas;
    const held = gas > budget ? gas - budget : 0n;
    this.gas = gas - held;
    try {
      const code = this.#advance(interprets);
      return code === this.abi.outOfGas && held ? SLICE : code;
    } finally {
      this.gas += held;
    }
  }

  /**
   * The same, or `advanceTo`, for a budget that is a Number.
   *
   * @param {number} budget
   * @param {Iterable<number>} breakpoints
   * @returns {number}
   */
  advanceBy(budget, breakpoints = []) {
    return this.advanceTo(BigInt(budget), breakpoints);
  }

  #advance(interprets) {
    const { abi } = this;
    const validates = this.get("validates") !== 0;
    for (;;) {
      if (validates && !this.mayRun) return abi.STOPPED;
      const code = this.#linked && !interprets ? this.#goOn() : this.#interpret(abi.RUN);
      if (code !== abi.STOPPED) return this.#took(code);
    }
  }

  /** Translated where that can be entered, else to the block's end. */
  #goOn() {
    const { entries, resumes, run } = this.#linked;
    const pc = this.get("pc");
    let entry;
    if (this.get("called")) entry = resumes.get(pc);
    else if (!(this.get("metering") && this.get("charged"))) entry = entries.get(pc);
    if (entry === undefined) return this.#exports[this.abi.FINISH]();
    this.set("entry", entry);
    this.set("at_entry", 1);
    const code = run();
    return code === this.abi.BAIL ? this.#exports[this.abi.FINISH]() : code;
  }

  #interpret(name) {
    this.#settle();
    return this.#exports[name]();
  }

  /** Where the state is that of an entry of the translation, say so by pc and flags. */
  #settle() {
    if (!this.get("at_entry")) return;
    const entry = this.get("entry");
    for (const [isCall, places] of [[0, this.#linked.entries], [1, this.#linked.resumes]]) {
      for (const [pc, found] of places) {
        if (found !== entry) continue;
        this.set("pc", pc);
        this.set("called", isCall);
        this.set("charged", isCall);
        this.set("at_entry", 0);
        return;
      }
    }
    throw new Error(`the translation has no entry ${entry}`);
  }

  /** Run one instruction. @returns {number} STOPPED when it did not end the run, else an exit code */
  step() {
    return this.#single(this.abi.STEP);
  }

  /** Run to the end of the basic block. @returns {number} as `step` */
  finishBlock() {
    return this.#single(this.abi.FINISH);
  }

  #single(name) {
    if (!this.mayRun) return this.abi.panic;
    return this.#took(this.#interpret(name));
  }

  #took(code) {
    this.set("exit", 0);
    this.hasEnded = this.#endings.has(code);
    return code;
  }

  /** What the exit with this code was. STOPPED where nothing may run is a panic. @returns {Exit} */
  exitOf(code) {
    const { abi } = this;
    const reason = abi.reasons.get(code === abi.STOPPED ? abi.panic : code);
    if (reason === undefined) throw new Error(`generated code left with ${code}`);
    if (code === abi.outOfGas && !this.image.gas_stays) this.gas = 0n;
    const isFault = code === abi.pageFault;
    const isCall = code === abi.hostCall;
    return {
      reason, pc: this.pc, gas: this.gas,
      address: isFault ? this.get("address") : null,
      call: isCall ? this.get("call") : null,
    };
  }

  /** After a halt: the r8 bytes from r7, none when the guest may not read all of them; at most `limit` of them. */
  result(limit = ADDRESS_SPACE) {
    const [address, length] = [this.registers[7], this.registers[8]];
    const isWithin = length && address + length <= BigInt(ADDRESS_SPACE);
    if (!isWithin || !this.memory.isReadable(Number(address), Number(length))) return new Uint8Array();
    return this.memory.read(Number(address), Math.min(Number(length), limit));
  }

  /** The record of a pc in the engine memory, 0 when there is none, and whether a block starts there. */
  recordAt(pc) {
    if (pc > this.get("code_length")) return { record: 0, isStart: false };
    const entry = this.#state.getUint32(this.get("index") + 4 * pc, true);
    return { record: (entry & ~1) >>> 0, isStart: Boolean(entry & 1) };
  }

  /**
   * Interpret with breakpoints: stops with BREAKPOINT before any of these pcs. The caller has stepped off the one
   * where the machine stands.
   *
   * @param {bigint} budget
   * @param {Iterable<number>} breakpoints
   */
  advanceTo(budget, breakpoints) {
    const places = [...breakpoints];
    if (!places.length) return this.advance(budget);
    const undo = [];
    for (const pc of places) this.#break(pc, undo);
    try {
      return this.advance(budget, true);
    } finally {
      for (const [address, handler] of undo.reverse()) this.bytes(address, 1)[0] = handler;
    }
  }

  #break(pc, undo) {
    const { abi } = this;
    const { record } = this.recordAt(pc);
    if (!record) return;
    const put = (at, handler) => {
      const place = at + abi.RECORD.handler;
      undo.push([place, this.bytes(place, 1)[0]]);
      this.bytes(place, 1)[0] = handler;
    };
    put(record, abi.BREAK);
    // The instruction before it must not be carried out together with it.
    const before = record - abi.RECORD.size;
    if (before < this.get("records") || this.bytes(before, 1)[0] === abi.BREAK) return;
    const beforePc = this.#state.getUint32(before + abi.RECORD.pc, true);
    if (this.recordAt(beforePc).record !== before) return;
    const [first, second] = [beforePc, pc].map((place) =>
      this.bytes(abi.HANDLERS + this.bytes(this.get("code") + place, 1)[0], 1)[0]);
    const pair = this.bytes(abi.PAIRS + 256 * first + second, 1)[0];
    // Any other handler stays: those of opcodes that are not marked, or lead nowhere, are not their opcode's.
    if (pair && this.bytes(before, 1)[0] === pair) put(before, first);
  }

  /** What `counts` collects, by pc: a live view, entries less exits (`pvm.emit.interpreter.dispatch`); null without counting. */
  get counts() {
    if (!this.#isCounting) return null;
    return new BigInt64Array(this.#engine.buffer, this.image.numbers.records, this.image.numbers.code_length + 1);
  }

  /** While `away`, what is carried out is not counted. */
  countAside(away) {
    if (!this.#isCounting) return;
    const { records, code_length: length } = this.image.numbers;
    this.set("counts", records + (away ? 8 * (length + 1) : 0));
  }
}

/** @param {Uint32Array} array @returns {Map<number, number>} */
function pairs(array) {
  const map = new Map();
  for (let at = 0; at < array.length; at += 2) map.set(array[at], array[at + 1]);
  return map;
}
