/** The selected instruction: its meaning, what it reads and writes with the values that these have now, its gas. */

import { afterPause, button, byId, h } from "./dom.mjs";
import { hex, hexAddress, plural, U64 } from "./format.mjs";

const KEPT = 500;

export class Explain {
  #known = new Map();
  #pc = -1;

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./listing.mjs").Listing} listing
   * @param {(address: number) => void} showMemory
   */
  constructor(model, listing, showMemory) {
    this.model = model;
    this.showMemory = showMemory;
    this.element = byId("explain");
    const ask = afterPause(60, () => this.#ask());
    listing.onselect((pc) => {
      this.#pc = pc;
      this.#show();
      ask();
    });
    model.on("program", () => {
      this.#known.clear();
      this.#pc = 0;
      this.#show();
      ask();
    });
    model.on("view state", () => this.#show());
    model.python.on("status", ({ ready }) => ready && this.#ask());
  }

  async #ask() {
    const { program, python } = this.model;
    const pc = this.#pc;
    if (!program || !program.has(pc) || this.#known.has(pc) || !python.status.ready) return;
    try {
      const explained = await program.ask("explain", { pc });
      if (program !== this.model.program) return;
      if (this.#known.size >= KEPT) this.#known.clear();
      this.#known.set(pc, explained);
    } catch (error) {
      this.#known.set(pc, { problem: error.message });
    }
    this.#show();
  }

  #show() {
    const { program, python, view } = this.model;
    if (!program || !program.has(this.#pc)) return this.element.replaceChildren();
    const line = program.line(program.numberOf(this.#pc));
    const explained = this.#known.get(this.#pc);
    const parts = [
      h(
        "p",
        { class: "instruction" },
        h("span", { class: "pc" }, `pc ${this.#pc}`),
        " ",
        h("code", null, line?.text.replace(/\s+/g, " ") ?? ""),
      ),
    ];
    parts.push(this.#moves());
    if (explained?.problem) parts.push(h("p", { class: "problem" }, explained.problem));
    else if (explained) parts.push(...this.#meaning(explained, view));
    else if (!python.status.ready)
      parts.push(
        h(
          "p",
          { class: "soft" },
          python.status.failed
            ? "Its meaning needs Python, which is not available."
            : "Its meaning comes with Python, which is loading.",
        ),
      );
    this.element.replaceChildren(...parts);
  }

  #moves() {
    const pc = this.#pc;
    const { model } = this;
    const exit = model.state === "running" ? null : model.view?.exit;
    const fault = exit?.reason === "page-fault" ? exit : null;
    return h(
      "p",
      { class: "line moves" },
      button(null, "Run to here", {
        title: "Run to this instruction (F6)",
        disabled: !model.canMove,
        onclick: () => model.run({ extra: [pc] }),
      }),
      button(null, "Go on here", {
        title: "Make this the next instruction: set pc",
        disabled: model.state === "running" || !model.view || model.view.pc === pc,
        onclick: () => this.#try(() => model.set({ pc })),
      }),
      fault
        ? button(null, "Map the page", {
            title: `Map the page at ${hexAddress(fault.address)} for reading and writing`,
            onclick: () => this.#try(() => model.map(fault.address, 4096, "rw")),
          })
        : null,
    );
  }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      this.model.problem(error);
    }
  }

  *#meaning(explained, view) {
    if (explained.call) yield h("p", null, `The host call ${explained.call}`);
    for (const effect of explained.meaning) yield h("p", { class: "meaning" }, h("code", null, effect));
    const values = h("dl", null);
    const seen = new Set();
    for (const access of [...(explained.reads ?? []), ...(explained.writes ?? [])]) {
      if (!view || seen.has(access.text)) continue;
      seen.add(access.text);
      const value =
        access.register === null || access.register === undefined
          ? this.#address(access, view)
          : `0x${hex(view.registers[access.register])}`;
      if (value) values.append(h("dt", null, access.text), h("dd", null, value));
    }
    if (values.childElementCount) yield values;
    const { block } = explained;
    const around = block ? `; its block: ${plural(block.instructions, "instruction")} from pc ${block.first_pc}` : "";
    const gas = this.model.settings.metering === "instruction" ? `, ${explained.gas} gas` : ""; // else of its block
    yield h("p", { class: "soft" }, `opcode ${explained.opcode}${gas}${around}`);
  }

  #address(access, view) {
    if (access.width === null || access.width === undefined) return null;
    const base = access.base === null || access.base === undefined ? 0n : view.registers[access.base];
    const address = Number((base + (access.offset ?? 0n)) & U64 & 0xffff_ffffn);
    return h(
      "button",
      { type: "button", class: "link", onclick: () => this.showMemory(address) },
      `${hexAddress(address)}, ${plural(access.width, "byte")}`,
    );
  }
}
