/** How much a program runs at a time: as much as takes a few milliseconds, within a budget, at a pace. */

const FIRST = 1n << 14n; // gas of the first slice; then as much as takes TIME
const TIME = 6; // milliseconds
const NAP = 50; // milliseconds of waiting between two looks at whether to stop

export class Slices {
  #slice = FIRST;
  #most;

  /** @param {number|null} pace gas a second @param {bigint|null} left gas that may be used in all */
  constructor(pace, left) {
    this.pace = pace;
    this.left = left;
    this.#most = pace ? BigInt(Math.max(1, Math.round((pace * TIME) / 1000))) : null;
  }

  get isOver() {
    return this.left !== null && this.left <= 0n;
  }

  /** Gas for the next slice. @param {bigint|null} room gas that there is for another reason; null: any amount */
  next(room) {
    let granted = this.#slice;
    for (const bound of [this.left, this.#most, room]) if (bound !== null && bound < granted) granted = bound;
    return granted;
  }

  /** What came of it. Whether a block costs more than what is left. */
  ran(isSlice, used, took, granted) {
    if (this.left !== null) this.left -= used;
    if (isSlice && used === 0n) {
      this.#slice *= 2n; // a block that costs more
      if (this.#most) this.#most *= 2n;
      return this.left !== null && granted === this.left;
    }
    if (took < TIME / 2 && used * 2n > this.#slice) this.#slice *= 2n;
    else if (took > TIME * 2 && this.#slice > FIRST) this.#slice /= 2n;
    return false;
  }

  /** Wait for as long as so much gas would have taken at the pace. @param {() => boolean} isOver */
  async wait(used, took, isOver) {
    if (!this.pace) return;
    const end = performance.now() + (Number(used) * 1000) / this.pace - took;
    for (let now = performance.now(); now < end && !isOver(); now = performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(end - now, NAP)));
    }
  }
}
