/** What stands there for all panels to look at: the program, the machine's last view, breakpoints. Moves nothing. */

import { Guest } from "./guest.mjs";
import { sentence } from "./words.mjs";

export class Standing extends Guest {
  /** @type {import("./program.mjs").Program|null} */
  program = null;
  /** @type {import("./types.mjs").View|null} */
  view = null;
  /** The view before, to tell what changed. @type {import("./types.mjs").View|null} */
  before = null;
  /** @type {"empty"|"loading"|"running"|"paused"|"ended"} */
  state = "empty";
  /** @type {Set<number>} */
  breakpoints = new Set();
  answersFromTrace = true;

  /** Whether nothing has run yet. */
  get atStart() {
    return this.view !== null && !this.view.can_back && this.view.exit === null;
  }

  /** Whether a recorded run has been replayed to its end, with no difference. */
  get replays() {
    const { view } = this;
    return Boolean(
      this.program?.opened.trace &&
      this.answersFromTrace &&
      view?.exit &&
      view.exit.reason !== "host-call" &&
      !view.divergence,
    );
  }

  /** Whether the machine stands at a host call that waits for an answer. */
  get atCall() {
    return this.state === "paused" && this.view?.exit?.reason === "host-call";
  }

  /** Whether that call has an answer already, from the trace or because it is `log`: moving on gives it. */
  get answerIsKnown() {
    return this.atCall && Boolean(this.view.pending);
  }

  toggleBreakpoint(pc) {
    if (!this.breakpoints.delete(pc)) this.breakpoints.add(pc);
    this.emit("breakpoints");
  }

  clearBreakpoints() {
    this.breakpoints.clear();
    this.emit("breakpoints");
  }

  /** Says what went wrong, beside what caused it where that is known. @param {any} error */
  problem(error) {
    this.emit("problem", { where: error.where ?? null, message: sentence(error.message || String(error)) });
  }
}
