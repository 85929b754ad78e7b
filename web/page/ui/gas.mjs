/** Why the selected instruction's block costs what it costs by 0.8.0's gas model: `pvm gas --block`. */

import { afterPause, byId, h, setText } from "./dom.mjs";
import { grouped, plural } from "./format.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 18;
const RUN = /(=+)|([.-]+)|([^=.-]+)/g;
const CLASSES = [null, "executes", "waits", null];

export class GasPanel {
  #lines = [];
  #marked = -1;
  #asked = "";
  #pc = 0;

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./tabs.mjs").Tabs} tabs
   * @param {import("./listing.mjs").Listing} listing
   */
  constructor(model, tabs, listing) {
    this.model = model;
    this.tabs = tabs;
    this.state = h("output", { class: "grow", "aria-live": "polite" });
    this.element = h("div", {
      class: "list wat",
      tabIndex: 0,
      role: "group",
      "aria-label": "Simulation of the selected block",
    });
    byId("panel-gas").append(h("div", { class: "panel-head" }, this.state), this.element);
    this.list = new VirtualList(this.element, {
      rowHeight: ROW,
      create: () => h("div", { class: "row" }),
      render: (row, index) => this.#render(row, index),
    });
    const ask = afterPause(120, () => this.#ask());
    listing.onselect((pc) => {
      this.#pc = pc;
      ask();
    });
    model.on("program", () => {
      this.#asked = "";
      this.#pc = 0;
      this.#show([], -1, "");
      ask();
    });
    tabs.on("shown", () => this.#ask());
    model.python.on("status", () => this.#ask());
  }

  async #ask() {
    const { program, python } = this.model;
    if (!program || !this.tabs.sees("gas")) return;
    if (!python.status.ready) {
      const text = python.status.failed
        ? "This needs Python, which is not available."
        : "The gas model comes with Python, which is loading.";
      setText(this.state, text);
      return;
    }
    const wanted = `${program.opened.handle} ${this.#pc}`;
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    try {
      const found = await program.ask("timeline", { pc: this.#pc });
      if (wanted !== this.#asked) return;
      const block = `The block from pc ${found.first_pc}, ${plural(found.instructions, "instruction")}`;
      this.#show(found.lines, found.marked, `${block}: ${grouped(found.cost)} gas; marked: what decides that`);
    } catch (error) {
      if (wanted === this.#asked) this.#show([], -1, error.message);
    }
  }

  #show(lines, marked, state) {
    this.#lines = lines;
    this.#marked = marked;
    setText(this.state, state);
    const widest = lines.reduce((most, line) => Math.max(most, line.length), 0);
    this.list.spacer.style.minWidth = `${widest + 4}ch`;
    if (lines.length) this.list.setCount(lines.length);
    else this.list.setCount(0);
    this.list.refresh();
    this.list.showFirst(0);
  }

  #render(row, index) {
    const line = this.#lines[index] ?? "";
    row.className = `row${index === this.#marked ? " marked" : ""}`;
    row.style.whiteSpace = "pre";
    // A row is the instruction's text, two blanks, and what happens in each cycle.
    const begin = line.search(/ {2,}D/);
    const parts = [line.slice(0, begin < 0 ? line.length : begin)];
    for (const match of line.slice(parts[0].length).matchAll(RUN)) {
      const kind = match.findIndex((group, i) => i > 0 && group !== undefined);
      parts.push(CLASSES[kind] === null ? match[0] : h("span", { class: CLASSES[kind] }, match[0]));
    }
    row.replaceChildren(...parts);
  }
}
