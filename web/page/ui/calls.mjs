/** Host calls: the log, an answer by hand to the one that waits, answers from a trace, and the recorder. */

import { AnswerForm } from "./answer_form.mjs";
import { button, byId, download, h, setText } from "./dom.mjs";
import { grouped, plural, printable, toHex } from "./format.mjs";
import { divergenceText } from "./host_calls.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 22;
const PEEKED = 256; // bytes of memory shown of a call that waits
const NO_CALL = "No host call yet. Calls stop the program: answer them here, or open an ecalli trace that does.";
const ADDRESSES = new Set(["out", "key", "value", "hash"]); // parameters that are addresses, also without a length

export class Calls {
  #log = [];
  #selected = -1;
  #fresh = 0;
  #past = 0;

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
    this.empty = h("p", { class: "empty" }, NO_CALL);
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
        button("open", "Compare with trace …", { class: "quiet", id: "compare-trace", onclick: openFile }),
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
    this.list.addEventListener("dblclick", () => this.#go());
    this.list.addEventListener("keydown", (event) => {
      if (event.key === "Enter") return this.#go();
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
    const recorded = program.opened.trace?.calls.length ?? 0;
    const known = `${plural(recorded, "recorded call")}. Press Run: they answer the program's.`;
    setText(this.empty, recorded ? known : NO_CALL);
    this.#set([]);
  }

  async #moved() {
    const { view } = this.model;
    setText(this.divergence, view.divergence ? divergenceText(view.divergence) : "");
    this.divergence.hidden = !view.divergence;
    try {
      const [log, later] = await Promise.all([this.model.log(), this.model.later()]);
      this.#set(log, later);
    } catch {
      this.#set([]);
    }
  }

  #add(entries) {
    const last = this.#log[this.#past - 1]?.index ?? -1;
    this.#set([...this.#log.slice(0, this.#past), ...entries.filter((entry) => entry.index > last)]);
  }

  /** @param {object[]} log @param {object[]} later those that came after, and are kept */
  #set(log, later = []) {
    const added = log.length - this.#past;
    this.#past = log.length;
    this.#log = [...log, ...later];
    const all = this.#log.length;
    this.empty.hidden = all > 0 || !this.waiting.hidden;
    this.list.hidden = all === 0;
    setText(this.count, log.length ? plural(log.length, "call") : "");
    this.save.disabled = log.length === 0;
    if (this.#selected >= all) this.#select(-1);
    this.rows.setCount(all);
    if (added > 0) this.rows.show(log.length - 1, "nearest");
    this.#badge(added > 0 ? this.#fresh + added : Math.min(this.#fresh, log.length));
  }

  /** To where the selected call was made. */
  #go() {
    const entry = this.#log[this.#selected];
    if (entry) this.model.seek({ call: entry.index });
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
    const isLater = index >= this.#past;
    row.className = `row${index === this.#selected ? " selected" : ""}${isLater ? " later" : ""}`;
    row.setAttribute("aria-selected", String(index === this.#selected));
    setText(row.parts.number, String(index));
    setText(row.parts.name, `${this.nameOf(entry.number)} ${entry.number}`);
    setText(row.parts.text, entry.text ? `"${entry.text}"` : this.#summary(entry));
    const r7 = entry.answer?.registers?.[7];
    const returned = r7 === undefined ? "" : `→ ${this.model.hostCalls.show(r7)}`;
    setText(row.parts.answer, entry.answer === null ? "waits" : (entry.answer.end ?? returned));
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
    const { view } = this.model;
    const isHere = view.exit?.reason === "host-call" && view.pc === entry.pc && view.gas === entry.gas;
    const recorded = this.model.program.opened.trace?.calls[entry.index]?.reads ?? [];
    yield this.#parameters(entry.number, entry.registers, isHere ? null : recorded);
    if (!isHere) {
      const title = "Take the machine to this call: memory is then as it was";
      const go = button("goto", "Go there", { class: "go-there", title, onclick: () => this.#go() });
      yield h("p", { class: "line" }, go);
    }
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

  /**
   * The parameters by name; behind addresses what lies there now, or, with `recorded`, what a trace says of it: memory
   * of another moment would mislead.
   */
  #parameters(number, registers, recorded = null) {
    const parameters = this.model.hostCalls.parametersOf(number, registers);
    const rows = parameters.length
      ? parameters
      : Array.from({ length: 6 }, (_, i) => ({ name: `r${7 + i}`, value: registers[7 + i], length: null }));
    return h(
      "dl",
      null,
      ...rows.flatMap(({ name, value, length }) => {
        const data = h("span", { class: "data" });
        const isAddress = length !== null || (ADDRESSES.has(name) && value >= 0x1_0000n && value < 1n << 32n);
        const text = isAddress ? this.#address(Number(value & 0xffff_ffffn)) : this.model.hostCalls.show(value);
        const shown = h("dd", null, text, data);
        const read = recorded?.find(({ address }) => BigInt(address) === value);
        if (read) setText(data, ` ${excerpt(read.data)}`);
        else if (length !== null && !recorded) this.#peek(value, length, data);
        return [h("dt", null, name), shown];
      }),
    );
  }

  /** Shows what lies at a parameter's address now. */
  async #peek(value, length, place) {
    const count = Number(length > BigInt(PEEKED) ? BigInt(PEEKED) : length);
    if (!count || value + BigInt(count) > 2n ** 32n) return;
    try {
      const { bytes } = await this.model.read(Number(value), count);
      setText(place, ` ${excerpt(bytes)}${length > BigInt(PEEKED) ? " …" : ""}`);
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
