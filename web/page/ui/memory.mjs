/** Memory in hex: every mapped page with its rights; go to, search, edit; what the last step changed is marked. */

import { button, byId, h, select, setText } from "./dom.mjs";
import { asciiOf, grouped, hex, hexAddress, parseAddress, parseBytes, size } from "./format.mjs";
import { MemoryMap, RIGHTS } from "./memory_map.mjs";
import { MemoryPages } from "./memory_pages.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 20;
const PAGE = 4096;
const REFRESHED = 250; // milliseconds between two looks while the program runs
const NARROW = 500; // pixels below which a row has 8 bytes

export class Memory {
  cursor = 0;
  #low = false; // whether the next digit is a byte's lower one
  #found = { address: -1, length: 0 };
  #extra = new Set();
  #map = new MemoryMap([], new Set(), 16);
  #runs = [];
  #looked = 0;
  #names = [];

  /** @param {import("./debugger.mjs").Debugger} model @param {import("./tabs.mjs").Tabs} tabs */
  constructor(model, tabs) {
    this.model = model;
    this.tabs = tabs;
    this.#build();
    this.pages = new MemoryPages(
      (address, length) => model.read(address, length),
      () => this.list.refresh(),
    );
    this.list = new VirtualList(this.element, {
      rowHeight: ROW,
      create: () => this.#create(),
      render: (row, index) => this.#render(row, index),
    });
    new ResizeObserver(() => this.#fit()).observe(this.element);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("click", (event) => this.#click(event));
    model.on("program", (program) => this.#program(program));
    model.on("view", () => this.#moved());
    model.on("progress", () => performance.now() - this.#looked > REFRESHED && this.#moved());
    tabs.on("shown", (name) => name === "memory" && this.#moved());
  }

  #build() {
    this.place = h("input", {
      id: "memory-address",
      type: "text",
      size: 11,
      placeholder: "address",
      "aria-label": "Go to an address",
      autocomplete: "off",
      spellcheck: false,
    });
    this.regions = h("select", { id: "memory-regions", "aria-label": "Mapped memory" });
    this.wanted = h("input", {
      id: "memory-search",
      type: "text",
      size: 14,
      placeholder: 'hex, or "text"',
      "aria-label": "Search for bytes",
      autocomplete: "off",
      spellcheck: false,
    });
    this.problem = h("output", { class: "problem", id: "memory-problem", "aria-live": "polite" });
    this.access = select(Object.entries(RIGHTS), "", { "aria-label": "Rights of the page" });
    this.values = h("output", { class: "values" });
    this.element = h("div", {
      class: "list bytes",
      tabIndex: 0,
      role: "group",
      "aria-label": "Memory in hex. Arrow keys move, hex digits change the byte",
    });
    this.empty = h(
      "p",
      { class: "empty", hidden: true },
      "No memory is mapped. Go to an address to look at it, to change it or to map its page.",
    );
    this.regions.addEventListener("change", () => this.regions.value && this.goTo(Number(this.regions.value)));
    this.access.addEventListener("change", () =>
      this.#try(() => this.model.map(this.cursor - (this.cursor % PAGE), PAGE, this.access.value || null)),
    );
    byId("panel-memory").append(
      h(
        "div",
        { class: "panel-head" },
        this.regions,
        h(
          "form",
          {
            class: "inline",
            onsubmit: (event) => {
              event.preventDefault();
              this.#try(() => this.goTo(parseAddress(this.place.value)));
            },
          },
          this.place,
          button("goto", "", {
            type: "submit",
            class: "quiet",
            "aria-label": "Go to the address",
            title: "Go to the address",
          }),
        ),
        h(
          "form",
          {
            class: "inline",
            onsubmit: (event) => {
              event.preventDefault();
              this.search(false);
            },
          },
          this.wanted,
          button("down", "", {
            type: "submit",
            class: "quiet",
            "aria-label": "Search downwards",
            title: "Search downwards (Enter)",
          }),
          button("up", "", {
            class: "quiet",
            "aria-label": "Search upwards",
            title: "Search upwards",
            onclick: () => this.search(true),
          }),
        ),
        this.problem,
      ),
      this.empty,
      this.element,
      h(
        "div",
        { class: "panel-foot" },
        this.values,
        h("label", { class: "field" }, h("span", { class: "field-name" }, "page"), this.access),
      ),
    );
  }

  focusSearch() {
    this.wanted.select();
  }

  /** Shows `address`, whether or not it is mapped. */
  async goTo(address) {
    this.tabs.show("memory");
    await this.#remap();
    if (!this.#map.runOf(address)) {
      this.#extra.add(address - (address % PAGE));
      if (this.#extra.size > 16) this.#extra.delete(this.#extra.values().next().value);
      await this.#remap();
    }
    this.#moveTo(address, "center");
  }

  /** Searches from the cursor on for what the field says. */
  async search(backwards) {
    await this.#try(async () => {
      const bytes = parseBytes(this.wanted.value);
      if (!bytes.length) throw new Error("nothing to search for");
      const from = this.cursor === this.#found.address ? this.cursor + (backwards ? -1 : 1) : this.cursor;
      const around = backwards ? 2 ** 32 - 1 : 0;
      const address =
        (await this.model.search(bytes, Math.max(0, from), backwards)) ??
        (await this.model.search(bytes, around, backwards));
      if (address === null) throw new Error("not found in mapped memory");
      this.#found = { address, length: bytes.length };
      await this.goTo(address);
    });
  }

  async #try(work) {
    setText(this.problem, "");
    try {
      await work();
    } catch (error) {
      setText(this.problem, error.message);
    }
  }

  #program(program) {
    this.#names = program.opened.segments;
    this.#extra.clear();
    this.#runs = [];
    this.#map = new MemoryMap([], new Set(), this.#width());
    this.list.setCount(0);
    this.empty.hidden = true;
    this.#found = { address: -1, length: 0 };
    this.cursor = program.opened.segments[0]?.address ?? 0;
    this.pages.clear();
  }

  async #moved() {
    if (!this.tabs.sees("memory")) return;
    this.#looked = performance.now();
    if (this.model.before === null) this.pages.clear();
    this.pages.stale();
    await this.#remap();
    this.list.refresh();
    this.#showCursor();
  }

  async #remap() {
    let runs;
    try {
      runs = await this.model.pages();
    } catch {
      return;
    }
    const width = this.#width();
    const extras = [...this.#extra].join();
    const same =
      runs.length > 0 &&
      width === this.#map.width &&
      extras === this.extras &&
      runs.length === this.#runs.length &&
      runs.every(
        (run, i) =>
          run.address === this.#runs[i].address &&
          run.length === this.#runs[i].length &&
          run.access === this.#runs[i].access,
      );
    if (same) return;
    this.#runs = runs;
    this.extras = extras;
    this.#show();
  }

  #show() {
    const runs = this.#runs;
    const width = this.#width();
    this.#map = new MemoryMap(runs, this.#extra, width);
    this.regions.replaceChildren(
      h("option", { value: "" }, `${grouped(runs.length)} mapped ${runs.length === 1 ? "range" : "ranges"}`),
      ...runs
        .slice(0, 200)
        .map((run) =>
          h(
            "option",
            { value: run.address },
            `${hexAddress(run.address)}  ${this.#nameOf(run.address)}  ${size(run.length)}`,
          ),
        ),
    );
    this.empty.hidden = this.#map.count > 0;
    this.list.setCount(this.#map.count);
  }

  #nameOf(address) {
    return (
      this.#names.find((segment) => address >= segment.address && address < segment.address + segment.length)?.name ??
      ""
    );
  }

  #width() {
    return this.element.clientWidth && this.element.clientWidth < NARROW ? 8 : 16;
  }

  #fit() {
    if (this.#width() !== this.#map.width && this.#runs.length) {
      this.#map = new MemoryMap(this.#runs, this.#extra, this.#width());
      this.list.setCount(this.#map.count);
      this.#moveTo(this.cursor, "center");
    }
  }

  #create() {
    const row = h("div", { class: "row" });
    row.parts = {
      address: h("span", { class: "address" }),
      heading: h("span", { class: "heading" }),
      bytes: Array.from({ length: 16 }, () => h("span", { class: "byte" })),
      text: h("span", { class: "ascii" }),
    };
    row.append(row.parts.address, row.parts.heading, ...row.parts.bytes, row.parts.text);
    return row;
  }

  #render(row, index) {
    const { run, address, heading } = this.#map.row(index);
    const { parts } = row;
    const width = this.#map.width;
    row.className = heading ? "row is-heading" : "row";
    if (heading) delete row.dataset.address;
    else row.dataset.address = String(address);
    setText(parts.address, heading ? "" : hex(address, 8));
    parts.heading.hidden = !heading;
    if (heading)
      setText(
        parts.heading,
        `${hexAddress(run.address)}  ${this.#nameOf(run.address)}  ${size(run.length)}  ${RIGHTS[run.access]}`,
      );
    const page = heading ? null : this.pages.page(address);
    let text = "";
    for (let i = 0; i < 16; i++) {
      const byte = parts.bytes[i];
      const place = address + i;
      const shown = !heading && i < width && place < run.address + run.length;
      if (byte.hidden === shown) byte.hidden = !shown;
      if (!shown) continue;
      const value = page ? page.bytes[place % PAGE] : null;
      setText(byte, value === null ? "··" : hex(value, 2));
      text += value === null ? " " : asciiOf(value);
      const found = place >= this.#found.address && place < this.#found.address + this.#found.length;
      const name = [
        "byte",
        value === 0 ? "zero" : "",
        page?.changed?.[place % PAGE] ? "changed" : "",
        found ? "found" : "",
        place === this.cursor ? "cursor" : "",
      ].join(" ");
      if (byte.className !== name) byte.className = name;
    }
    setText(parts.text, text);
  }

  #click(event) {
    const row = event.target.closest(".row");
    const at = row ? row.parts.bytes.indexOf(event.target) : -1;
    if (at >= 0) this.#moveTo(Number(row.dataset.address) + at, "nearest");
  }

  #moveTo(address, place) {
    if (!this.#map.runOf(address)) return;
    this.cursor = address;
    this.#low = false;
    this.list.show(this.#map.rowOf(address), place);
    this.list.refresh();
    this.#showCursor();
  }

  async #showCursor() {
    const address = this.cursor;
    const run = this.#map.runOf(address);
    this.access.value = run?.access ?? "";
    this.access.disabled = !run || this.model.state === "running";
    if (!run) return setText(this.values, "");
    try {
      const { bytes } = await this.model.read(address, Math.min(8, 2 ** 32 - address));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const parts = [`${hexAddress(address)}:`, `u8 ${bytes[0]}`];
      if (bytes.length >= 2) parts.push(`u16 ${view.getUint16(0, true)}`);
      if (bytes.length >= 4) parts.push(`u32 ${view.getUint32(0, true)}`);
      if (bytes.length >= 8) parts.push(`u64 ${view.getBigUint64(0, true)}`);
      if (address === this.cursor) setText(this.values, parts.join("  "));
    } catch {
      setText(this.values, "");
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width } = this.#map;
    const by = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -width,
      ArrowDown: width,
      PageUp: -width * this.list.page,
      PageDown: width * this.list.page,
    }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      this.#step(by);
    } else if (/^[0-9a-f]$/i.test(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      this.#digit(parseInt(event.key, 16));
    }
  }

  /** Moves the cursor, over gaps between runs as well. */
  #step(by) {
    const to = this.cursor + by;
    if (this.#map.runOf(to)) return this.#moveTo(to, "nearest");
    const runs =
      by > 0
        ? this.#map.runs.filter((run) => run.address > this.cursor)
        : this.#map.runs.filter((run) => run.address + run.length <= this.cursor);
    const next = by > 0 ? runs[0] : runs.at(-1);
    if (next) this.#moveTo(by > 0 ? next.address : next.address + next.length - 1, "nearest");
  }

  /** Digits may be typed faster than bytes change: the cursor moves at once. */
  #digit(digit) {
    const address = this.cursor,
      low = this.#low;
    if (low) this.#step(1);
    else this.#low = true;
    this.#try(() =>
      this.model.changeByte(address, (value) => (low ? (value & 0xf0) | digit : (value & 0x0f) | (digit << 4))),
    );
  }
}
