/** An opened program as the panels see it: its instructions by number, windows of its listing, its handle in Python. */

import { parseAddress, plural, typed } from "./format.mjs";

const CHUNK = 256; // lines asked for at a time
const MAX_CHUNKS = 400; // kept

export const KIND = { straight: 0, jump: 1, dynamic: 2, call: 3, trap: 4, load: 5, store: 6 };

export class Program {
  #python;
  #handle;
  #chunks = new Map();
  #asked = new Set();
  /** Called when lines have arrived. @type {() => void} */
  onlines = () => {};

  /**
   * @param {import("./types.mjs").Opened} opened
   * @param {object} index as Python's `index` returns it
   * @param {import("./python.mjs").Python} python
   * @param {import("./opening.mjs").Origin} origin
   * @param {{lines: import("./types.mjs").Line[], images: object, translations: object}|null} built what the build
   *   made, if it did
   */
  constructor(opened, index, python, origin, built = null) {
    this.opened = opened;
    this.origin = origin;
    this.built = built;
    this.#python = python;
    this.#handle = built ? null : Promise.resolve(opened.handle);
    this.pcs = typed(index.pcs, Uint32Array);
    this.block = typed(index.block, Uint8Array);
    this.targets = typed(index.targets, Int32Array);
    this.kinds = typed(index.kinds, Uint8Array);
    /** @type {Map<number, string>} */
    this.labels = new Map(index.labels);
    for (let chunk = 0; built && chunk * CHUNK < built.lines.length; chunk++) {
      this.#chunks.set(chunk, built.lines.slice(chunk * CHUNK, (chunk + 1) * CHUNK));
    }
  }

  /** How many instructions there are. */
  get count() {
    return this.pcs.length;
  }

  /** Whether everything shown is there without Python. */
  get isBuilt() {
    return this.built !== null;
  }

  /**
   * The number of the instruction at `pc`, or of the one that contains it; -1 in an empty program.
   * @param {number} pc
   */
  numberOf(pc) {
    let low = 0,
      high = this.pcs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.pcs[middle] <= pc) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Whether an instruction begins at `pc`. @param {number} pc */
  has(pc) {
    const number = this.numberOf(pc);
    return number >= 0 && this.pcs[number] === pc;
  }

  /** "l78" or "pc 78" @param {number} pc */
  nameOf(pc) {
    return this.labels.get(pc) ?? `pc ${pc}`;
  }

  /** The pc of a label, or a number as a pc, that `text` names; null if there is none. @param {string} text */
  find(text) {
    const wanted = text.trim().toLowerCase();
    for (const [pc, name] of this.labels) if (name.toLowerCase() === wanted) return pc;
    const pc = /^(0x[0-9a-f]+|\d+)$/.test(wanted) ? Number(wanted) : NaN;
    return pc <= (this.pcs.at(-1) ?? -1) ? pc : null;
  }

  /** The pc that a text means where the program is to be entered: a number, or a label. Throws an Error for others. */
  entry(text) {
    const wanted = text.trim().toLowerCase();
    const named = this.opened.entry_points.find(({ name }) => name.toLowerCase() === wanted);
    if (named) return named.pc;
    for (const [pc, name] of this.labels) if (name.toLowerCase() === wanted) return pc;
    if (/^[a-z_]\w*$/i.test(wanted)) throw new Error(`there is no label "${text.trim()}"`);
    return parseAddress(text);
  }

  /** What is odd about entering the program at a pc; "" if nothing is. */
  doubt(pc) {
    if (this.has(pc)) return "";
    const inside = pc < this.opened.code_length;
    const code = `outside of the code, which has ${plural(this.opened.code_length, "byte")}`;
    return `pc ${pc} is ${inside ? "in the middle of an instruction" : code}`;
  }

  /** The program's handle in Python, where it is opened when that is needed first. @returns {Promise<string>} */
  handle() {
    this.#handle ??= this.#reopen();
    return this.#handle;
  }

  async #reopen() {
    try {
      return (await this.#python.call("open", { ...this.origin, spec: this.opened.spec })).handle;
    } catch (error) {
      this.#handle = null;
      throw error;
    }
  }

  /** Forgets the handle: Python was started anew. */
  lose() {
    this.#handle = null;
    this.#asked.clear();
  }

  /** Asks Python with this program's handle; opens it anew if Python has let it go. */
  async ask(method, params, options) {
    try {
      return await this.#python.call(method, { handle: await this.handle(), ...params }, options);
    } catch (error) {
      if (error.where !== "handle") throw error;
      this.#handle = null;
      return this.#python.call(method, { handle: await this.handle(), ...params }, options);
    }
  }

  /**
   * Line `number`, or null when it is not here yet: then it is asked for, and `onlines` called.
   * @returns {import("./types.mjs").Line|null}
   */
  line(number) {
    const chunk = Math.floor(number / CHUNK);
    const lines = this.#chunks.get(chunk);
    if (lines) return lines[number - chunk * CHUNK] ?? null;
    if (!this.#asked.has(chunk)) this.#fetch(chunk);
    return null;
  }

  async #fetch(chunk) {
    this.#asked.add(chunk);
    try {
      const lines = await this.ask("lines", { first: chunk * CHUNK, count: CHUNK });
      if (this.#chunks.size >= MAX_CHUNKS) this.#chunks.delete(this.#chunks.keys().next().value);
      this.#chunks.set(chunk, lines);
    } catch {
      // The rows stay as they are, with their pcs; they are asked for again when they are shown again.
    }
    this.#asked.delete(chunk);
    this.onlines();
  }
}
