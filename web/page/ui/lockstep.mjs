/** Two engines side by side, instruction by instruction: they stop at the first difference. */

import { button, byId, field, h, select, setText } from "./dom.mjs";
import { grouped, parseInteger } from "./format.mjs";

const TIERS = [
  ["interpreter", "interpreter"],
  ["recompiler", "recompiler"],
  ["reference", "reference (Python)"],
];
const RATE_AFTER = 300; // milliseconds

export class Lockstep {
  #running = false;
  #turn = 0;

  /** @param {import("./debugger.mjs").Debugger} model @param {(pc: number) => void} showCode */
  constructor(model, showCode) {
    this.model = model;
    this.showCode = showCode;
    this.left = select(TIERS, "reference", { id: "lockstep-left" });
    this.right = select(TIERS, "interpreter", { id: "lockstep-right" });
    this.go = button("run", "Compare", { class: "primary", id: "lockstep-run", onclick: () => this.#run() });
    this.end = button("stop", "Stop", { id: "lockstep-stop", disabled: true, onclick: () => this.#stop() });
    this.state = h(
      "p",
      { class: "lockstep-state", role: "status" },
      "Runs the program from its start on both engines, compares registers, gas, pc and memory, and finds the first " +
        "instruction after which they differ.",
    );
    this.outcome = h("div", { class: "lockstep-outcome" });
    byId("panel-lockstep").append(
      h("div", { class: "panel-head" }, field("left", this.left), field("right", this.right), this.go, this.end),
      h("div", { class: "scroll" }, this.state, this.outcome),
    );
    model.on("program", () => {
      this.#running = false;
      this.outcome.replaceChildren();
    });
    model.python.on("status", () => this.#ready());
    this.#ready();
  }

  #ready() {
    const { ready, failed } = this.model.python.status;
    this.go.disabled = !ready || this.#running;
    this.go.title = ready ? "" : failed ? "Needs Python, which is not available" : "Needs Python, which is loading";
  }

  async #run() {
    const { model } = this;
    if (!model.program) return;
    const turn = ++this.#turn;
    this.#running = true;
    this.#ready();
    this.end.disabled = false;
    this.outcome.replaceChildren();
    setText(this.state, "Starting both engines …");
    let id = null;
    try {
      const { settings } = model;
      ({ id } = await model.program.ask("lockstep_start", {
        metering: settings.metering,
        args: model.args,
        gas: parseInteger(settings.gas),
        pc: this.model.program.entry(settings.pc),
        left: this.left.value,
        right: this.right.value,
      }));
      const started = performance.now();
      for (;;) {
        const { done, steps, searching, difference, exit } = await model.python.call("lockstep_run", { id });
        if (turn !== this.#turn) break;
        const seconds = (performance.now() - started) / 1000;
        const rate = seconds * 1000 > RATE_AFTER ? `, ${grouped(Math.round(Number(steps) / seconds))} a second` : "";
        if (!done && this.#running) {
          setText(
            this.state,
            searching
              ? "They differ: looking for the first difference …"
              : `${grouped(steps)} instructions are the same${rate} …`,
          );
          continue;
        }
        this.#show(steps, difference, exit, done);
        break;
      }
    } catch (error) {
      if (turn === this.#turn) setText(this.state, error.message);
    }
    if (id !== null) model.python.call("lockstep_end", { id }).catch(() => {});
    if (turn !== this.#turn) return;
    this.#running = false;
    this.end.disabled = true;
    this.#ready();
  }

  #stop() {
    this.#running = false;
    this.end.disabled = true;
    setText(this.state, "Stopping …");
  }

  #show(steps, difference, exit, done) {
    if (!difference) {
      const end = exit ? ` They end the same: ${exit.reason ?? exit}.` : "";
      return setText(
        this.state,
        done
          ? `No difference in ${grouped(steps)} instructions.${end}`
          : `Stopped after ${grouped(steps)} instructions, all the same.`,
      );
    }
    setText(this.state, `They differ after ${grouped(steps)} instructions, in ${difference.what}.`);
    this.outcome.replaceChildren(
      h(
        "table",
        { class: "difference" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "col" }, ""),
            h("th", { scope: "col" }, this.left.value),
            h("th", { scope: "col" }, this.right.value),
          ),
        ),
        h(
          "tbody",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "row" }, difference.what),
            h("td", null, String(difference.left)),
            h("td", null, String(difference.right)),
          ),
        ),
      ),
      h(
        "p",
        null,
        "At ",
        h(
          "button",
          { type: "button", class: "link", onclick: () => this.showCode(difference.pc) },
          `pc ${difference.pc}`,
        ),
        ".",
      ),
    );
  }
}
