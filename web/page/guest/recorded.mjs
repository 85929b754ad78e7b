/** A recorded run beside the one that is made: answers from it, and where the two part. Out: the first difference. */

import { callDifference, endDifference, recordedAnswer } from "./calls.mjs";
import { compare } from "./positions.mjs";

export class Recorded {
  /** The first difference, and when it was found. */
  #divergence = null;

  /** @param {{trace: object, verify?: boolean}} answers */
  constructor({ trace, verify = true }) {
    this.trace = trace;
    this.verify = verify;
  }

  /** The answer to the call with so many before it; null when that is not recorded. */
  answer(number) {
    return recordedAnswer(this.trace.calls[number]);
  }

  /** The difference, with `used`, gas up to it; null when there is none. */
  get divergence() {
    return this.#divergence;
  }

  /** What a view at a position says of it. */
  shownAt(position) {
    if (!this.#divergence || compare(position, this.#divergence.position) < 0) return null;
    const { call, line, message } = this.#divergence;
    return { call, line, message };
  }

  /** What came after a position is forgotten. */
  cut(position) {
    if (this.#divergence && compare(position, this.#divergence.position) < 0) this.#divergence = null;
  }

  /** Whether a call is as recorded. Only the first difference is told: who goes on wants to see where that leads. */
  verifyCall(machine, at, number, position, used) {
    const { calls, end } = this.trace;
    if (this.#isPast(position) || (!calls[at] && this.#isOpen)) return true;
    const message = callDifference(calls[at], number, machine);
    if (message) this.#divergence = { call: at, line: (calls[at] ?? end).line, message, position, used };
    return !message;
  }

  /** Whether the run ended as recorded. */
  verifyEnd(machine, at, exit, position, used) {
    const { calls, end } = this.trace;
    if (this.#isPast(position) || (!calls[at] && this.#isOpen)) return true;
    const message = endDifference(this.trace, calls[at], exit, machine);
    const line = (calls[at] ?? end).line;
    if (message) this.#divergence = { call: calls[at] ? at : null, line, message, position, used };
    return !message;
  }

  /** Whether the record ends at a call: what comes then is not told. */
  get #isOpen() {
    return this.trace.end.reason === "host-call";
  }

  /** Whether the two runs had parted before. */
  #isPast(position) {
    return !this.verify || (this.#divergence !== null && compare(position, this.#divergence.position) > 0);
  }
}
