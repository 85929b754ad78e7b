/**
 * What the program is: format, sizes, hash, memory, entry points, notes, and the shape that the recompiler gives it.
 */

import { button, byId, download, h, setText } from "./dom.mjs";
import { grouped, hexAddress, plural, size } from "./format.mjs";

const FORMATS = { plain: "plain program", standard: "standard program", jam: "service", polkavm: "PolkaVM blob" };
const ENDINGS = { jam: "jam", polkavm: "polkavm" };

export class ProgramInfo {
  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {import("./tabs.mjs").Tabs} tabs
   * @param {(address: number) => void} showMemory
   * @param {(pc: number) => void} showCode
   */
  constructor(model, tabs, showMemory, showCode) {
    this.model = model;
    this.showMemory = showMemory;
    this.showCode = showCode;
    this.facts = h("div", { class: "scroll" });
    byId("panel-program").append(this.facts);
    model.on("program", (program) => this.#show(program));
  }

  #show(program) {
    const { opened } = program;
    const name = opened.name.replace(/^example:/, "");
    this.shape = h("pre", { class: "shape" });
    const shapeButton = button(null, "Show its shape", {
      title: "Regions, loops and blocks as the recompiler makes them",
      onclick: () => this.#shape(program, shapeButton),
    });
    this.facts.replaceChildren(
      h("h2", null, opened.example?.title ?? name),
      ...(opened.metadata ? [h("p", { class: "soft" }, opened.metadata)] : []),
      ...(opened.notes.length ? [h("ul", { class: "notes" }, ...opened.notes.map((note) => h("li", null, note)))] : []),
      h(
        "dl",
        null,
        h("dt", null, "format"),
        h("dd", null, `${FORMATS[opened.format] ?? opened.format}, ${size(opened.data.length)}`),
        h("dt", null, "code"),
        h(
          "dd",
          null,
          [
            plural(opened.code_length, "octet"),
            plural(opened.instructions, "instruction"),
            plural(opened.blocks, "block"),
          ].join(", "),
        ),
        h("dt", null, "jump table"),
        h("dd", null, opened.jump_table ? plural(opened.jump_table, "entry").replace("entrys", "entries") : "empty"),
        h("dt", null, "entry points"),
        h(
          "dd",
          null,
          ...opened.entry_points.flatMap(({ pc, name: entry }) => [
            h("button", { type: "button", class: "link", onclick: () => this.showCode(pc) }, `pc ${pc}`),
            ` ${entry}  `,
          ]),
        ),
        h("dt", null, "BLAKE2b-256"),
        h("dd", { class: "hash" }, opened.hash),
      ),
      opened.segments.length
        ? h(
            "table",
            { class: "segments" },
            h(
              "thead",
              null,
              h(
                "tr",
                null,
                ...["segment", "address", "length", "access"].map((text) => h("th", { scope: "col" }, text)),
              ),
            ),
            h(
              "tbody",
              null,
              ...opened.segments.map((segment) =>
                h(
                  "tr",
                  null,
                  h("th", { scope: "row" }, segment.name),
                  h(
                    "td",
                    null,
                    h(
                      "button",
                      { type: "button", class: "link", onclick: () => this.showMemory(segment.address) },
                      hexAddress(segment.address),
                    ),
                  ),
                  h("td", { class: "number" }, grouped(segment.length)),
                  h("td", null, segment.access),
                ),
              ),
            ),
          )
        : h("p", { class: "soft" }, "A plain program starts with no memory mapped."),
      h(
        "p",
        { class: "line" },
        button("save", "Save the program", {
          onclick: () => download(`${name}.${ENDINGS[opened.format] ?? "pvm"}`, opened.data),
        }),
        shapeButton,
      ),
      this.shape,
    );
  }

  async #shape(program, shapeButton) {
    if (!this.model.python.status.ready) return setText(this.shape, "This needs Python, which is loading.");
    shapeButton.disabled = true;
    setText(this.shape, "Shaping …");
    try {
      const { text } = await program.ask("shape", {});
      setText(this.shape, text.length > 200_000 ? `${text.slice(0, 200_000)}\n…` : text);
    } catch (error) {
      setText(this.shape, error.message);
    }
    shapeButton.disabled = false;
  }
}
