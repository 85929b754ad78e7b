/** Host calls: the log, an answer by hand to the one that waits, answers from a trace, and the recorder. */

import { AnswerForm } from "./answer_form.mjs";
import { button, byId, download, h, setText } from "./dom.mjs";
import { grouped, plural, printable, toHex } from "./format.mjs";
import { divergenceText } from "./host_calls.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 22;
const PEEKED = 256; // bytes of memory shown of a call that waits

export class Calls {
  #log = [];
  #selected = -1;
  #fresh = 0;

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./tabs.mjs").Tabs} tabs
   * @param {(address: number) => void} showMemory
   */
  constructor(model, tabs, showMemory, openFile) {
    this.model = model;
    this.tabs = tabs;
    this.showMemory = showMemory;
    this.form = new AnswerForm(model);
    this.waiting = h("div", { class: "waiting", hidden: true });
    this.list = h("div", {
      class: "list calls",
      tabIndex: 0,
      role: "listbox",
      "aria-label": "Host calls that were made",
    });
    this.detail = h("div", { class: "detail", hidden: true });
    this.empty = h(
      "p",
      { class: "empty" },
      "No host call yet. Calls stop the program: answer them here, or open an ecalli trace that does.",
    );
    this.count = h("span", { class: "grow" });
    this.fromTrace = h("input", { type: "checkbox", checked: true });
    this.fromTrace.addEventListener("change", () => {
      model.answerFromTrace(this.fromTrace.checked);
    });
    this.traceField = h(
      "label",
      { class: "field", hidden: true },
      this.fromTrace,
      h("span", null, "answers from the trace"),
    );
    this.save = button("save", "Save trace", {
      class: "quiet",
      id: "save-trace",
      title: "Save the calls and their answers as an ecalli trace",
      onclick: () => this.#save(),
    });
    this.problem = h("output", { class: "problem", "aria-live": "polite" });
    this.divergence = h("p", { class: "divergence", role: "alert", hidden: true });
    byId("panel-calls").append(
      h(
        "div",
        { class: "panel-head" },
        this.count,
        this.traceField,
        button("open", "Open trace …", { class: "quiet", onclick: openFile }),
        this.save,
        this.problem,
      ),
      this.divergence,
      this.waiting,
      h("div", { class: "calls-area" }, this.list, this.empty, this.detail),
    );
    this.rows = new VirtualList(this.list, {
      rowHeight: ROW,
      create: () => this.#create(),
      render: (row, index) => this.#render(row, index),
    });
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.#select(Number(row.dataset.index));
    });
    this.list.addEventListener("keydown", (event) => {
      const to = { ArrowDown: this.#selected + 1, ArrowUp: this.#selected - 1, Home: 0, End: this.#log.length - 1 }[
        event.key
      ];
      if (to === undefined) return;
      event.preventDefault();
      this.#select(Math.max(0, Math.min(this.#log.length - 1, to)));
    });
    model.on("program", (program) => this.#program(program));
    model.on("view", () => this.#moved());
    model.on("progress", ({ log }) => log?.length && this.#add(log));
    model.on("state", () => this.#waits());
    tabs.on("shown", (name) => {
      if (name === "calls") this.#badge(0);
    });
  }

  nameOf(call) {
    return this.model.hostCalls.nameOf(call);
  }

  #program(program) {
    this.traceField.hidden = !program.opened.trace;
    this.fromTrace.checked = this.model.answersFromTrace;
    this.#set([]);
  }

  async #moved() {
    const { view } = this.model;
    setText(this.divergence, view.divergence ? divergenceText(view.divergence) : "");
    this.divergence.hidden = !view.divergence;
    try {
      this.#set(await this.model.log());
    } catch {
      this.#set([]);
    }
  }

  #add(entries) {
    const last = this.#log.at(-1)?.index ?? -1;
    this.#set([...this.#log, ...entries.filter((entry) => entry.index > last)]);
  }

  #set(log) {
    const added = log.length - this.#log.length;
    this.#log = log;
    this.empty.hidden = log.length > 0 || !this.waiting.hidden;
    this.list.hidden = log.length === 0;
    setText(this.count, log.length ? plural(log.length, "call") : "");
    this.save.disabled = log.length === 0;
    if (this.#selected >= log.length) this.#select(-1);
    this.rows.setCount(log.length);
    if (added > 0) this.rows.show(log.length - 1, "nearest");
    this.#badge(added > 0 ? this.#fresh + added : Math.min(this.#fresh, log.length));
  }

  #badge(count) {
    this.#fresh = this.tabs.sees("calls") ? 0 : count;
    const waits = this.model.atCall && !this.model.answerIsKnown;
    const badge = byId("calls-badge");
    badge.hidden = this.#fresh === 0 && !waits;
    badge.classList.toggle("waits", waits);
    setText(badge, waits ? "answer" : this.#fresh > 99 ? "99+" : String(this.#fresh));
  }

  #create() {
    const row = h("div", { class: "row", role: "option" });
    row.parts = {
      number: h("span", { class: "index" }),
      name: h("span", { class: "name" }),
      text: h("span", { class: "text" }),
      answer: h("span", { class: "answer" }),
    };
    row.append(...Object.values(row.parts));
    return row;
  }

  #render(row, index) {
    const entry = this.#log[index];
    row.dataset.index = String(index);
    row.className = `row${index === this.#selected ? " selected" : ""}`;
    row.setAttribute("aria-selected", String(index === this.#selected));
    setText(row.parts.number, String(index));
    setText(row.parts.name, `${this.nameOf(entry.number)} ${entry.number}`);
    setText(row.parts.text, entry.text ? `"${entry.text}"` : this.#summary(entry));
    const r7 = entry.answer?.registers?.[7];
    setText(
      row.parts.answer,
      entry.answer === null ? "waits" : (entry.answer.end ?? (r7 === undefined ? "" : `→ ${this.model.hostCalls.show(r7)}`)),
    );
  }

  /** The call's parameters in one line, without the lengths. */
  #summary(entry) {
    const { hostCalls } = this.model;
    return hostCalls
      .parametersOf(entry.number, entry.registers)
      .filter(({ name }) => !name.endsWith("length"))
      .map(({ name, value }) => `${name} ${hostCalls.show(value)}`)
      .join(", ");
  }

  #select(index) {
    this.#selected = index;
    const entry = this.#log[index];
    this.detail.hidden = !entry;
    if (entry) {
      this.detail.replaceChildren(...this.#describe(entry));
      this.rows.show(index, "nearest");
    }
    this.rows.refresh();
  }

  *#describe(entry) {
    yield h("h3", null, `${this.nameOf(entry.number)} (${entry.number}) at pc ${entry.pc}, ${grouped(entry.gas)} gas`);
    if (entry.text) yield h("p", { class: "log-text" }, entry.text);
    yield this.#parameters(entry.number, entry.registers, "now ");
    if (!entry.answer) return;
    const { registers, writes, gas, end } = entry.answer;
    yield h("h3", null, "Answer");
    yield h(
      "dl",
      null,
      ...Object.entries(registers ?? {}).flatMap(([n, value]) => [
        h("dt", null, `r${n}`),
        h("dd", null, this.model.hostCalls.show(value)),
      ]),
      ...(writes ?? []).flatMap(({ address, bytes, data }) => [
        h("dt", null, this.#address(address)),
        h("dd", null, excerpt(bytes ?? data)),
      ]),
      ...(gas === null || gas === undefined ? [] : [h("dt", null, "gas"), h("dd", null, grouped(gas))]),
      ...(end ? [h("dt", null, "ends with"), h("dd", null, end)] : []),
    );
  }

  #address(address) {
    return h(
      "button",
      { type: "button", class: "link", onclick: () => this.showMemory(address) },
      `0x${address.toString(16)}`,
    );
  }

  /** The parameters by name; behind addresses what lies there, with `when` before it. */
  #parameters(number, registers, when = "") {
    const parameters = this.model.hostCalls.parametersOf(number, registers);
    const rows = parameters.length
      ? parameters
      : Array.from({ length: 6 }, (_, i) => ({ name: `r${7 + i}`, value: registers[7 + i], length: null }));
    return h(
      "dl",
      null,
      ...rows.flatMap(({ name, value, length }) => {
        const data = h("span", { class: "data" });
        const shown = h(
          "dd",
          null,
          length === null ? this.model.hostCalls.show(value) : this.#address(Number(value & 0xffff_ffffn)),
          data,
        );
        if (length !== null) this.#peek(value, length, data, when);
        return [h("dt", null, name), shown];
      }),
    );
  }

  /** Shows what lies at a parameter's address now. */
  async #peek(value, length, place, when) {
    const count = Number(length > BigInt(PEEKED) ? BigInt(PEEKED) : length);
    if (!count || value + BigInt(count) > 2n ** 32n) return;
    try {
      const { bytes } = await this.model.read(Number(value), count);
      setText(place, ` ${when}${excerpt(bytes)}${length > BigInt(PEEKED) ? " …" : ""}`);
    } catch {
      setText(place, "");
    }
  }

  #waits() {
    const waits = this.model.atCall;
    if (waits !== !this.waiting.hidden) {
      this.waiting.hidden = !waits;
      this.empty.hidden = waits || this.#log.length > 0;
      this.#badge(this.#fresh);
    }
    if (!waits) return;
    const { exit, registers } = this.model.view;
    if (this.shown === this.model.view) return;
    this.shown = this.model.view;
    this.form.show(exit.call);
    const { answerIsKnown } = this.model;
    const whatNext = answerIsKnown ? "is answered as you go on, unless you answer it here" : "waits for an answer";
    this.waiting.replaceChildren(
      h("h3", null, `${this.nameOf(exit.call)} (${exit.call}) at pc ${exit.pc} ${whatNext}`),
      this.#parameters(exit.call, registers),
      this.form.element,
    );
  }

  async #save() {
    setText(this.problem, "");
    try {
      const { opened } = this.model.program;
      const { text } = await this.model.program.ask("trace_text", { ...(await this.model.recording()) });
      download(`${opened.name.replace(/^example:|\.\w+$/g, "").replace(/[^\w.-]+/g, "-")}.log`, text);
    } catch (error) {
      setText(this.problem, `The trace could not be saved: ${error.message}`);
    }
  }
}

function excerpt(bytes) {
  const text = printable(bytes);
  return text
    ? `"${text}"`
    : `${toHex(bytes.subarray(0, 48))}${bytes.length > 48 ? ` … (${plural(bytes.length, "byte")})` : ""}`;
}
