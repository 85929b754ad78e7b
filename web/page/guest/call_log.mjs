/** The host calls of a run: those made up to now, and those that were made later and are kept. */

import { compare } from "./positions.mjs";

const LONGEST = 10_000; // entries that are kept

export class CallLog {
  #past = [];
  #future = [];

  get length() {
    return this.#past.length;
  }

  get last() {
    return this.#past.at(-1);
  }

  /** Whether some calls were left out, because there were too many. */
  get isCut() {
    return this.#past.length > 0 && this.last.index >= this.#past.length;
  }

  /**
   * The last entry is the call made at `position`, also where others before it are left out.
   *
   * @param {import("./positions.mjs").Position} position
   * @param {number} answered how many calls were answered before
   * @param {object} call what is noted of it
   */
  note(position, answered, call) {
    const isFull = this.#past.length >= LONGEST;
    if (isFull || (this.last && compare(this.last.position, position) === 0)) this.#past.pop();
    const index = Math.max((this.last?.index ?? -1) + 1, answered);
    const entry = { index, ...call, position, answer: null, pending: null };
    this.#past.push(entry);
    while (this.#future.length && compare(this.#future[0].position, position) <= 0) this.#future.shift();
    return entry;
  }

  /** The machine went to a position; what came after stays known. */
  moved(position) {
    const all = [...this.#past, ...this.#future];
    const at = all.findIndex((entry) => compare(entry.position, position) > 0);
    this.#past = at < 0 ? all : all.slice(0, at);
    this.#future = at < 0 ? [] : all.slice(at);
  }

  /** What was made later is forgotten. */
  cut() {
    this.#future = [];
  }

  /** The entry with an index, also a later one. */
  find(index) {
    return [...this.#past, ...this.#future].find((entry) => entry.index === index);
  }

  /** Entries without when they were. */
  plain(from = 0) {
    return this.#past.slice(from).map(plain);
  }

  /** The later ones. */
  later() {
    return this.#future.map(plain);
  }

  /** Where all are on the line of time. */
  marks() {
    const mark = (isLater) => ({ index, number, used, text }) => ({ index, number, used, text, later: isLater });
    return [...this.#past.map(mark(false)), ...this.#future.map(mark(true))];
  }
}

const plain = ({ position, pending, used, ...entry }) => entry;
