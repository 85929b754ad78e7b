/** How the machine stands, in one line: state, what happened, gas, speed. */

import { byId, setText } from "./dom.mjs";
import { divergenceText } from "./host_calls.mjs";
import { eachFrame } from "./frames.mjs";
import { editInPlace } from "./edit_in_place.mjs";
import { grouped, hexAddress, parseInteger, plural, printable, short, toHex } from "./format.mjs";

const SHOWN_BYTES = 24;
const INVITATION = "Press Run, or step through it. Every step can be taken back.";
const DRAWING = "Press Run: it draws into Pixels. Slow it down with Pace to watch it.";
const ARGUMENTS = 0xfeff_0000; // where a standard program finds them
const NAMES = {
  halt: "Halted",
  panic: "Panicked",
  "out-of-gas": "Out of gas",
  "page-fault": "Page fault",
  "host-call": "Host call",
};

export class Verdict {
  /** @param {import("./debugger.mjs").Debugger} model @param {{nameOf: (call: number) => string}} calls */
  constructor(model, calls) {
    this.model = model;
    this.calls = calls;
    this.left = byId("gas-left");
    byId("gas-left").addEventListener("click", () => this.#editGas());
    model.on("view state program", () => this.#show());
    model.on(
      "progress",
      eachFrame(() => this.#show()),
    );
  }

  #editGas() {
    const { model } = this;
    if (!model.view || model.state === "running") return;
    editInPlace(this.left, {
      label: "Gas left",
      value: String(model.view.gas),
      apply: async (text) => model.set({ gas: parseInteger(text) }),
      problem: (text) => setText(byId("gas-left-problem"), text),
    });
  }

  #show() {
    const { model } = this;
    const { view, state } = model;
    const [kind, name, text] = this.#text();
    const chip = byId("state");
    chip.dataset.kind = kind;
    chip.dataset.state = state;
    setText(chip, name);
    setText(byId("result"), text);
    byId("result").title = text;
    setText(this.left, view ? grouped(view.gas) : "–");
    setText(byId("gas-used"), view ? grouped(view.gas_used) : "–");
    setText(byId("time"), view && state !== "loading" ? speed(model) : "");
  }

  /** @returns {[string, string, string]} the state's kind, its name, and a sentence */
  #text() {
    const { state, view, program, doing, breakpoints } = this.model;
    if (state === "loading") return ["busy", "Loading", `${doing} …`];
    if (program && !view) return ["bad", "Not started", doing];
    if (state === "empty" || !view || !program) return ["none", "No program", "Open an example or a file."];
    if (state === "running") return ["busy", "Running", doing === "Running" ? "" : doing];
    const place = program.nameOf(view.pc);
    if (view.divergence && view.stopped === "divergence") return ["bad", "Divergence", divergenceText(view.divergence)];
    if (view.exit)
      return [
        view.exit.reason === "halt" && !view.divergence ? "good" : view.exit.reason === "host-call" ? "wait" : "bad",
        NAMES[view.exit.reason],
        this.#exit(view),
      ];
    if (this.model.atStart)
      return ["none", "Ready", (program.opened.pixels ?? program.opened.example?.pixels) ? DRAWING : INVITATION];
    const stopped =
      view.stopped === "breakpoint" || breakpoints.has(view.pc)
        ? `Breakpoint at ${place}`
        : view.stopped === "stop"
          ? `Stopped at ${place}`
          : `At ${place}`;
    return ["none", "Paused", stopped];
  }

  #exit(view) {
    const { model } = this;
    const { reason, pc, address, call } = view.exit;
    const known = model.answerIsKnown ? "is answered as you go on." : "waits for an answer: see Host calls.";
    const texts = {
      halt: () => result(view),
      panic: () => `By the instruction at pc ${pc}.`,
      "page-fault": () => address === ARGUMENTS && !model.settings.args
        ? `It reads its arguments, at pc ${pc}, and there are none: give it some.`
        : `At ${hexAddress(address)}, by the instruction at pc ${pc}. Map the page, and go on.`,
      "host-call": () => `${this.calls.nameOf(call)} (${call}) at pc ${pc} ${known}`,
      "out-of-gas": () => `At pc ${pc}: ${grouped(view.gas)} left is not enough. Edit the gas to go on.`,
    };
    const text = texts[reason]();
    const plain = text.replace(/\.$/, "");
    if (view.divergence) return `${plain}. It had parted from the recorded run: ${divergenceText(view.divergence)}`;
    return model.replays ? `${plain}. Every call and the end are as recorded.` : text;
  }
}

function result(view) {
  const { result_length: length } = view;
  if (!length || !view.result?.length)
    return length ? `Result: ${plural(length, "byte")} that the guest may not read, so none` : "Empty result";
  const text = BigInt(view.result.length) === length && view.result.length <= 4096 ? printable(view.result) : null;
  if (text) return `"${text}"`;
  const bytes = toHex(view.result.subarray(0, SHOWN_BYTES)).replace(/(..)(?=.)/g, "$1 ");
  const number =
    length <= 8n ? ` = ${grouped(view.result.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n))}` : "";
  return `${bytes}${length > SHOWN_BYTES ? ` … (${plural(length, "byte")})` : number}`;
}

function speed(model) {
  if (model.state === "running") return model.rate ? `${short(model.rate)} instr/s` : "";
  const { milliseconds, tier } = model.view;
  if (!milliseconds || model.atStart) return "";
  const time = `${milliseconds < 10 ? milliseconds.toPrecision(2) : Math.round(milliseconds)} ms`;
  return [time, model.rate ? `${short(model.rate)} instr/s` : null, tier].filter(Boolean).join(", ");
}
