/**
 * The one model behind all panels: the program, the settings it starts with, and the machine in the guest worker.
 *
 * Events: "program" (another one), "view" (the machine moved or was changed), "state" (what can be done now),
 * "settings", "breakpoints", "progress" ({log, instructions_per_second} while running), "problem" ({where, message}).
 */

import { HostCalls } from "./host_calls.mjs";
import { Opener } from "./opening.mjs";
import { recall, remember } from "./remembered.mjs";
import { Standing } from "./standing.mjs";
import { argsOf, checkSettings, DEFAULT_GAS, Images, machineParts, startOf, withPages } from "./starting.mjs";
import { Translations } from "./translations.mjs";
import { ownMetering, sentence } from "./words.mjs";

const STOP_WITHIN = 2000; // milliseconds in which a run has to answer a stop; then its worker is ended
const STEPS_BY_RUNNING = 256; // more than that many instructions are run, and can be stopped
const REPLACED_AGAIN = 5000; // milliseconds after which a worker that is gone is replaced by itself once more
const MEASURABLE = 100_000; // instructions from which on the speed of a run can be told
const SHOWN_AFTER = 200; // milliseconds after which a step that still goes on is shown as running, to be stopped

export class Debugger extends Standing {
  /** What the machine is busy with, for people. */
  doing = "";
  /** Instructions a second, null for full speed. @type {number|null} */
  pace = null;
  rate = 0;
  /** Whether settings changed that apply from the next reset on. */
  stale = false;
  /** Those of the version in use: there as soon as there is a machine. @type {HostCalls|null} */
  hostCalls = null;
  /** The setting that nothing can start with. @type {string|null} */
  wrong = null;
  /** Whether the machine counts its instructions; only the interpreter can. */
  isCounting = false;
  heat = recall("heat", "on") === "on";
  /** @type {import("./types.mjs").Settings} */
  settings = {
    args: "",
    gas: DEFAULT_GAS,
    pc: "0",
    pages: [], // rights that were changed before the start: address, length, access
    spec: "0.7.2",
    metering: recall("metering", "instruction"),
    tier: recall("tier", "auto"),
  };
  #opener;
  #images = new Images();
  #pending = null;
  /** What is being changed by hand: one thing after the other, and whoever moves the machine waits for it. */
  #edits = Promise.resolve();
  #began = {};
  #replaced = -Infinity;
  #repace = false;
  #generation = 0;

  /** @param {import("./python.mjs").Python} python */
  constructor(python) {
    super();
    this.python = python;
    this.#opener = new Opener(python);
    this.translations = new Translations(this);
    this.guest.onevent(
      ({ event, message }) => event === "error" && this.#replace(`The machine's worker has ended: ${message}.`),
    );
    python.on("restarted", () => {
      this.program?.lose();
      this.#images.clear();
    });
  }

  // --- programs ----------------------------------------------------------------------------------------------------

  /** Promises those that the build has made. */
  examples = () => this.#opener.examples();

  /** Opens an example as the build has made it: without Python. @param {string} name @param {object} [settings] */
  async openExample(name, settings = {}) {
    const examples = await this.examples();
    if (!examples.some((known) => known.name === name)) throw new Error(`there is no example "${name}"`);
    await this.#opening(`Loading ${name}`, () => this.#opener.example(name, settings.spec), settings);
  }

  /** Opens bytes of any kind that Python knows. @param {string} name @param {Uint8Array} data @param {string} format */
  async openBytes(name, data, format = "auto", settings = {}) {
    const spec = settings.spec ?? this.settings.spec;
    const doing = `Reading ${name}`;
    const show = ({ fraction }) => {
      if (this.state === "loading") this.#setState("loading", `${doing}: ${Math.round(100 * fraction)} %`);
    };
    const open = () => this.#opener.bytes({ name, data, format }, spec, null, show);
    await this.#opening(doing, open, { ...settings, spec });
  }

  /** Opens a recorded run as one of the program that is open, whatever program it names itself, if any. */
  async openTrace(name, data) {
    const { spec } = this.settings;
    const origin = { name, data, format: "trace", program: this.program.opened.data };
    await this.#opening(`Reading ${name}`, () => this.#opener.bytes(origin, spec), { spec });
  }

  /** Opens what the editor has assembled. @param {import("./types.mjs").Opened} opened */
  async openAssembled(opened) {
    const before = this.program;
    const keep = before && before.opened.source !== null ? this.settings : {};
    const open = () => this.#opener.assembled(opened, before);
    await this.#opening("Loading the assembled program", open, { ...keep, spec: opened.spec });
  }

  /**
   * Opens an invocation's code with its start, unless that code is open. `begin` gets the program before the machine is
   * made that runs it.
   */
  async openInvocation(name, data, settings, begin) {
    const { opened } = this.program ?? {};
    const isOpen = opened && !opened.trace && opened.spec === settings.spec && isSame(opened.data, data);
    if (isOpen) this.settings = { ...this.settings, ...settings, pages: [] };
    else await this.openBytes(name, data, "jam", settings);
    begin(this.program);
    await this.reset();
  }

  /** Opens a program that Python has opened, such as an inner machine. @param {import("./types.mjs").Opened} opened */
  async openKnown(opened) {
    await this.#opening(`Loading ${opened.name}`, () => this.#opener.known(opened), { spec: opened.spec });
  }

  /** Shows a program again whose machine stands in the guest worker. */
  async resume({ program, settings, breakpoints }) {
    const generation = ++this.#generation;
    Object.assign(this, { program, settings, breakpoints, before: null, view: null });
    for (const event of ["program", "settings", "breakpoints"]) this.emit(event, program);
    const { abi } = await machineParts();
    this.hostCalls = new HostCalls(abi.HOST_CALLS, program.opened.spec, program.opened.imports);
    const view = await this.guest.call("view");
    if (generation === this.#generation) this.#accept(view);
  }

  /** Runs `open` to get a program, and shows that; on failure what was there stays. */
  async #opening(doing, open, settings) {
    await this.stop();
    const generation = ++this.#generation;
    const { ready, text } = this.python.status;
    this.#setState("loading", ready ? doing : `${doing} (${text.toLowerCase()})`);
    let program;
    try {
      program = await open();
    } catch (error) {
      if (generation === this.#generation) this.#rest();
      throw error;
    }
    if (generation !== this.#generation) return;
    this.program = program;
    this.breakpoints = new Set();
    const own = program.opened.spec === this.settings.spec ? {} : { metering: ownMetering(program.opened.spec) };
    this.settings = { ...this.settings, ...own, pages: [], ...startOf(program.opened), ...settings };
    if (program.opened.format === "plain") this.settings.args = "";
    this.answersFromTrace = program.opened.trace !== null;
    this.before = this.view = null;
    this.emit("program", program);
    this.emit("settings");
    await this.reset();
  }

  // --- settings ----------------------------------------------------------------------------------------------------

  /** Sets one setting. At the start it applies at once, later from the next reset on. */
  async change(name, value) {
    if (name === "heat") {
      this.heat = value;
      remember("heat", value ? "on" : "off");
    } else {
      this.settings = { ...this.settings, [name]: value };
      // The version's own way to charge, until somebody chooses another.
      if (name === "spec") this.settings.metering = ownMetering(value);
      if (name === "metering" || name === "tier") remember(name, value);
    }
    this.emit("settings");
    if (!this.program || (name === "tier" && !this.heat)) return;
    if (this.view && !this.atStart) {
      this.stale = true;
      this.emit("settings");
      this.#check();
    } else {
      await this.reset();
    }
  }

  /** The bytes of the arguments. Throws with `where` if the text is none. */
  get args() {
    return argsOf(this.settings);
  }

  /** Says what is wrong with the settings, which apply later. */
  #check() {
    try {
      checkSettings(this.program, this.settings);
      this.emit("problem", null);
    } catch (error) {
      this.problem(error);
    }
  }

  /** Whether host calls are answered from the program's trace. From the next reset on, or at once at the start. */
  async answerFromTrace(fromTrace) {
    this.answersFromTrace = fromTrace;
    await this.change("spec", this.settings.spec);
  }

  /** The machine anew, from its start, with the settings as they are. */
  async reset({ keepMessage = false } = {}) {
    if (!this.program) return;
    await this.stop();
    const generation = ++this.#generation;
    this.#setState("loading", "Preparing the machine");
    try {
      if (this.program.opened.spec !== this.settings.spec) await this.#changeSpec();
      const made = await this.#images.of(this.program, this.settings);
      const image = withPages(made, this.settings.pages);
      const parts = await machineParts();
      if (generation !== this.#generation) return;
      const { trace, spec, imports } = this.program.opened;
      this.hostCalls = new HostCalls(parts.abi.HOST_CALLS, spec, imports);
      const counts = this.heat && this.settings.tier !== "recompiler";
      this.isCounting = counts;
      this.#began = trace ? { memory: trace.memory } : { args: this.args };
      const view = await this.guest.call("load", {
        ...parts,
        counting: counts ? parts.counting : null,
        image,
        counts,
        answers: trace && this.answersFromTrace ? { kind: "trace", trace, verify: true } : null,
      });
      this.translations.loaded();
      if (generation !== this.#generation) return;
      this.stale = false;
      this.wrong = null;
      this.view = null;
      if (!keepMessage) this.emit("problem", null);
      this.#accept(view);
      this.emit("settings");
      const doubt = this.program.doubt(view.pc);
      if (doubt) this.problem(Object.assign(new Error(doubt), { where: "pc" }));
    } catch (error) {
      if (generation === this.#generation) {
        this.wrong = error.where ?? null;
        if (this.wrong) this.view = null; // what stands there is not what was asked for
        this.#rest(sentence(error.message));
      }
      this.problem(error);
    }
  }

  async #changeSpec() {
    const { origin, opened } = this.program;
    this.program = await this.#opener.bytes(origin, this.settings.spec, opened.example);
    this.breakpoints = new Set([...this.breakpoints].filter((pc) => this.program.has(pc)));
    this.emit("program", this.program);
    this.emit("breakpoints");
  }

  // --- moving ------------------------------------------------------------------------------------------------------

  get canMove() {
    return this.state === "paused" && this.#pending === null;
  }

  get canBack() {
    return (
      (this.state === "paused" || this.state === "ended") && this.#pending === null && this.view?.can_back === true
    );
  }

  /** Runs to an exit, a breakpoint, `until`, or `budget` instructions. */
  async run({ until = "exit", budget = null, extra = [], stops = true } = {}) {
    if (!this.canMove) return;
    const params = { breakpoints: Uint32Array.from([...(stops ? this.breakpoints : []), ...extra]), until, log: true };
    await this.#move(
      "Running",
      async () => {
        await this.translations.prepare();
        for (;;) {
          this.#repace = false;
          const view = await this.guest.call(
            "run",
            { ...params, budget, pace: this.pace },
            {
              onprogress: (progress) => this.#progress(progress),
            },
          );
          if (!(this.#repace && view.stopped === "stop")) return view;
        }
      },
      "running",
    );
  }

  /** @param {"instruction"|"block"} unit @param {number} count */
  async step(unit, count = 1) {
    if (!this.canMove) return;
    // Metered by block, an instruction is no unit of gas.
    const canRun = unit === "instruction" && this.settings.metering === "instruction" && !this.stale;
    if (canRun && count > STEPS_BY_RUNNING) return this.run({ budget: BigInt(count) });
    await this.#move("Stepping", () => this.guest.call("step", { count, unit }));
  }

  /** @param {"instruction"|"block"|"call"|"breakpoint"|"start"} unit @param {number} count */
  async back(unit, count = 1) {
    if (!this.canBack) return;
    const onprogress = ({ fraction }) => this.says(`Going back: ${Math.round(100 * fraction)} %`);
    const params = { count, unit, breakpoints: Uint32Array.from(this.breakpoints) };
    await this.#move("Going back", () => this.guest.call("back", params, { onprogress }));
  }

  /** Whether the machine can be taken to another place of the known run. */
  get canSeek() {
    return (this.state === "paused" || this.state === "ended") && this.#pending === null;
  }

  /** Takes the machine to a host call by its index, to gas used, or to the end of what is known of the run. */
  async seek(target) {
    if (this.canSeek) await this.#move("Going there", () => this.guest.call("seek", target));
  }

  /** Answers the host call at which the machine stands. */
  async answer(answer) {
    if (!this.atCall || this.#pending) return;
    await this.#move("Answering", () => this.guest.call("answer", answer));
  }

  /** Ends a run. If the worker does not answer in time it is ended, and the machine starts anew. */
  async stop() {
    const pending = this.#pending;
    if (!pending) return;
    this.#repace = false;
    this.translations.cancel();
    this.guest.call("stop", {}).catch(() => {});
    const stopped = await Promise.race([
      pending.then(() => true),
      new Promise((resolve) => {
        setTimeout(() => resolve(false), STOP_WITHIN);
      }),
    ]);
    if (!stopped) await this.#replace("The program did not stop in time. Its worker was ended.");
  }

  /** Another worker for one that is gone, and a machine in it, unless that has just been tried. */
  async #replace(reason) {
    this.guest.restart();
    this.#pending = null;
    this.view = this.before = null;
    const now = performance.now();
    const again = now - this.#replaced > REPLACED_AGAIN;
    this.#replaced = now;
    this.problem(new Error(again ? `${reason} The machine starts anew.` : reason));
    if (again) await this.reset({ keepMessage: true });
    else this.#setState("empty", "Press Reset to try again.");
  }

  /** Sets the pace, also of a run under way. @param {number|null} pace */
  setPace(pace) {
    if (pace === this.pace) return;
    this.pace = pace;
    if (this.state !== "running" || this.#repace) return;
    this.#repace = true;
    this.guest.call("stop", {}).catch(() => {});
  }

  async #move(doing, work, state = null) {
    const generation = this.#generation;
    let finish = () => {};
    const pending = new Promise((resolve) => {
      finish = () => resolve(undefined);
    });
    this.#pending = pending;
    const from = this.view;
    const usedBefore = from?.gas_used ?? 0n;
    this.rate = 0;
    this.before = from;
    const timer = setTimeout(
      () => this.#pending === pending && this.#setState("running", doing),
      state ? 0 : SHOWN_AFTER,
    );
    if (state) this.#setState(state, doing);
    try {
      const view = await this.#edits.then(work);
      if (this.#pending === pending) this.#pending = null;
      const used = Number(view.gas_used - usedBefore);
      this.rate = view.milliseconds > 0 && used >= MEASURABLE ? (used * 1000) / view.milliseconds : 0;
      if (generation === this.#generation) this.#accept(view, from);
    } catch (error) {
      if (this.#pending === pending) {
        this.#pending = null;
        if (generation === this.#generation) this.#rest();
        this.problem(error);
      }
    } finally {
      clearTimeout(timer);
      finish();
    }
  }

  #progress({ view, log, instructions_per_second: rate }) {
    this.rate = rate;
    this.translations.lasted(view.milliseconds);
    this.view = view;
    this.emit("progress", { log });
  }

  /** @param {object|null} from how the machine was before: what has changed is told against that */
  #accept(view, from = this.view) {
    this.before = from;
    this.view = view;
    this.#rest();
    this.emit("view", view);
  }

  /** The state of a machine that does nothing. @param {string} why there is none, where that is so */
  #rest(why = "") {
    const over = ["halt", "panic"].includes(this.view?.exit?.reason);
    this.#setState(this.view ? (over ? "ended" : "paused") : "empty", why);
  }

  /** Says what a run waits for; "" when it waits for nothing. @param {string} text */
  says(text) {
    if (this.state !== "running") return;
    this.doing = text || "Running";
    this.emit("state");
  }

  #setState(state, doing = "") {
    this.state = state;
    this.doing = doing;
    this.emit("state");
  }

  // --- looking and changing ----------------------------------------------------------------------------------------

  /** The run so far, for `trace_text`: with what lay in memory at its start. */
  async recording() {
    const { start, ...rest } = await this.guest.call("recording", {});
    return { start: start.memory ? start : { ...start, ...this.#began }, ...rest };
  }

  /** Changes registers, gas or pc of the paused machine. */
  async set(change) {
    await this.#edit(() => this.guest.call("set", { registers: {}, gas: null, pc: null, ...change }));
  }

  /** Changes one byte to what `work` makes of it. */
  async changeByte(address, work) {
    await this.#edit(async () => {
      const { bytes } = await this.read(address, 1);
      return this.guest.call("write", { address, bytes: Uint8Array.of(work(bytes[0])) });
    });
  }

  async write(address, bytes) {
    await this.#edit(() => this.guest.call("write", { address, bytes }));
  }

  /** Changes rights of pages; before the start that is part of the settings. */
  async map(address, length, access) {
    if (this.atStart) return this.change("pages", [...this.settings.pages, [address, length, access]]);
    await this.#edit(() => this.guest.call("map", { address, length, access }));
  }

  async #edit(work) {
    if (this.state === "running" || this.state === "loading" || this.#pending) {
      throw new Error("Stop the program first: only a paused machine can be changed.");
    }
    const done = this.#edits.then(work);
    this.#edits = done.catch(() => {});
    this.#accept(await done);
  }
}

const isSame = (one, other) => one.length === other.length && one.every((octet, index) => octet === other[index]);
