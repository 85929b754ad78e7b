/** Programs from wherever they come: built examples (without Python), bytes of any kind, what the editor assembled. */

import { revive } from "../shared/workers.mjs";
import { Program } from "./program.mjs";

/**
 * @typedef {{name: string, data: Uint8Array, format: string, program?: Uint8Array}} Origin what Python opens the
 *   program from, under any version
 */

export class Opener {
  #examples = null;

  /** @param {import("./python.mjs").Python} python */
  constructor(python) {
    this.python = python;
  }

  /** @returns {Promise<import("./types.mjs").ExampleInfo[]>} */
  async examples() {
    this.#examples ??= fetchText("data/examples.json").then(revive);
    return this.#examples;
  }

  /** An example as the build has made it; under another version than the build's it is assembled. */
  async example(name, spec) {
    const built = revive(await fetchText(`data/examples/${name}.json`));
    const { opened, index } = built;
    const origin = originOf(opened);
    if (spec === undefined || spec === opened.spec) return new Program(opened, index, this.python, origin, built);
    return this.bytes(origin, spec, opened.example);
  }

  /**
   * @param {Origin} origin
   * @param {string} spec
   * @param {import("./types.mjs").ExampleInfo|null} example that it is known to be
   * @param {(progress: {fraction: number}) => void} onprogress
   */
  async bytes(origin, spec, example = null, onprogress = () => {}) {
    const opened = await this.python.call("open", { ...origin, spec }, { onprogress });
    return this.#indexed({ ...opened, example: opened.example ?? example }, origin);
  }

  /** What the editor has assembled; it draws where the program did from which it was made. */
  async assembled(opened, before) {
    const pixels = before?.opened.pixels ?? before?.opened.example?.pixels ?? null;
    return this.#indexed({ ...opened, pixels }, originOf(opened));
  }

  /** A program that Python has opened and keeps. */
  async known(opened) {
    return this.#indexed(opened, { name: opened.name, data: opened.data, format: opened.format });
  }

  async #indexed(opened, origin) {
    return new Program(opened, await this.python.call("index", { handle: opened.handle }), this.python, origin);
  }
}

/** @returns {Origin} */
function originOf({ name, source }) {
  return { name, data: new TextEncoder().encode(source), format: "asm" };
}

/** @param {string} path @returns {Promise<string>} */
export async function fetchText(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(`${path} could not be loaded: the page's server does not answer`);
  }
  if (!response.ok) throw new Error(`${path} could not be loaded (${response.status})`);
  return response.text();
}
