/**
 * The panels: on a wide page the program and its registers are always shown, beside one of the others; on a phone, one.
 */

import { Emitter } from "./events.mjs";
import { recall, remember } from "./remembered.mjs";

const NARROW = matchMedia("(max-width: 899px)");

/** Emits "shown" with the panel's name whenever another one is shown. */
export class Tabs extends Emitter {
  /** @type {HTMLElement[]} */
  #tabs = Array.from(document.querySelectorAll('[role="tab"]'));
  current = "";

  constructor() {
    super();
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.show(tab.dataset.panel));
      tab.addEventListener("keydown", (event) => this.#key(event, tab));
    }
    NARROW.addEventListener("change", () => this.#adapt());
    this.show(NARROW.matches ? "code" : recall("tab", "memory"));
  }

  get narrow() {
    return NARROW.matches;
  }

  /** Whether the panel called `name` can be seen. */
  sees(name) {
    return name === this.current || (!NARROW.matches && (name === "code" || name === "registers"));
  }

  show(name) {
    const known = this.#tabs.some((tab) => tab.dataset.panel === name) ? name : "memory";
    const wanted = !NARROW.matches && (known === "code" || known === "registers") ? this.current || "memory" : known;
    if (wanted === this.current) return;
    this.current = wanted;
    document.body.dataset.panel = wanted;
    for (const tab of this.#tabs) {
      const selected = tab.dataset.panel === wanted;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      if (selected) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (!NARROW.matches) remember("tab", wanted);
    this.emit("shown", wanted);
  }

  #adapt() {
    if (NARROW.matches) this.show("code");
    else if (this.current === "code" || this.current === "registers") {
      this.current = "";
      this.show(recall("tab", "memory"));
    }
  }

  #key(event, tab) {
    const shown = this.#tabs.filter((other) => other.offsetParent !== null);
    const at = shown.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = shown[(to + shown.length) % shown.length];
    this.show(next.dataset.panel);
    next.focus();
  }
}
