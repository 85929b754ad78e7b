/** The form that answers a host call by hand: registers, memory, gas, or the end of the run. */

import { button, h, select, setText } from "./dom.mjs";
import { parseAddress, parseBytes, parseInteger, parseValue } from "./format.mjs";

export class AnswerForm {
  #writes = [];

  /** @param {import("./debugger.mjs").Debugger} model */
  constructor(model) {
    this.model = model;
    const text = (id, label, placeholder) =>
      h("input", {
        id,
        type: "text",
        placeholder,
        "aria-label": label,
        autocomplete: "off",
        spellcheck: false,
        size: 12,
      });
    this.r7 = text("answer-r7", "r7", "number");
    this.r7.setAttribute("list", "answer-results");
    this.r8 = text("answer-r8", "r8", "as it is");
    this.gas = text("answer-gas", "Gas", "as it is");
    this.end = select(
      [
        ["", "goes on"],
        ["halt", "halts"],
        ["panic", "panics"],
        ["out-of-gas", "is out of gas"],
      ],
      "",
      { id: "answer-end", "aria-label": "After the call the program" },
    );
    this.rows = h("div", { class: "writes" });
    this.results = h("datalist", { id: "answer-results" });
    this.problem = h("output", { class: "problem", "aria-live": "polite" });
    const labelled = (name, control) =>
      h("label", { class: "field" }, h("span", { class: "field-name" }, name), control);
    this.element = h(
      "form",
      {
        class: "answer-form",
        onsubmit: (event) => {
          event.preventDefault();
          this.#answer(true);
        },
      },
      this.results,
      h(
        "div",
        { class: "line" },
        labelled("r7", this.r7),
        labelled("r8", this.r8),
        labelled("gas", this.gas),
        labelled("then it", this.end),
      ),
      this.rows,
      h(
        "div",
        { class: "line" },
        button("run", "Answer and run", { type: "submit", class: "primary", id: "answer-run" }),
        button("step", "Answer", { id: "answer-stay", onclick: () => this.#answer(false) }),
        button(null, "+ memory", { class: "quiet", onclick: () => this.#addWrite() }),
        this.problem,
      ),
    );
  }

  /** Empties the form for call `number`: unknown calls are answered WHAT by default. */
  show(number) {
    this.r7.value = Number(number) === 0 ? String(this.model.view.gas) : "WHAT";
    const options = this.model.hostCalls.results.map(([name, value]) => h("option", { value: name }, String(value)));
    this.results.replaceChildren(...options);
    for (const input of [this.r8, this.gas, this.end]) input.value = "";
    this.#writes = [];
    this.rows.replaceChildren();
    setText(this.problem, "");
  }

  #addWrite() {
    const input = (placeholder, label, size) =>
      h("input", { type: "text", placeholder, "aria-label": label, autocomplete: "off", spellcheck: false, size });
    const write = {
      address: input("address", "Address to write to", 12),
      bytes: input('hex, or "text"', "Bytes to write", 28),
    };
    this.#writes.push(write);
    this.rows.append(h("div", { class: "line" }, write.address, write.bytes));
    write.address.focus();
  }

  #value(name, text) {
    const known = this.model.hostCalls.results.find(([result]) => result === text.trim().toUpperCase());
    try {
      return known ? known[1] : parseValue(text);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
  }

  async #answer(goOn) {
    setText(this.problem, "");
    let answer;
    try {
      answer = {
        registers: {
          7: this.#value("r7", this.r7.value),
          ...(this.r8.value.trim() ? { 8: this.#value("r8", this.r8.value) } : {}),
        },
        writes: this.#writes
          .filter(({ address }) => address.value.trim())
          .map(({ address, bytes }) => ({ address: parseAddress(address.value), bytes: parseBytes(bytes.value) })),
        gas: this.gas.value.trim() ? parseInteger(this.gas.value) : null,
        end: this.end.value || null,
      };
    } catch (error) {
      return setText(this.problem, error.message);
    }
    await this.model.answer(answer);
    if (goOn) await this.model.run();
  }
}
