/** The WebAssembly that the recompiler makes of the selected instruction's block. */

import { afterPause, byId, h, setText } from "./dom.mjs";
import { plural } from "./format.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 18;
const ROOM = 100; // characters beyond the longest line, so that any indentation can be scrolled away
const LONGEST = 400; // characters shown of a line
const TOKEN = /(;;.*$)|("[^"]*")|(\$[\w.]+)|([a-z][\w.]*)|(-?0x[0-9a-f]+|-?\d+)|(.)/g;
const CLASSES = [null, "comment", "string", "name", "word", "number", null];

export class Wat {
  #lines = [];
  #range = [0, 0];
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
      "aria-label": "WebAssembly of the selected block",
    });
    byId("panel-wat").append(h("div", { class: "panel-head" }, this.state), this.element);
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
      this.#show([], [0, 0], "");
      ask();
    });
    model.on("settings", ask);
    tabs.on("shown", () => this.#ask());
    model.python.on("status", () => this.#ask());
  }

  async #ask() {
    const {
      program,
      python,
      settings: { metering },
    } = this.model;
    if (!program || !this.tabs.sees("wat")) return;
    if (!python.status.ready) {
      setText(
        this.state,
        python.status.failed
          ? "This needs Python, which is not available."
          : "The recompiler comes with Python, which is loading.",
      );
      return;
    }
    const pc = this.#pc;
    const wanted = `${program.opened.handle} ${metering} ${pc}`;
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    if (!this.#lines.length) setText(this.state, "Translating …");
    try {
      const { text, region, block, first_line: first, end_line: end } = await program.ask("wat", { metering, pc });
      if (wanted !== this.#asked) return;
      const lines = text.trimEnd().split("\n");
      this.#show(
        lines,
        [first, end],
        `Region ${region}, ${plural(lines.length, "line")}; marked: the block from pc ${block.first_pc}`,
      );
    } catch (error) {
      if (wanted === this.#asked) this.#show([], [0, 0], error.message);
    }
  }

  #show(lines, range, state) {
    const same = lines.length === this.#lines.length && lines.every((line, i) => line === this.#lines[i]);
    this.#lines = lines;
    this.#range = range;
    setText(this.state, state);
    const widest = lines.reduce((most, line) => Math.max(most, line.length), 0);
    this.list.spacer.style.minWidth = `${Math.min(widest, LONGEST) + ROOM}ch`;
    if (same) this.list.refresh();
    else this.list.setCount(lines.length);
    if (!lines.length) return;
    this.list.showFirst(Math.max(0, range[0] - 3));
  }

  #render(row, index) {
    const [first, end] = this.#range;
    const line = this.#lines[index];
    row.className = `row${index >= first && index < end ? " marked" : ""}`;
    const parts = [];
    let plain = "";
    for (const match of line.slice(0, LONGEST).matchAll(TOKEN)) {
      const kind = match.findIndex((group, i) => i > 0 && group !== undefined);
      if (CLASSES[kind] === null) {
        plain += match[0];
        continue;
      }
      if (plain) parts.push(plain);
      plain = "";
      parts.push(h("span", { class: CLASSES[kind] }, match[0]));
    }
    row.replaceChildren(...parts, plain);
  }
}
