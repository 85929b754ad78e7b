/**
 * The entry bar: how the program is entered, with a form for the arguments of each of a service's invocations.
 *
 * The arguments are the same octets in the field "Arguments": what is typed here is written there, and what is typed there
 * is read here.
 */

import { button, byId, h, setText } from "./dom.mjs";
import { ENTRIES, decodeArguments, encodeArguments, entryOf, startValues } from "./entry_arguments.mjs";
import { parseBytes, parseInteger, printable, toHex } from "./format.mjs";
import { argsOf } from "./starting.mjs";

const PLAIN = "pc"; // neither of the invocations: any pc, any octets
const NAMES = [...Object.keys(ENTRIES), PLAIN];
const WIDTHS = { natural: 7, u16: 6, blob: 16, hash: 16 };

export class EntryBar {
  #entry = PLAIN;
  /** Inputs of the entry by field. @type {Map<string, HTMLInputElement>} */
  #inputs = new Map();
  /** What the fields say as long as the arguments say the same. */
  #values = null;
  #isSetting = false;
  /** Fields that are being changed: they are left alone until that is done. @type {Set<string>} */
  #typing = new Set();

  /** @param {import("./debugger.mjs").Debugger} model */
  constructor(model) {
    this.model = model;
    this.choices = NAMES.map((name) =>
      button(null, name, { class: "segment", value: name, "aria-pressed": "false", onclick: () => this.#choose(name) }),
    );
    this.fields = h("span", { class: "entry-fields" });
    this.problem = h("output", { class: "problem", id: "entry-problem", "aria-live": "polite" });
    this.element = h(
      "div",
      { class: "entry-bar", id: "entry-bar", hidden: true },
      h(
        "span",
        { class: "segments", role: "group", "aria-label": "Entry" },
        ...this.choices,
      ),
      this.fields,
      this.problem,
    );
    byId("start-fields").before(this.element);
    model.on("program", ({ opened }) => this.#program(opened));
    model.on("settings", () => this.#follow());
  }

  get entry() {
    return this.#entry;
  }

  #program(opened) {
    this.element.hidden = opened.format === "plain" || opened.format === "polkavm";
    this.#show(opened.format === "jam" || opened.trace ? (this.#known() ?? PLAIN) : PLAIN);
  }

  /** The entry that the settings are one of. */
  #known() {
    const { args, pc } = this.#start;
    return args && pc !== null ? entryOf(pc, args) : null;
  }

  /** The settings as values; null where the text is none. */
  get #start() {
    const found = { args: null, pc: null };
    try {
      found.args = argsOf(this.model.settings);
      found.pc = Number(parseInteger(this.model.settings.pc));
    } catch {
      // The form of settings says what is wrong with them.
    }
    return found;
  }

  /** Another entry: its pc, and its arguments where those that are there are none. */
  async #choose(entry) {
    if (entry === PLAIN) return this.#show(entry);
    const known = this.#start.args && decodeArguments(entry, this.#start.args);
    return this.#set(entry, known ?? { ...startValues(entry), ...this.#shared(entry) });
  }

  /** What the entry before had of the same name, such as the service. */
  #shared(entry) {
    const kept = this.#values ?? {};
    return Object.fromEntries(
      ENTRIES[entry].fields.filter(({ name, kind }) => name in kept && kind === "natural").map(({ name }) => [name, kept[name]]),
    );
  }

  async #set(entry, values) {
    const { model } = this;
    const args = toHex(encodeArguments(entry, values));
    const pc = String(ENTRIES[entry].pc);
    this.#isSetting = true; // between the two it is no entry
    try {
      if (model.settings.args !== args) await model.change("args", args);
      if (model.settings.pc !== pc) await model.change("pc", pc);
    } finally {
      this.#isSetting = false;
    }
    this.#show(entry);
  }

  #show(entry) {
    if (entry !== this.#entry || !this.#inputs.size) {
      this.#entry = entry;
      this.#inputs.clear();
      this.#typing.clear();
      this.fields.replaceChildren(...(ENTRIES[entry]?.fields ?? []).map((field) => this.#field(field)));
      document.body.dataset.entry = entry;
    }
    for (const choice of this.choices) choice.setAttribute("aria-pressed", String(choice.value === entry));
    this.#follow();
  }

  #field({ name, kind, text }) {
    const input = h("input", {
      type: "text",
      id: `entry-${name}`,
      size: WIDTHS[kind],
      inputmode: kind === "natural" || kind === "u16" ? "numeric" : null,
      autocomplete: "off",
      spellcheck: false,
      oninput: () => this.#typing.add(name),
      onchange: () => {
        this.#typing.delete(name);
        this.#typed();
      },
    });
    this.#inputs.set(name, input);
    return h("label", { class: "field", title: text }, h("span", { class: "field-name" }, name), input);
  }

  async #typed() {
    setText(this.problem, "");
    try {
      const values = {};
      for (const { name, kind } of ENTRIES[this.#entry].fields) {
        const input = this.#inputs.get(name);
        input.removeAttribute("aria-invalid");
        try {
          values[name] = kind === "natural" || kind === "u16" ? parseInteger(input.value) : parseBytes(input.value);
          if (kind === "hash" && values[name].length !== 32) throw new Error("a hash has 32 octets");
        } catch (error) {
          input.setAttribute("aria-invalid", "true");
          throw new Error(`${name}: ${error.message}`);
        }
      }
      await this.#set(this.#entry, values);
    } catch (error) {
      setText(this.problem, error.message);
    }
  }

  /** The fields say what the arguments say. */
  #follow() {
    if (this.#isSetting) return undefined;
    if (this.element.hidden || this.#entry === PLAIN) return setText(this.problem, "");
    const { args, pc } = this.#start;
    if (args === null || pc === null) return undefined;
    const fits = pc === ENTRIES[this.#entry].pc && decodeArguments(this.#entry, args);
    if (!fits) {
      const other = entryOf(pc, args);
      if (other) return this.#show(other);
      const what = pc === ENTRIES[this.#entry].pc ? "The arguments below are" : `pc ${pc} is`;
      return setText(this.problem, `${what} not those of ${this.#entry}.`);
    }
    setText(this.problem, "");
    this.#values = fits;
    for (const { name, kind } of ENTRIES[this.#entry].fields) {
      const input = this.#inputs.get(name);
      if (this.#typing.has(name)) continue;
      const text = kind === "natural" || kind === "u16" ? String(fits[name]) : shown(fits[name]);
      if (document.activeElement !== input || parsesToOther(kind, input.value, fits[name])) input.value = text;
      input.removeAttribute("aria-invalid");
    }
    return undefined;
  }
}

function shown(bytes) {
  const text = printable(bytes);
  return text && !text.includes('"') ? `"${text}"` : toHex(bytes);
}

/** Whether what is typed says something else than the value. */
function parsesToOther(kind, text, value) {
  try {
    if (kind === "natural" || kind === "u16") return parseInteger(text) !== value;
    return toHex(parseBytes(text)) !== toHex(value);
  } catch {
    return true;
  }
}
