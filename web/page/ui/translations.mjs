/** The tier: when the program is translated to WebAssembly of its own, and when the machine uses that. */

const AUTO_LIMIT = 20_000; // instructions: more take Python longer than "auto" may keep it busy

const COUNTED = 1000; // milliseconds of a run that are counted for the heat map

/** Translations of the debugger's program, by metering. */
export class Translations {
  #made = new Map();
  #program = null;
  #linked = false;
  #changing = false;
  #cancel = (_error) => {};

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
    const {
      settings: { metering },
      isCounting,
    } = this.owner;
    const tier = isCounting && !this.#linked ? "interpreter" : this.owner.settings.tier;
    const built = this.#program.built?.translations?.[metering];
    if (built && !this.#made.has(metering)) this.#made.set(metering, built);
    if (tier === "recompiler") await this.#waitFor(metering);
    const translation = tier === "interpreter" ? null : (this.#made.get(metering) ?? null);
    const wanted = translation && !translation.declined ? translation : null;
    if (tier === "recompiler" && translation?.declined) {
      this.owner.emit("problem", { where: "tier", message: `The interpreter runs it: ${translation.declined}.` });
    }
    if (wanted && !this.#linked) await this.owner.link(wanted);
    else if (!wanted && this.#linked) await this.owner.link(null);
    this.#linked = wanted !== null;
    if (tier === "auto" && !translation && this.#program.count <= AUTO_LIMIT && this.owner.python.status.ready) {
      this.#changeOver(metering);
    }
  }

  /** Translates in the background, and links as soon as that is done: the run under way changes over. */
  async #changeOver(metering) {
    const program = this.#program;
    try {
      await this.#make(metering);
      const translation = this.#made.get(metering);
      if (
        program !== this.owner.program ||
        metering !== this.owner.settings.metering ||
        !translation ||
        translation.declined
      )
        return;
      if (this.owner.settings.tier !== "auto" || this.#linked) return;
      await this.owner.link(translation);
      this.#linked = true;
    } catch {
      // The interpreter goes on.
    }
  }

  /**
   * Counting for the heat map is the interpreter's. A run at full speed that has lasted for so many milliseconds is to
   * be fast rather than counted: under "auto" it changes over, too.
   */
  lasted(milliseconds) {
    const { owner } = this;
    if (
      milliseconds < COUNTED ||
      this.#linked ||
      this.#changing ||
      owner.settings.tier !== "auto" ||
      !owner.isCounting ||
      owner.pace
    )
      return;
    const { metering } = owner.settings;
    const built = this.#program.built?.translations?.[metering];
    if (built) this.#made.set(metering, built);
    if (!built && (this.#program.count > AUTO_LIMIT || !owner.python.status.ready)) return;
    this.#changing = true;
    this.#changeOver(metering).finally(() => {
      this.#changing = false;
    });
  }

  /** Whether translated code, which does not count, has run instead of the counting interpreter. */
  get tookOver() {
    return this.#linked;
  }

  /** Ends a wait for a translation; Python goes on with it. */
  cancel() {
    this.#cancel(new Error("stopped before the translation was done"));
  }

  async #waitFor(metering) {
    const cancelled = new Promise((_, reject) => {
      this.#cancel = reject;
    });
    cancelled.catch(() => {});
    try {
      await Promise.race([this.#make(metering), cancelled]);
    } finally {
      this.#cancel = () => {};
    }
  }

  async #make(metering) {
    if (this.#made.has(metering)) return;
    const program = this.#program;
    const show = (fraction) => this.owner.says(`Translating the program: ${Math.round(100 * fraction)} %`);
    show(0);
    try {
      const translation = await program.ask(
        "translate",
        { metering },
        {
          onprogress: (progress) => show(progress.fraction ?? progress),
        },
      );
      if (program === this.#program) this.#made.set(metering, translation);
    } finally {
      this.owner.says("");
    }
  }
}
