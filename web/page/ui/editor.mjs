/** The assembly of the program, or of one's own: assembled as you type, errors at their lines. */

import { afterPause, button, byId, download, h, setText } from "./dom.mjs";
import { plural } from "./format.mjs";
import { recall, remember } from "./remembered.mjs";

const PAUSE = 250; // milliseconds after the last key
const LARGEST = 2_000_000; // characters
const LINE = 20; // pixels, as in style.css
const EMPTY = `; A program of your own. It is assembled as you type; Ctrl+Enter loads it.
.standard stack=4096 heap=0
.code
main:
    load_imm        r7, 0x20000
    load_imm        r8, 0
    ret
`;

export class Editor {
  #lines = 0;
  #errors = [];
  #assembled = null;
  #turn = 0;
  #pcLines = new Map();
  #name = "assembly";
  /** Whether the text has been changed by hand, and is not loaded. */
  #own = false;
  /** Whether the text is from before a reload: the first program leaves it alone. */
  #isRestored = false;
  /** Such a text that something took the place of. */
  #replaced = "";

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./tabs.mjs").Tabs} tabs
   * @param {import("./listing.mjs").Listing} listing
   */
  constructor(model, tabs, listing) {
    this.model = model;
    this.tabs = tabs;
    this.listing = listing;
    this.#build();
    const assemble = afterPause(PAUSE, () => this.assemble());
    this.text.addEventListener("input", () => {
      this.#own = true;
      this.#changed();
      assemble();
    });
    this.text.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.text.addEventListener("keydown", (event) => this.#key(event));
    model.on("program", (program) => this.#program(program));
    const keep = afterPause(PAUSE, () => this.#keep());
    this.text.addEventListener("input", keep);
    model.on("view", () => this.#mark());
    tabs.on("shown", (name) => name === "editor" && this.#shown());
    model.python.on("status", ({ ready }) => ready && this.tabs.sees("editor") && this.assemble());
    this.text.value = EMPTY;
    this.#changed();
    const own = recall("assembly", "");
    if (!own) return;
    this.text.value = own;
    [this.#own, this.#isRestored] = [true, true];
    this.#changed();
  }

  /** Keeps text of one's own over a reload. */
  #keep() {
    if (this.#own) remember("assembly", this.text.value);
  }

  /** Text of one's own that something else takes the place of can be brought back. */
  #setAside() {
    if (!this.#own) return;
    this.#replaced = this.text.value;
    this.#own = false;
    remember("assembly", this.#replaced);
    this.undo.hidden = false;
  }

  #bringBack() {
    const text = this.#replaced;
    this.set(this.#name, text);
    this.#own = true;
    this.undo.hidden = true;
    this.assemble();
  }

  #build() {
    this.gutter = h("div", { class: "numbers", "aria-hidden": "true" });
    this.mark = h("div", { class: "line-mark", hidden: true });
    this.text = h("textarea", {
      id: "source",
      class: "source",
      "aria-label": "Assembly",
      spellcheck: false,
      autocapitalize: "off",
      autocomplete: "off",
      wrap: "off",
      "aria-describedby": "assembly-state",
    });
    this.state = h("output", { id: "assembly-state", class: "grow", "aria-live": "polite" });
    this.errors = h("ul", { class: "errors", "aria-label": "Errors" });
    this.load = button("run", "Load into the machine", {
      id: "assembly-load",
      title: "Ctrl+Enter",
      disabled: true,
      onclick: () => this.#load(),
    });
    this.undo = button(null, "Bring back my text", {
      id: "assembly-undo",
      class: "quiet",
      hidden: true,
      title: "The text that you had written before another took its place",
      onclick: () => this.#bringBack(),
    });
    byId("panel-editor").append(
      h(
        "div",
        { class: "panel-head" },
        this.state,
        this.undo,
        button(null, "New", { class: "quiet", onclick: () => this.set("assembly", EMPTY) }),
        button("save", "Save", {
          class: "quiet",
          title: "Save the text as a file",
          onclick: () => download(`${this.#name}.pvmasm`, this.text.value),
        }),
        this.load,
      ),
      h("div", { class: "editor-area" }, this.gutter, h("div", { class: "text-area" }, this.mark, this.text)),
      this.errors,
    );
  }

  /** Shows a text. */
  set(name, text) {
    if (text !== this.text.value) this.#setAside();
    this.#name = name.replace(/^example:/, "").replace(/[^\w.-]+/g, "-");
    this.text.value = text;
    this.text.scrollTop = 0;
    this.#pcLines = new Map();
    this.#changed();
    if (this.tabs.sees("editor")) this.assemble();
  }

  /** The text is the program's: there is nothing to keep. */
  #loaded() {
    if (this.#own) remember("assembly", "");
    this.#own = false;
  }

  get source() {
    return this.text.value;
  }

  #program(program) {
    const { source, name, source_lines: lines } = program.opened;
    if (source === null) {
      this.mark.hidden = true;
      this.#pcLines = new Map();
      return;
    }
    const stays = this.#isRestored && source !== this.text.value;
    this.#isRestored = false;
    if (stays) return;
    if (source !== this.text.value) this.set(name, source);
    else this.#loaded();
    this.#pcLines = pairs(lines);
    this.#mark();
  }

  #shown() {
    this.#scrolled();
    if (this.#assembled === null && this.#errors.length === 0) this.assemble();
    this.#mark(true);
  }

  #changed() {
    this.#assembled = null;
    this.load.disabled = true;
    this.mark.hidden = true;
    this.#numbers();
  }

  #numbers() {
    const text = this.text.value;
    let count = 1;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
    if (count !== this.#lines) {
      this.#lines = count;
      this.gutter.textContent = Array.from({ length: count }, (_, i) => i + 1).join("\n");
    }
  }

  /** Assembles the text; a later call makes an earlier one's outcome void. */
  async assemble() {
    const { python } = this.model;
    if (this.text.value.length > LARGEST)
      return setText(this.state, "More than 2,000,000 characters are not assembled as you type.");
    if (!python.status.ready) {
      setText(
        this.state,
        python.status.failed
          ? "The assembler needs Python, which is not available."
          : "The assembler comes with Python, which is loading.",
      );
      return;
    }
    const turn = ++this.#turn;
    const started = performance.now();
    setText(this.state, "Assembling …");
    let outcome;
    try {
      outcome = await python.call("assemble", {
        text: this.text.value,
        spec: this.model.settings.spec,
        name: this.#name,
      });
    } catch (error) {
      outcome = {
        opened: null,
        errors: [{ line: error.line ?? 1, column: error.column ?? 1, message: error.message }],
      };
    }
    if (turn !== this.#turn) return;
    this.#assembled = outcome.opened;
    this.#showErrors(outcome.errors);
    this.load.disabled = !outcome.opened;
    const { opened } = outcome;
    const milliseconds = Math.round(performance.now() - started);
    setText(
      this.state,
      opened
        ? `${plural(opened.instructions, "instruction")}, ${plural(opened.data.length, "byte")}, in ${milliseconds} ms`
        : plural(outcome.errors.length, "error"),
    );
  }

  #showErrors(errors) {
    this.#errors = errors;
    this.errors.replaceChildren(
      ...errors
        .slice(0, 50)
        .map(({ line, column, message }) =>
          h(
            "li",
            null,
            h("button", { type: "button", class: "link", onclick: () => this.#goTo(line, column) }, `line ${line}`),
            ` ${message}`,
          ),
        ),
    );
    this.gutter.style.setProperty("--error", errors.length ? String(errors[0].line - 1) : "-1");
    this.gutter.classList.toggle("has-error", errors.length > 0);
    this.text.setAttribute("aria-invalid", String(errors.length > 0));
  }

  #goTo(line, column) {
    const lines = this.text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    this.text.focus();
    this.text.setSelectionRange(start + Math.max(0, (column ?? 1) - 1), start + (lines[line - 1]?.length ?? 0));
    this.text.scrollTop = Math.max(0, (line - 5) * LINE);
  }

  async #load() {
    if (!this.#assembled) return;
    try {
      await this.model.openAssembled(this.#assembled);
    } catch (error) {
      setText(this.state, error.message);
    }
  }

  /** Marks the line of the current instruction. */
  #mark(scroll = false) {
    const line = this.model.view && this.#pcLines.get(this.model.view.pc);
    this.mark.hidden = line === undefined || line === null;
    if (this.mark.hidden) return;
    this.mark.style.setProperty("--line", String(line - 1));
    const top = (line - 1) * LINE;
    const inView = top >= this.text.scrollTop && top < this.text.scrollTop + this.text.clientHeight - LINE;
    if ((scroll || this.tabs.sees("editor")) && !inView && document.activeElement !== this.text)
      this.text.scrollTop = Math.max(0, top - this.text.clientHeight / 3);
  }

  #scrolled() {
    this.gutter.style.setProperty("--scroll", `${-this.text.scrollTop}px`);
    this.mark.style.setProperty("--scroll", `${-this.text.scrollTop}px`);
  }

  #key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.assemble().then(() => this.#load());
    }
  }
}

/** Line by pc, from [pc, line] pairs one after another. */
function pairs(values) {
  const lines = new Map();
  for (let i = 0; values && i + 1 < values.length; i += 2) lines.set(values[i], values[i + 1]);
  return lines;
}
