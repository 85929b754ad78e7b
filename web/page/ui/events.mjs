/** Something that others listen to. */
export class Emitter {
  #listeners = new Map();

  /** @param {string} names one or several, with spaces between @param {(value: any) => void} listener */
  on(names, listener) {
    for (const name of names.split(" ")) {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    }
  }

  /** @param {string} name @param {any} [value] */
  emit(name, value) {
    for (const listener of this.#listeners.get(name) ?? []) listener(value);
  }
}
