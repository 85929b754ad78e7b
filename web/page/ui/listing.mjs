/** The disassembly: one row an instruction, with breakpoints, heat, jumps, labels and the current instruction. */

import { byId, h, setText } from "./dom.mjs";
import { hex, plural, registerAlias, short } from "./format.mjs";
import { JumpLanes } from "./jump_lanes.mjs";
import { Minimap } from "./minimap.mjs";
import { KIND } from "./program.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 20; // pixels, as in style.css
const KINDS = ["", "is-jump", "is-dynamic", "is-call", "is-trap", "is-load", "is-store"];
const TOKEN = /r\d+|0x[0-9a-f]+|-?\d+|[A-Za-z_.@][\w.@]*|\[|\]|[^\w[\]]+/g;
const FOLLOWED_PACE = 40; // instructions a second up to which the view scrolls along with a run

export class Listing {
  /** The instruction that keys act on. */
  selected = 0;
  current = -1;
  #trail = []; // pcs to return to after links were followed
  #counts = new Float64Array(0); // by instruction
  #most = 1;
  #listeners = [];

  /** @param {import("./debugger.mjs").Debugger} model */
  constructor(model) {
    this.model = model;
    this.element = byId("listing");
    this.list = new VirtualList(this.element, {
      rowHeight: ROW,
      create: () => this.#create(),
      render: (row, index) => this.#render(row, index),
      onrange: () => this.#ranged(),
    });
    this.lanes = new JumpLanes(byId("lanes"), this);
    this.minimap = new Minimap(byId("minimap"), this);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("click", (event) => this.#click(event));
    byId("goto").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#goto(byId("goto-input"));
    });
    byId("goto-current").addEventListener("click", () => this.showCurrent("center"));
    byId("goto-back").addEventListener("click", () => this.return());
    byId("breakpoints-clear").addEventListener("click", () => model.clearBreakpoints());
    model.on("program", (program) => this.#program(program));
    model.on("view", () => this.#moved(true));
    model.on("progress", () => this.#moved(model.pace !== null && model.pace <= FOLLOWED_PACE));
    model.on("state", () => this.element.classList.toggle("running", model.state === "running"));
    model.on("breakpoints", () => this.#breakpointsChanged());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get program() {
    return this.model.program;
  }

  /** `listener` is called with the pc of another selected instruction. */
  onselect(listener) {
    this.#listeners.push(listener);
  }

  /** Draws what is drawn (not styled) anew, after a change of colours. */
  redraw() {
    this.lanes.readColours();
    this.lanes.draw();
    this.minimap.draw();
  }

  #program(program) {
    this.element.parentElement.classList.toggle("no-jumps", !program.targets.some((target) => target >= 0));
    program.onlines = () => this.list.refresh();
    this.selected = 0;
    this.current = -1;
    this.#trail = [];
    this.#counts = new Float64Array(program.count);
    byId("goto-back").disabled = true;
    byId("listing-empty").hidden = program.count > 0;
    setText(byId("listing-title"), title(program.opened));
    byId("listing-title").title =
      `${program.opened.format} program, ${plural(program.opened.code_length, "octet")} of code, ` +
      `${plural(program.count, "instruction")}, ${plural(program.opened.blocks, "block")}`;
    setText(byId("listing-size"), `${plural(program.count, "instruction")}, ${plural(program.opened.blocks, "block")}`);
    this.list.setCount(program.count);
    this.list.moveTo(0);
    this.minimap.clear();
    this.#breakpointsChanged();
  }

  #moved(follow) {
    const { view, program } = this.model;
    if (!view || !program) return;
    const number = program.numberOf(view.pc);
    if (number !== this.current) {
      this.current = number;
      if (follow) this.#setSelected(number);
    }
    if (follow) this.list.show(number);
    this.list.refresh();
    this.minimap.draw();
  }

  /** Shows the current instruction. @param {"center"|"nearest"} place */
  showCurrent(place) {
    this.select(Math.max(0, this.current), place);
  }

  /** Selects instruction `number` and brings it into view. */
  select(number, place = "nearest") {
    if (!this.program?.count) return;
    const wanted = Math.max(0, Math.min(this.program.count - 1, number));
    this.#setSelected(wanted);
    this.list.show(wanted, place);
    this.list.refresh();
  }

  #setSelected(number) {
    this.selected = Math.max(0, number);
    const pc = this.program.pcs[this.selected];
    for (const listener of this.#listeners) listener(pc);
  }

  /** Goes to `pc`, remembering where the selection was. */
  follow(pc) {
    this.#trail.push(this.program.pcs[this.selected]);
    if (this.#trail.length > 100) this.#trail.shift();
    byId("goto-back").disabled = false;
    this.select(this.program.numberOf(pc), "center");
  }

  /** Goes to where the last link was followed from. */
  return() {
    const pc = this.#trail.pop();
    byId("goto-back").disabled = this.#trail.length === 0;
    if (pc !== undefined) this.select(this.program.numberOf(pc), "center");
  }

  get selectedPc() {
    return this.program?.pcs[this.selected] ?? 0;
  }

  /**
   * Execution counts by pc, for the heat map; null takes it away.
   * @param {{pcs: Uint32Array, counts: Float64Array}|null} counts
   */
  setCounts(counts) {
    const { program } = this;
    if (!program) return;
    this.#counts = new Float64Array(program.count);
    this.#most = 1;
    let number = -1;
    for (let i = 0; counts && i < counts.pcs.length; i++) {
      const pc = counts.pcs[i],
        count = counts.counts[i];
      number = program.pcs[number + 1] === pc ? number + 1 : program.numberOf(pc);
      if (number < 0) continue;
      this.#counts[number] = count;
      if (count > this.#most) this.#most = count;
    }
    this.list.refresh();
    this.minimap.setHeat(this.#counts, this.#most);
  }

  /** From 0 to 1 on a logarithmic scale. */
  #heatOf(number) {
    const count = this.#counts[number];
    return count ? 0.08 + (0.92 * Math.log1p(count)) / Math.log1p(this.#most) : 0;
  }

  #breakpointsChanged() {
    const count = this.model.breakpoints.size;
    byId("breakpoints-clear").disabled = count === 0;
    setText(
      byId("breakpoints-clear").querySelector("span"),
      count ? `Clear ${plural(count, "breakpoint")}` : "No breakpoints",
    );
    this.list.refresh();
    this.minimap.draw();
  }

  #create() {
    const row = h("div", { class: "row", role: "option" });
    row.parts = {
      gutter: h("span", { class: "gutter", title: "Breakpoint (T)" }),
      heat: h("span", { class: "heat" }),
      lane: h("span", { class: "lane" }),
      pc: h("span", { class: "pc" }),
      octets: h("span", { class: "octets" }),
      label: h("span", { class: "label" }),
      text: h("span", { class: "text" }),
      note: h("span", { class: "note" }),
    };
    row.append(...Object.values(row.parts));
    return row;
  }

  #render(row, number) {
    const { program, parts } = { program: this.program, parts: row.parts };
    const pc = program.pcs[number];
    const line = program.line(number);
    const breakpoint = this.model.breakpoints.has(pc);
    const heat = this.#heatOf(number);
    row.id = `row-${number}`;
    row.dataset.pc = String(pc);
    row.className = [
      "row",
      KINDS[program.kinds[number]],
      program.block[number] && number ? "starts" : "",
      number === this.current ? "current" : "",
      number === this.selected ? "selected" : "",
      breakpoint ? "breakpoint" : "",
    ].join(" ");
    row.setAttribute("aria-selected", String(number === this.selected));
    row.setAttribute("aria-posinset", String(number + 1));
    row.setAttribute("aria-setsize", String(program.count));
    setText(parts.pc, String(pc));
    const count = this.#counts[number];
    parts.heat.style.setProperty("--heat", heat ? heat.toFixed(2) : "0");
    parts.heat.title = count ? `${short(count)} times` : "";
    if (row.line !== line || row.number !== number) {
      setText(parts.octets, line ? line.octets : "");
      setText(parts.label, program.labels.get(pc) ?? line?.label ?? "");
      parts.label.classList.toggle("made", /^l\d+$/.test(parts.label.textContent));
      parts.label.title = parts.label.textContent;
      parts.text.replaceChildren(...(line ? tokens(line, program, number) : [h("span", { class: "pending" }, "…")]));
      setText(parts.note, line?.comment ?? "");
      row.line = line;
      row.number = number;
    }
    row.setAttribute(
      "aria-label",
      `${breakpoint ? "breakpoint, " : ""}${number === this.current ? "current, " : ""}pc ${pc} ` +
        `${line?.label ?? ""} ${line?.text ?? ""}`,
    );
    if (number === this.selected) this.element.setAttribute("aria-activedescendant", row.id);
  }

  #ranged() {
    this.lanes?.drawNow();
    this.minimap?.drawWindow();
  }

  #goto(input) {
    const problem = byId("goto-problem");
    const pc = this.program?.find(input.value) ?? null;
    setText(problem, pc === null && input.value.trim() ? `no label or pc "${input.value.trim().slice(0, 30)}"` : "");
    if (pc === null) return;
    this.follow(pc);
    this.element.focus();
  }

  #click(event) {
    const row = event.target.closest(".row");
    if (!row || !this.program) return;
    const pc = Number(row.dataset.pc);
    const target = event.target.closest("[data-target]");
    if (event.target.closest(".gutter, .pc")) this.model.toggleBreakpoint(pc);
    this.select(this.program.numberOf(pc));
    if (target) this.follow(Number(target.dataset.target));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.program?.count) return;
    const page = this.list.page - 1;
    const to = {
      ArrowDown: this.selected + 1,
      ArrowUp: this.selected - 1,
      PageDown: this.selected + page,
      PageUp: this.selected - page,
      Home: 0,
      End: this.program.count - 1,
    }[event.key];
    if (to !== undefined) this.select(to);
    else if (event.key === " ") this.model.toggleBreakpoint(this.selectedPc);
    else if (event.key === "Enter" && this.program.targets[this.selected] >= 0)
      this.follow(this.program.targets[this.selected]);
    else if (event.key === "Backspace") this.return();
    else return;
    event.preventDefault();
  }
}

function title(opened) {
  return opened.example?.title ?? opened.name;
}

/** The instruction's text with its parts marked, and its target as a link. */
function tokens(line, program, number) {
  const space = line.text.search(/\s|$/);
  const target = program.targets[number];
  const parts = [h("span", { class: "mnemonic" }, line.text.slice(0, space))];
  const rest = line.text.slice(space).trim();
  if (!rest) return parts;
  const words = rest.match(TOKEN) ?? [];
  const linked = target >= 0 ? words.findLastIndex((word) => /\w/.test(word)) : -1;
  const operands = h("span", { class: "operands" });
  words.forEach((word, index) => {
    if (index === linked) {
      operands.append(h("span", { class: "link", "data-target": target, title: `Go to pc ${target}` }, word));
    } else if (/^r\d+$/.test(word)) {
      operands.append(h("span", { class: "register", title: registerAlias(Number(word.slice(1))) }, word));
    } else if (/^(-?\d+|0x[0-9a-f]+)$/.test(word)) {
      operands.append(
        h("span", { class: "immediate", title: /^\d+$/.test(word) ? `0x${hex(Number(word))}` : "" }, word),
      );
    } else {
      operands.append(word);
    }
  });
  parts.push(operands);
  if (program.kinds[number] === KIND.dynamic) operands.append(h("span", { class: "hint" }, " ↱"));
  return parts;
}
