/**
 * The 13 registers in hex, unsigned and signed: changes are marked, values can be edited while the machine is paused.
 */

import { byId, h, setText } from "./dom.mjs";
import { eachFrame } from "./frames.mjs";
import { editInPlace } from "./edit_in_place.mjs";
import { hex, parseValue, registerAlias, signed } from "./format.mjs";

const COUNT = 13;
const NOTHING = "\u00a0";

export class Registers {
  #rows = [];

  /** @param {import("./debugger.mjs").Debugger} model @param {(address: number) => void} showMemory */
  constructor(model, showMemory) {
    this.model = model;
    this.showMemory = showMemory;
    const body = byId("registers");
    for (let n = 0; n < COUNT; n++) body.append(this.#row(n));
    model.on("view program", () => this.#show());
    model.on(
      "progress",
      eachFrame(() => this.#show()),
    );
    this.#show();
  }

  #row(n) {
    const hexCell = h("button", {
      type: "button",
      class: "value",
      title: "Edit (Enter)",
      onclick: () => this.#edit(n, "hex"),
    });
    const unsignedCell = h("button", {
      type: "button",
      class: "value",
      tabIndex: -1,
      onclick: () => this.#edit(n, "unsigned"),
    });
    const signedCell = h("button", {
      type: "button",
      class: "value",
      tabIndex: -1,
      onclick: () => this.#edit(n, "signed"),
    });
    const link = h(
      "button",
      {
        type: "button",
        class: "peek",
        title: "Show memory there",
        "aria-label": `Show memory at r${n}`,
        onclick: () => this.model.view && this.showMemory(Number(this.model.view.registers[n] & 0xffff_ffffn)),
      },
      "→",
    );
    const row = h(
      "tr",
      { "data-register": n },
      h("th", { scope: "row" }, `r${n}`, h("span", { class: "alias" }, registerAlias(n))),
      h("td", { class: "hex" }, hexCell),
      h("td", { class: "unsigned" }, unsignedCell),
      h("td", { class: "signed" }, signedCell),
      h("td", { class: "go" }, link),
    );
    this.#rows.push({ row, hexCell, unsignedCell, signedCell });
    return row;
  }

  #show() {
    const { view, before } = this.model;
    for (let n = 0; n < COUNT; n++) {
      const { row, hexCell, unsignedCell, signedCell } = this.#rows[n];
      const value = view ? view.registers[n] : null;
      const negative = value !== null && signed(value) < 0n;
      row.classList.toggle("changed", Boolean(view && before && before.registers[n] !== value));
      row.classList.toggle("zero", value === 0n);
      row.classList.toggle("negative", negative);
      setText(hexCell, value === null ? NOTHING : hex(value, 16));
      setText(unsignedCell, value === null ? NOTHING : String(value));
      setText(signedCell, value === null ? NOTHING : String(signed(value)));
    }
  }

  #edit(n, form) {
    const { model } = this;
    if (!model.view || model.state === "running") return;
    const value = model.view.registers[n];
    editInPlace(this.#rows[n][`${form}Cell`], {
      label: `r${n}, ${form}`,
      value: form === "hex" ? "0x" + hex(value) : String(form === "signed" ? signed(value) : value),
      apply: async (text) => {
        const wanted = parseValue(text);
        if (wanted !== value) await model.set({ registers: { [n]: wanted } });
      },
      problem: (text) => setText(byId("registers-problem"), text && `r${n}: ${text}`),
    });
  }
}
