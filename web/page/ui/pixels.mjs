/** Any window of memory as a picture, live while the program runs. */

import { byId, field, h, select, setText } from "./dom.mjs";
import { hexAddress, parseAddress, parseInteger, plural, short } from "./format.mjs";
import { FORMATS, rowOctets } from "./pixel_formats.mjs";

const MOST_BYTES = 1 << 24;
const LARGEST_SIDE = 4096;
const BETWEEN = 50; // milliseconds between two pictures while the program runs
const START = { address: 0x20000, width: 64, height: 64, stride: 64, format: "bool8" };

export class Pixels {
  #shape = START;
  #busy = false;
  #again = false;
  #drawn = 0;

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./tabs.mjs").Tabs} tabs
   * @param {(address: number) => void} showMemory
   */
  constructor(model, tabs, showMemory) {
    this.model = model;
    this.tabs = tabs;
    this.showMemory = showMemory;
    this.#build();
    model.on("program", (program) => this.#program(program));
    model.on("view", () => this.draw());
    model.on("progress", () => performance.now() - this.#drawn >= BETWEEN && this.draw());
    model.on("view progress state", () => this.#rate());
    tabs.on("shown", () => this.draw());
    new ResizeObserver(() => this.#fit()).observe(this.area);
  }

  #build() {
    const number = (name, size) =>
      h("input", {
        id: `pixels-${name}`,
        type: "text",
        size,
        autocomplete: "off",
        spellcheck: false,
        onchange: () => this.#read(),
      });
    this.fields = {
      address: number("address", 11),
      width: number("width", 5),
      height: number("height", 5),
      stride: number("stride", 6),
      format: select(
        Object.entries(FORMATS).map(([name, { text }]) => [name, text]),
        START.format,
        { id: "pixels-format", onchange: () => this.#read() },
      ),
    };
    this.problem = h("output", { class: "problem", "aria-live": "polite" });
    this.canvas = h("canvas", {
      class: "pixels",
      role: "img",
      "aria-label": "Memory as pixels",
    });
    this.area = h("div", { class: "pixels-area" }, this.canvas);
    this.where = h("output", { class: "grow" });
    this.rate = h("span", { class: "number" });
    this.canvas.addEventListener("pointermove", (event) => setText(this.where, this.#describe(event)));
    this.canvas.addEventListener("pointerleave", () => setText(this.where, ""));
    this.canvas.addEventListener("click", (event) => {
      const at = this.#at(event);
      if (at) this.showMemory(at.address);
    });
    const { address, width, height, stride, format } = this.fields;
    byId("panel-pixels").append(
      h(
        "div",
        { class: "panel-head" },
        field("at", address),
        field("width", width),
        field("height", height),
        field("row bytes", stride),
        field("as", format),
        this.problem,
      ),
      this.area,
      h("div", { class: "panel-foot" }, this.where, this.rate),
    );
    this.#write();
  }

  /** The view that an example comes with. */
  #program(program) {
    const preset = program.opened.pixels ?? program.opened.example?.pixels;
    const first = program.opened.segments.find(({ access }) => access === "rw")?.address ?? START.address;
    this.#shape = preset && FORMATS[preset.format] ? { ...preset } : { ...START, address: first };
    this.preset = Boolean(preset);
    this.#write();
    if (preset && !this.tabs.narrow) this.tabs.show("pixels");
  }

  #write() {
    const { address, width, height, stride, format } = this.#shape;
    this.fields.address.value = hexAddress(address);
    this.fields.width.value = String(width);
    this.fields.height.value = String(height);
    this.fields.stride.value = String(stride);
    this.fields.format.value = format;
    setText(this.problem, "");
  }

  #read() {
    const { fields } = this;
    const side = (name) => {
      const value = Number(parseInteger(fields[name].value, BigInt(LARGEST_SIDE)));
      if (value < 1) throw new Error(`${name}: at least 1`);
      return value;
    };
    try {
      const format = fields.format.value;
      const width = side("width"),
        height = side("height");
      const tight = rowOctets(format, width);
      const changed = width !== this.#shape.width || format !== this.#shape.format;
      const given = Number(parseInteger(fields.stride.value || "0", 1n << 20n));
      const stride = (changed && given === this.#shape.stride) || given === 0 ? tight : given;
      if (stride < tight) throw new Error(`a row has at least ${plural(tight, "byte")}`);
      if (stride * height > MOST_BYTES) throw new Error("that is more than 16 MiB");
      this.#shape = { address: parseAddress(fields.address.value), width, height, stride, format };
      this.#write();
      this.draw();
    } catch (error) {
      setText(this.problem, error.message);
    }
  }

  /** Reads memory and draws it, unless that is under way: then once more after it. */
  async draw() {
    if (!this.tabs.sees("pixels") || !this.model.view) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#drawn = performance.now();
    try {
      const { address, height, stride } = this.#shape;
      const { bytes } = await this.model.read(address, Math.min(stride * height, 2 ** 32 - address));
      this.#paint(bytes);
    } catch {
      // The worker was ended; the next machine is drawn when it is there.
    }
    this.#busy = false;
    if (this.#again) {
      this.#again = false;
      this.draw();
    }
  }

  #paint(bytes) {
    const { width, height, stride, format } = this.#shape;
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.#fit();
    }
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    const needed = rowOctets(format, width);
    for (let y = 0; y < height && y * stride + needed <= bytes.length; y++) {
      FORMATS[format].read(bytes, y * stride, picture.data, 4 * y * width, width);
    }
    context.putImageData(picture, 0, 0);
  }

  /** As large as fits, in whole multiples of a pixel where there is room for that. */
  #fit() {
    const { width, height } = this.#shape;
    const room = Math.min((this.area.clientWidth - 16) / width, (this.area.clientHeight - 16) / height);
    if (room <= 0) return;
    const scale = room >= 1 ? Math.floor(room) : room;
    this.canvas.style.width = `${width * scale}px`;
    this.canvas.style.height = `${height * scale}px`;
  }

  #rate() {
    setText(
      this.rate,
      this.model.state === "running" && this.model.rate ? `${short(this.model.rate)} instructions a second` : "",
    );
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const { address, width, height, stride, format } = this.#shape;
    const x = Math.floor(((event.clientX - box.left) / box.width) * width),
      y = Math.floor(((event.clientY - box.top) / box.height) * height);
    if (x < 0 || y < 0 || x >= width || y >= height) return null;
    return { x, y, address: address + y * stride + Math.floor((x * FORMATS[format].bits) / 8) };
  }

  #describe(event) {
    const at = this.#at(event);
    return at ? `column ${at.x}, row ${at.y}: ${hexAddress(at.address)}` : "";
  }
}
