/** The bytes of the pages that are shown, fetched when needed, and which of them the last step has changed. */

const PAGE = 4096;
const KEPT = 128;

export class MemoryPages {
  #pages = new Map(); // address → {bytes, changed, version}
  #asked = new Set();
  #version = 0;

  /** @param {(address: number, length: number) => Promise<{bytes: Uint8Array}>} read @param {() => void} onload */
  constructor(read, onload) {
    this.read = read;
    this.onload = onload;
  }

  /** Another machine: nothing is known. */
  clear() {
    this.#pages.clear();
    this.#version++;
  }

  /** The machine has moved: what is shown is read again, and compared. */
  stale() {
    this.#version++;
  }

  /**
   * The page around `address`, as far as it is known; a newer state of it is asked for.
   * @returns {{bytes: Uint8Array, changed: Uint8Array|null}|null}
   */
  page(address) {
    const start = address - (address % PAGE);
    const page = this.#pages.get(start) ?? null;
    if (page?.version !== this.#version && !this.#asked.has(start)) this.#fetch(start, page);
    return page;
  }

  async #fetch(start, before) {
    this.#asked.add(start);
    const version = this.#version;
    try {
      const { bytes } = await this.read(start, Math.min(PAGE, 2 ** 32 - start));
      if (this.#pages.size >= KEPT) this.#pages.delete(this.#pages.keys().next().value);
      this.#pages.set(start, { bytes, changed: before ? differences(before.bytes, bytes) : null, version });
    } catch {
      // The worker was ended: its successor is asked when the machine is loaded.
    }
    this.#asked.delete(start);
    this.onload();
  }
}

function differences(before, after) {
  let changed = null;
  for (let i = 0; i < after.length; i++) {
    if (before[i] !== after[i]) (changed ??= new Uint8Array(after.length))[i] = 1;
  }
  return changed;
}
