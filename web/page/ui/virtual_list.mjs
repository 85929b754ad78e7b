/**
 * A scrolling list of any number of rows of one height, of which only those in view are elements.
 *
 * Browsers limit how tall an element can be. Longer lists have a spacer of the greatest height: small scrolls move by
 * their own distance, a drag of the scroll bar moves in proportion.
 */

import { eachFrame } from "./frames.mjs";

const TALLEST = 8_000_000; // pixels, below the limit of every browser
const OVERSCAN = 6; // rows kept beyond either edge
const JUMP = 2_000; // pixels: a scroll by more than this is a drag of the scroll bar
const SETTLED = 200; // milliseconds after the last scroll, when the scroll bar is put to where it belongs

export class VirtualList {
  count = 0;
  #position = 0; // of the upper edge, in pixels of the whole list
  #scrollTop = 0; // that the list knows of
  #rows = [];
  #shown = []; // index that each row of the pool shows
  #settling = 0;
  #height = 0;

  /**
   * @param {HTMLElement} element that scrolls
   * @param {{rowHeight: number, create: () => HTMLElement, render: (row: any, index: number) => void, onrange?: () =>
   *   void}} options
   */
  constructor(element, options) {
    this.element = element;
    this.options = options;
    this.spacer = document.createElement("div");
    this.spacer.className = "spacer";
    element.append(this.spacer);
    this.#draw = eachFrame(() => this.#layout());
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(element);
    this.#height = element.clientHeight;
  }

  #draw;

  #resized() {
    this.#height = this.element.clientHeight;
    if (this.#height) this.moveTo(this.#position);
  }

  get #total() {
    return this.count * this.options.rowHeight;
  }

  get #lastPosition() {
    return Math.max(0, this.#total - this.#height);
  }

  /** The number of whole rows in view. */
  get page() {
    return Math.max(1, Math.floor(this.#height / this.options.rowHeight));
  }

  /** The first row in view, as a fraction. */
  get first() {
    return this.#position / this.options.rowHeight;
  }

  /** The list has `count` rows now, all to be rendered anew. */
  setCount(count) {
    this.count = count;
    this.spacer.style.height = `${Math.min(this.#total, TALLEST)}px`;
    this.#position = Math.min(this.#position, this.#lastPosition);
    this.#settle();
    this.refresh();
  }

  /** Renders the rows in view anew. */
  refresh() {
    this.#shown.fill(-1);
    this.#draw();
  }

  /** Whether row `index` is wholly in view. */
  sees(index) {
    const top = index * this.options.rowHeight;
    return top >= this.#position && top + this.options.rowHeight <= this.#position + this.#height;
  }

  /**
   * Brings row `index` into view: with "center" to its middle unless it is in view already, else by as little as it
   * takes.
   */
  show(index, place = "center") {
    if (index < 0 || index >= this.count || this.sees(index)) return;
    const { rowHeight } = this.options;
    const top = index * rowHeight;
    if (place === "center") this.moveTo(top - (this.#height - rowHeight) / 3);
    else if (place === "start" || top < this.#position) this.moveTo(top);
    else this.moveTo(top + rowHeight - this.#height);
  }

  /** Brings row `index` to the upper edge. */
  showFirst(index) {
    this.moveTo(index * this.options.rowHeight);
  }

  moveTo(position) {
    this.#position = Math.max(0, Math.min(this.#lastPosition, position));
    this.#settle();
    this.#draw();
  }

  /** Puts the scroll bar to where the position is. */
  #settle() {
    const spacer = Math.min(this.#total, TALLEST);
    const travel = Math.max(0, spacer - this.#height);
    const top =
      this.#total <= TALLEST ? this.#position : this.#lastPosition ? (this.#position / this.#lastPosition) * travel : 0;
    if (Math.abs(this.element.scrollTop - top) >= 1) this.element.scrollTop = top;
    this.#scrollTop = this.element.scrollTop;
  }

  #scrolled() {
    const top = this.element.scrollTop;
    if (top === this.#scrollTop) return;
    const moved = top - this.#scrollTop;
    this.#scrollTop = top;
    if (this.#total <= TALLEST) {
      this.#position = top;
    } else {
      const travel = TALLEST - this.#height;
      if (Math.abs(moved) > JUMP) this.#position = (top / travel) * this.#lastPosition;
      else this.#position = Math.max(0, Math.min(this.#lastPosition, this.#position + moved));
      if (top <= 0) this.#position = 0;
      else if (top >= travel - 1) this.#position = this.#lastPosition;
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => {
        this.#settle();
        this.#draw();
      }, SETTLED);
    }
    this.#draw();
  }

  #layout() {
    const { rowHeight, render, create } = this.options;
    const needed = Math.ceil(this.#height / rowHeight) + 2 * OVERSCAN;
    while (this.#rows.length < needed) {
      const row = create();
      row.style.height = `${rowHeight}px`;
      this.spacer.append(row);
      this.#rows.push(row);
      this.#shown.length = this.#rows.length;
      this.#shown.fill(-1);
    }
    const size = this.#rows.length;
    const first = Math.max(0, Math.floor(this.#position / rowHeight) - OVERSCAN);
    const shift = this.#scrollTop - this.#position;
    for (let index = first; index < first + size; index++) {
      const slot = index % size;
      const row = this.#rows[slot];
      const there = index < this.count;
      if (row.hidden !== !there) row.hidden = !there;
      if (!there) {
        this.#shown[slot] = -1;
        continue;
      }
      row.style.transform = `translateY(${index * rowHeight + shift}px)`;
      if (this.#shown[slot] !== index) {
        this.#shown[slot] = index;
        render(row, index);
      }
    }
    this.options.onrange?.();
  }
}
