/** What a machine is made of: the interpreter's modules, and the image of the program with its settings. */

import { encodeArguments, startValues } from "./entry_arguments.mjs";
import { parseBytes, parseInteger, printable, toHex } from "./format.mjs";
import { fetchText } from "./opening.mjs";

const KEPT = 4; // images
const SHOWN_ARGS = 200; // bytes up to which arguments are shown as text
export const DEFAULT_GAS = "10000000";

const shared = { parts: null };

/**
 * The interpreter, compiled once.
 * @returns {Promise<{abi: object, interpreter: WebAssembly.Module, counting: WebAssembly.Module}>}
 */
export async function machineParts() {
  shared.parts ??= loadParts();
  try {
    return await shared.parts;
  } catch (error) {
    shared.parts = null;
    throw error;
  }
}

async function loadParts() {
  const [abi, interpreter, counting] = await Promise.all([
    fetchText("data/abi.json").then(JSON.parse),
    WebAssembly.compileStreaming(fetch("data/interpreter.wasm")),
    WebAssembly.compileStreaming(fetch("data/interpreter_counting.wasm")),
  ]);
  return { abi, interpreter, counting };
}

export class Images {
  #kept = new Map();

  clear() {
    this.#kept.clear();
  }

  /** The image for the settings: the built one where it is that, else from Python. Errors have `where`. */
  async of(program, settings) {
    const { opened, built } = program;
    const { metering } = settings;
    const { args, gas, pc } = checkSettings(program, settings);
    const { example } = opened;
    const asBuilt = built && example && pc === 0 && gas === BigInt(example.gas) && toHex(args) === example.args;
    if (asBuilt && built.images[metering]) return built.images[metering];
    const key = [opened.handle, metering, gas, pc, toHex(args)].join();
    if (!this.#kept.has(key)) {
      if (this.#kept.size >= KEPT) this.#kept.clear();
      this.#kept.set(key, await program.ask("image", { metering, args, gas, pc }));
    }
    return this.#kept.get(key);
  }
}

/** The image with other rights of pages. @param {[number, number, string|null][]} pages address, length, access */
export function withPages(image, pages) {
  const segments = pages.map(([address, length, access]) => ({ address, length, access, data: new Uint8Array() }));
  return { ...image, segments: [...image.segments, ...segments] };
}

/** The arguments, gas and pc that the settings mean. Throws an Error with `where` for what means nothing. */
export function checkSettings(program, settings) {
  const args = argsOf(settings);
  const gas = at("gas", () => parseInteger(settings.gas));
  return { args, gas, pc: at("pc", () => program.entry(settings.pc)) };
}

/** The bytes of the arguments. Throws with `where` if the text is none. @returns {Uint8Array} */
export function argsOf(settings) {
  return at("args", () => parseBytes(settings.args));
}

/** What a program starts with unless the user says otherwise. @param {import("./types.mjs").Opened} opened */
export function startOf({ trace, example, spec, format, start }) {
  if (trace) {
    const { args, gas, pc } = trace.start;
    return { args: args ? toHex(args) : "", gas: String(gas), pc: String(pc), spec };
  }
  if (start) return { args: "", gas: String(start.gas), pc: String(start.pc), spec };
  // A service panics without arguments, or faults where it reads them.
  const args = format === "jam" ? toHex(encodeArguments("refine", startValues("refine"))) : "";
  if (!example) return { args, gas: DEFAULT_GAS, pc: "0", spec };
  const bytes = parseBytes(example.args);
  const text = bytes.length <= SHOWN_ARGS ? printable(bytes) : null;
  return { args: text ? `"${text}"` : example.args, gas: String(example.gas), pc: "0", spec };
}

/** Runs `parse`; its error gets `where`. */
function at(where, parse) {
  try {
    return parse();
  } catch (error) {
    throw Object.assign(new Error(error.message), { where });
  }
}
