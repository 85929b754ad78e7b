/**
 * The 13 registers in hex, and what they mean: changes are marked, values can be edited while the machine is paused.
 */

import { byId, h, setText } from "./dom.mjs";
import { eachFrame } from "./frames.mjs";
import { editInPlace } from "./edit_in_place.mjs";
import { hex, parseValue, registerAlias, signed } from "./format.mjs";
import { recall, remember } from "./remembered.mjs";

const COUNT = 13;
const NOTHING = "\u00a0";
const FORMS = ["meaning", "unsigned", "signed"];
const FIRST_RESULT = (1n << 64n) - 16n; // values from here on may be results of host calls, such as NONE

export class Registers {
  #rows = [];
  #form = recall("registers", FORMS[0]);

  /** @param {import("./debugger.mjs").Debugger} model @param {(address: number) => void} showMemory */
  constructor(model, showMemory) {
    this.model = model;
    this.showMemory = showMemory;
    const body = byId("registers");
    for (let n = 0; n < COUNT; n++) body.append(this.#row(n));
    const heading = byId("registers-form");
    setText(heading, this.#form);
    heading.addEventListener("click", () => {
      this.#form = FORMS[(FORMS.indexOf(this.#form) + 1) % FORMS.length];
      remember("registers", this.#form);
      setText(heading, this.#form);
      this.#show();
    });
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
    const meaningCell = h("button", {
      type: "button",
      class: "value",
      tabIndex: -1,
      title: "Edit",
      onclick: () => this.#edit(n, "meaning"),
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
      h("td", { class: "meaning" }, meaningCell),
      h("td", { class: "go" }, link),
    );
    this.#rows.push({ row, hexCell, meaningCell });
    return row;
  }

  #show() {
    const { view, before } = this.model;
    for (let n = 0; n < COUNT; n++) {
      const { row, hexCell, meaningCell } = this.#rows[n];
      const value = view ? view.registers[n] : null;
      const old = view && before && before.registers[n] !== value ? before.registers[n] : null;
      row.classList.toggle("changed", old !== null);
      row.classList.toggle("zero", value === 0n);
      setText(hexCell, value === null ? NOTHING : hex(value, 16));
      hexCell.title = old === null ? "Edit (Enter)" : `It was ${hex(old, 16)}`;
      setText(meaningCell, value === null ? NOTHING : this.#say(value));
    }
  }

  /** A value as the column shows it: as a number, or as what it is likely to be. */
  #say(value) {
    if (this.#form === "unsigned") return String(value);
    if (this.#form === "signed") return String(signed(value));
    const { hostCalls, program } = this.model;
    const result = value >= FIRST_RESULT && hostCalls?.results.find(([, known]) => known === value);
    if (result) return `${signed(value)} ${result[0]}`;
    const inside = program?.opened.segments.find(
      ({ address, length }) => value >= BigInt(address) && value <= BigInt(address + length),
    );
    if (inside) return `→ ${inside.name}+0x${(value - BigInt(inside.address)).toString(16)}`;
    return String(signed(value));
  }

  #edit(n, form) {
    const { model } = this;
    if (!model.view || model.state === "running") return;
    const value = model.view.registers[n];
    editInPlace(this.#rows[n][`${form}Cell`], {
      label: `r${n}, ${form}`,
      value: form === "hex" ? "0x" + hex(value) : String(this.#form === "unsigned" ? value : signed(value)),
      apply: async (text) => {
        const wanted = parseValue(text);
        if (wanted !== value) await model.set({ registers: { [n]: wanted } });
      },
      problem: (text) => setText(byId("registers-problem"), text && `r${n}: ${text}`),
    });
  }
}
