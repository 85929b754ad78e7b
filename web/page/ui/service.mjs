/** A service refines and accumulates in a world that the page keeps: payload in, changes out, and its runs to open. */

import { button, field, h, select, setText } from "./dom.mjs";

const ENTRIES = ["refine", "accumulate", "refine and accumulate"];
const FIRST_SERVICE = "65536";

export class ServiceDialog {
  #world = ""; // JSON, as Python gave it last
  #payload = "";
  #number = FIRST_SERVICE;
  #entry = ENTRIES[0];

  /**
   * @param {import("./debugger.mjs").Debugger} model
   * @param {(title: string, ...content: Node[]) => void} show shows the dialog
   */
  constructor(model, show) {
    this.model = model;
    this.show = show;
  }

  open() {
    const entry = select(
      ENTRIES.map((name) => [name, name]),
      this.#entry,
      { id: "service-entry" },
    );
    const payload = h("input", {
      type: "text",
      id: "service-payload",
      value: this.#payload,
      placeholder: "0x…, or text",
      autocomplete: "off",
      spellcheck: false,
    });
    const number = h("input", {
      type: "text",
      id: "service-number",
      value: this.#number,
      inputmode: "numeric",
      size: 10,
      autocomplete: "off",
    });
    const world = h("textarea", {
      id: "service-world",
      rows: 5,
      spellcheck: false,
      placeholder: '{"slot": 100, "services": {"7": {"balance": 1000, "storage": {"key": "value"}}}}',
    });
    world.value = this.#world;
    const result = h("pre", { id: "service-result", tabIndex: 0, "aria-label": "Result", hidden: true });
    const problem = h("output", { class: "problem", id: "service-problem", "aria-live": "polite" });
    const runs = h("p", { class: "line", id: "service-runs" });
    const go = button("run", "Run", { class: "primary", id: "service-run" });
    go.addEventListener("click", async () => {
      this.#entry = entry.value;
      this.#payload = payload.value;
      this.#number = number.value;
      this.#world = world.value;
      go.disabled = true;
      setText(problem, "Python works …");
      try {
        const done = await this.#ask();
        setText(problem, "");
        setText(result, done.text);
        result.hidden = false;
        world.value = this.#world = done.world;
        runs.replaceChildren(...done.runs.map((run) => this.#opener(run)));
      } catch (error) {
        setText(problem, error.message);
      } finally {
        go.disabled = false;
      }
    });
    this.show(
      "The program as a service",
      h(
        "p",
        { class: "soft" },
        "It runs in a small world without blocks; host calls are answered by the Gray Paper. For accumulate alone, " +
          "the payload is the output of the item. What it changes stays in the world below.",
      ),
      h(
        "p",
        { class: "line" },
        field("What", entry),
        field("Payload", payload),
        field("Service", number, "Its number; a number that the world does not have gets this program"),
        go,
      ),
      problem,
      result,
      runs,
      field("World", world, "JSON: services, slot, entropy, privileges"),
    );
  }

  #ask() {
    const { program } = this.model;
    if (program === null) throw new Error("There is no program yet");
    const number = Number(this.#number);
    if (!Number.isInteger(number) || number < 0) throw new Error("Service: a number is needed");
    return program.ask("service", {
      entry: this.#entry,
      payload: this.#payload,
      service: number,
      world: this.#world,
    });
  }

  /** Opens a run as a recorded one: every host call is answered as it was, and all of it can be stepped, and back. */
  #opener({ name, trace, failed }) {
    return button("goto", `Step through: ${name}${failed ? " (failed)" : ""}`, {
      onclick: async () => {
        try {
          await this.model.openBytes(`${name}.log`, trace, "trace");
        } catch (error) {
          this.model.problem(error);
        }
      },
    });
  }
}
