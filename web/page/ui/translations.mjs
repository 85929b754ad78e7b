/** The tier: when the program is translated to WebAssembly of its own, and when the machine uses that. */

const AUTO_LIMIT = 20_000; // instructions: more take Python longer than "auto" may keep it busy

/** Translations of the debugger's program, by metering. */
export class Translations {
  #made = new Map();
  #program = null;
  #linked = false;

  /** @param {import("./debugger.mjs").Debugger} owner */
  constructor(owner) {
    this.owner = owner;
  }

  /** A new machine was loaded: nothing is linked to it. */
  loaded() {
    this.#linked = false;
    if (this.#program !== this.owner.program) this.#made.clear();
    this.#program = this.owner.program;
  }

  /** Links or unlinks the machine as the tier wants. The recompiler is waited for; "auto" takes what is there. */
  async prepare() {
    const { settings: { metering }, isCounting } = this.owner;
    const tier = isCounting ? "interpreter" : this.owner.settings.tier;
    const built = this.#program.built?.translations?.[metering];
    if (built && !this.#made.has(metering)) this.#made.set(metering, built);
    if (tier === "recompiler") await this.#make(metering);
    const translation = tier === "interpreter" ? null : this.#made.get(metering) ?? null;
    const wanted = translation && !translation.declined ? translation : null;
    if (tier === "recompiler" && translation?.declined) {
      this.owner.emit("problem", { where: "tier", message: `The interpreter runs it: ${translation.declined}.` });
    }
    if (wanted && !this.#linked) await this.owner.link(wanted);
    else if (!wanted && this.#linked) await this.owner.link(null);
    this.#linked = wanted !== null;
    if (tier === "auto" && !translation && this.#program.count <= AUTO_LIMIT && this.owner.python.status.ready) {
      this.#make(metering).catch(() => {}); // for the next run
    }
  }

  async #make(metering) {
    if (this.#made.has(metering)) return;
    const program = this.#program;
    this.owner.emit("translating", 0);
    try {
      const translation = await program.ask("translate", { metering }, {
        onprogress: (progress) => this.owner.emit("translating", progress.fraction ?? progress),
      });
      if (program === this.#program) this.#made.set(metering, translation);
    } finally {
      this.owner.emit("translating", null);
    }
  }
}
