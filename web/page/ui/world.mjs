/**
 * The panel of the world: services refine and accumulate in it, host calls answered live, the state shown as it is at the
 * machine's moment, inner machines listed and entered.
 */

import { button, byId, field, h, setText } from "./dom.mjs";
import { grouped, plural } from "./format.mjs";
import { Nested } from "./nested.mjs";

const FIRST_SERVICE = "65536";
const STATE_SIZE = 112; // octets of gas and registers that `invoke` gives an inner machine
const ENDS = new Set(["halt", "panic", "out-of-gas", "page-fault"]);
const EXAMPLE = '{"slot": 100, "services": {"7": {"balance": 1000, "storage": {"key": "value"}}}}';

export class WorldPanel {
  /** Answers of Python come late: only the last request counts. */
  #asked = 0;
  #world = "";

  /** @param {import("./debugger.mjs").Debugger} model @param {import("./tabs.mjs").Tabs} tabs */
  constructor(model, tabs) {
    this.model = model;
    this.tabs = tabs;
    this.nested = new Nested(model);
    const text = (id, attributes) =>
      h("input", { type: "text", id, autocomplete: "off", spellcheck: false, ...attributes });
    this.payload = text("world-payload", { placeholder: "0x…, or text", size: 24 });
    this.service = text("world-service", { value: FIRST_SERVICE, inputmode: "numeric", size: 9 });
    this.world = h("textarea", { id: "world-text", rows: 8, spellcheck: false, placeholder: EXAMPLE, "aria-label": "World" });
    this.transfers = text("world-transfers", {
      placeholder: '[{"from": 7, "to": 65536, "amount": 5}]',
      size: 40,
    });
    this.refine = button("run", "Refine", { id: "world-refine", onclick: () => this.#begin("refine") });
    this.accumulate = button("run", "Accumulate", { id: "world-accumulate", onclick: () => this.#begin("accumulate") });
    this.next = button("goto", "Go on", { id: "world-next", class: "primary", hidden: true, onclick: () => this.#next() });
    this.leave = button("callBack", "Leave", { id: "world-leave", hidden: true, onclick: () => this.#leave() });
    this.said = h("output", { class: "world-said", id: "world-said", "aria-live": "polite" });
    this.problem = h("output", { class: "problem", id: "world-problem", "aria-live": "polite" });
    this.state = h("div", { class: "world-state", id: "world-state" });
    byId("panel-world").append(
      h(
        "div",
        { class: "scroll world" },
        h(
          "p",
          { class: "line" },
          field("Service", this.service, "Its number; a number that the world does not have gets this program"),
          field("Payload", this.payload, "Of the item in refine; for accumulate alone, the item's output"),
          this.refine,
          this.accumulate,
        ),
        h("p", { class: "line" }, this.said, this.next, this.leave, this.problem),
        this.state,
        h(
          "details",
          { class: "world-json" },
          h("summary", null, "The world as JSON, and transfers"),
          this.world,
          h("p", { class: "line" }, field("Transfers", this.transfers, "To begin accumulate with, as JSON")),
        ),
      ),
    );
    model.on("program", (program) => this.#program(program));
    model.on("view", () => this.#follow());
    model.python.on("restarted", () => this.#lost());
  }

  get #live() {
    return this.model.guest.live;
  }

  async #begin(entry) {
    const { model } = this;
    await this.#doing("Python works …", async () => {
      const { program } = model;
      if (!program) throw new Error("There is no program yet.");
      if (this.nested.depth) throw new Error("Leave the inner machine first.");
      const service = Number(this.service.value);
      if (!this.service.value.trim() || !Number.isInteger(service)) throw new Error("Service: a number is needed.");
      const found = await program.ask("world_begin", {
        entry,
        payload: this.payload.value,
        service,
        world: this.world.value,
        transfers: this.transfers.value,
      });
      await this.begun(found);
    });
  }

  async #next() {
    await this.#doing("Python works …", async () => this.begun(await this.model.python.call("world_next", {})));
  }

  /** An invocation has begun in Python: its program is shown at the start, and its calls are answered. */
  async begun(found) {
    const { model } = this;
    if (found.world) this.world.value = this.#world = found.world;
    this.next.hidden = true;
    if (!found.invocation) {
      model.guest.live = null;
      setText(this.said, found.said || "All is done; what changed is in the world.");
      this.state.replaceChildren(...(found.outcome ? outcome(found.outcome) : []));
      return;
    }
    const { what, service, preimage, args, gas, pc, spec } = found.invocation;
    const settings = { args: toHex(args), gas: String(gas), pc: String(pc), spec };
    const live = { what, service, handle: null };
    model.guest.live = null;
    await model.openInvocation(`service-${service}.jam`, preimage, settings, (program) => {
      live.handle = program.opened.handle;
      model.guest.live = live;
    });
    this.tabs.show("world");
    await this.#follow();
  }

  #program(program) {
    if (this.nested.depth && program.opened.handle !== this.nested.handle) this.nested.drop();
    if (this.#live && this.#live.handle !== program.opened.handle) this.#lost();
    this.refine.disabled = this.accumulate.disabled = program.opened.format === "plain";
  }

  #lost() {
    if (!this.#live) return;
    this.model.guest.live = null;
    setText(this.said, "");
    this.state.replaceChildren();
    this.next.hidden = true;
  }

  /** Shows the state at the machine's moment, and what an end came to. */
  async #follow() {
    const { model } = this;
    const { view } = model;
    this.leave.hidden = this.nested.depth === 0;
    if (this.nested.depth) {
      setText(this.said, `${model.program.opened.name} of ${this.nested.outerName}: what is done here stays here.`);
      this.next.hidden = true;
      return;
    }
    const live = this.#live;
    if (!live || !view) return;
    const asked = ++this.#asked;
    try {
      const found = await model.python.call("live_state", { index: view.answers });
      const ended = ENDS.has(view.exit?.reason) ? await this.#end(view) : null;
      if (asked !== this.#asked || this.#live !== live) return;
      setText(this.problem, "");
      setText(this.said, `${found.what}, ${plural(view.answers, "call")} answered${ended ? `: ${said(ended, view)}` : "."}`);
      this.next.hidden = !ended;
      setText(this.next.querySelector("span"), ended?.entry === "refine" ? "Accumulate it" : "Go on");
      this.state.replaceChildren(...this.#sections(found));
    } catch (error) {
      if (asked === this.#asked) setText(this.problem, error.message);
    }
  }

  async #end(view) {
    const { reason } = view.exit;
    const [at, length] = [view.registers[7], view.registers[8]];
    let result = view.result ?? new Uint8Array();
    if (reason === "halt" && BigInt(result.length) < view.result_length && length <= 1n << 24n) {
      result = (await this.model.read(Number(at & 0xffff_ffffn), Number(length))).bytes;
    }
    return this.model.python.call("live_end", { index: view.answers, reason, gas: view.gas, result });
  }

  *#sections(found) {
    if (found.balance !== undefined && found.balance !== null) yield line("Balance", grouped(found.balance));
    if (found.changes) yield* table("Changed", ["service", "what", "before", "after"], found.changes);
    if (found.more) yield h("p", { class: "soft" }, `${plural(found.more, "more change")}`);
    if (found.kept) yield line("A failure keeps", plural(found.kept, "change"));
    if (found.storage?.length) yield* table("Storage used", ["key", "value"], pairs(found.storage));
    yield* table("Transfers", ["to", "amount", "gas", "memo"], found.transfers ?? []);
    if (found.yielded) yield line("Yields", found.yielded);
    yield* table("Provides", ["service", "text"], found.provisions ?? []);
    yield* table("Privileges", ["what", "before", "after"], found.privileges ?? []);
    yield* table("Exports", ["index", "text"], found.exports ?? []);
    if (found.machines?.length) {
      yield* table("Inner machines", ["number", "pc", "code", "pages", "enter"], found.machines.map((machine) => ({
        ...machine,
        enter: button("call", "Enter", {
          class: "enter-inner",
          "aria-label": `Enter inner machine ${machine.number}`,
          onclick: () => this.#enter(machine.number),
        }),
      })));
    }
  }

  /** Shows an inner machine: at a call of `invoke` for it as that will run it, else as it lies there. */
  async #enter(number) {
    const { model } = this;
    await this.#doing("", async () => {
      const { view, program } = model;
      const params = { index: view.answers, machine: number };
      const name = view.exit?.reason === "host-call" ? model.hostCalls.nameOf(view.exit.call) : "";
      if (name === "invoke" && view.registers[7] === BigInt(number) && view.registers[8] + BigInt(STATE_SIZE) <= 2n ** 32n) {
        const { bytes } = await model.read(Number(view.registers[8]), STATE_SIZE);
        const [gas, ...registers] = new BigUint64Array(bytes.slice().buffer);
        Object.assign(params, { gas, registers: BigUint64Array.from(registers) });
      }
      await this.nested.enter(await program.ask("inner_open", params));
    });
  }

  async #leave() {
    await this.#doing("", () => this.nested.leave());
  }

  async #doing(text, work) {
    const buttons = [this.refine, this.accumulate, this.next, this.leave];
    setText(this.problem, text);
    for (const one of buttons) one.disabled = true;
    try {
      await work();
      setText(this.problem, "");
    } catch (error) {
      setText(this.problem, error.message);
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  }
}

const toHex = (bytes) => Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join("");
const pairs = (rows) => rows.map(([key, value]) => ({ key, value: value ?? "–" }));
const line = (name, text) => h("p", { class: "world-line" }, h("span", { class: "field-name" }, name), " ", text);

function said({ output, gas_used: gas, transfers, exports }, view) {
  const what = view.exit.reason === "halt" ? `output ${output ?? "none"}` : view.exit.reason;
  const more = [transfers && plural(transfers, "transfer"), exports && plural(exports, "export")].filter(Boolean);
  return [what, `${grouped(gas)} gas`, ...more].join(", ");
}

function* table(title, columns, rows) {
  if (!rows.length) return;
  yield h(
    "table",
    { class: "world-table" },
    h("caption", null, title),
    h("thead", null, h("tr", null, ...columns.map((name) => h("th", { scope: "col" }, name === "enter" ? "" : name)))),
    h(
      "tbody",
      null,
      ...rows.map((row) =>
        h("tr", null, ...columns.map((name) => h("td", null, row[name] instanceof Node ? row[name] : String(row[name])))),
      ),
    ),
  );
}

function outcome({ gas_used: gas, invocations, outputs, changes }) {
  return [
    line("Gas", `${grouped(gas)} in ${plural(invocations.length, "invocation")}`),
    ...table("Changed", ["service", "what", "before", "after"], changes),
    ...table("Yields", ["service", "text"], outputs),
  ];
}
