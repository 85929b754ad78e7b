/**
 * The whole program as a strip: where instructions were spent, breakpoints, the current instruction, what is in view.
 */

import { eachFrame } from "./frames.mjs";

const ROW = 20;

export class Minimap {
  #heat = new Float32Array(0); // by pixel row
  #room = 0; // pixels of height
  #source = { counts: new Float64Array(0), most: 1 };

  /** @param {HTMLElement} element with a canvas in it @param {import("./listing.mjs").Listing} listing */
  constructor(element, listing) {
    this.element = element;
    this.listing = listing;
    this.canvas = element.querySelector("canvas");
    /** @type {HTMLElement} */
    this.window = element.querySelector(".window");
    this.draw = eachFrame(() => this.#draw());
    this.spread = eachFrame(() => {
      this.#spread();
      this.draw();
    });
    new ResizeObserver(() => {
      this.#room = element.clientHeight;
      this.#spread();
      this.draw();
      this.drawWindow();
    }).observe(element);
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      this.#go(event);
    });
    element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && this.#go(event));
  }

  /** Another program: nothing is known of it. */
  clear() {
    this.setHeat(new Float64Array(0), 1);
    this.drawWindow();
  }

  setHeat(counts, most) {
    this.#source = { counts, most };
    this.spread();
  }

  /** The height in which the program is drawn: short programs do not fill the strip. */
  get #height() {
    return Math.min(this.#room, (this.listing.program?.count ?? 0) * ROW);
  }

  #spread() {
    const height = Math.ceil(this.#height);
    this.#heat = new Float32Array(height);
    const { counts, most } = this.#source;
    if (!height || !counts.length) return;
    for (let number = 0; number < counts.length; number++) {
      if (!counts[number]) continue;
      const y = Math.floor((number / counts.length) * height);
      if (counts[number] > this.#heat[y]) this.#heat[y] = counts[number];
    }
    const thick = Math.max(1, Math.ceil(height / counts.length));
    for (let y = height - 1; y >= 0; y--) {
      if (!this.#heat[y]) continue;
      const heat = Math.log1p(this.#heat[y]) / Math.log1p(most);
      this.#heat.fill(heat, y, y + thick);
    }
  }

  #go(event) {
    const { program, list } = this.listing;
    if (!program || !this.#height) return;
    const share = (event.clientY - this.element.getBoundingClientRect().top) / this.#height;
    list.showFirst(Math.round(share * program.count - list.page / 2));
  }

  #draw() {
    const {
      canvas,
      listing: { program, current, model },
    } = this;
    const width = this.element.clientWidth,
      height = this.element.clientHeight;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!program || !width) return;
    const style = getComputedStyle(canvas);
    context.fillStyle = style.getPropertyValue("--hot");
    this.#heat.forEach((heat, y) => {
      if (!heat) return;
      context.globalAlpha = 0.15 + 0.85 * heat;
      context.fillRect(3, y, width - 6, 1);
    });
    context.globalAlpha = 1;
    const at = (number) => (number / program.count) * this.#height;
    const thick = Math.max(2, Math.min(ROW, this.#height / program.count));
    context.fillStyle = style.getPropertyValue("--stop");
    for (const pc of model.breakpoints) context.fillRect(0, at(program.numberOf(pc)), 4, Math.min(4, thick));
    context.fillStyle = style.getPropertyValue("--mark");
    if (current >= 0) context.fillRect(0, at(current) + thick / 2 - 1, width, 2);
  }

  /** Shows what is in view, in the frame in which that has changed. */
  drawWindow() {
    const { program, list } = this.listing;
    const share = program?.count ? this.#height / program.count : 0;
    this.window.hidden = !program || program.count <= list.page;
    this.window.style.transform = `translateY(${list.first * share}px)`;
    this.window.style.height = `${Math.min(this.#height, Math.max(6, (list.page + 1) * share))}px`;
  }
}
