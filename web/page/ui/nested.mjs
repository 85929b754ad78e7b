/** Inner machines entered by the debugger: each in a worker of its own, the outer ones wait as they stand. */

import { WorkerClient } from "../shared/workers.mjs";

export class Nested {
  /** What waits, outermost first. */
  #outer = [];
  /** Of the inner machine that is shown. */
  handle = null;

  /** @param {import("./debugger.mjs").Debugger} model */
  constructor(model) {
    this.model = model;
  }

  /** How deep the machine is that is shown. */
  get depth() {
    return this.#outer.length;
  }

  /** The name of the program that waits for the one that is shown. */
  get outerName() {
    return this.#outer.at(-1)?.program.opened.name ?? "";
  }

  /** Shows a machine that Python has opened in place of the one that stands. */
  async enter(opened) {
    const { model } = this;
    const { program, settings, breakpoints } = model;
    const { client, live } = model.guest;
    this.#outer.push({ program, settings, breakpoints, client, live });
    model.guest.client = new WorkerClient(new URL("../guest/worker.mjs", import.meta.url), { name: "inner" });
    model.guest.live = null;
    this.handle = opened.handle;
    try {
      await model.openKnown(opened);
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /** Back to the machine outside, which stands where it stood. */
  async leave() {
    const outer = this.#outer.pop();
    if (!outer) return;
    const { model } = this;
    await model.stop();
    model.guest.terminate();
    model.guest.client = outer.client;
    model.guest.live = outer.live;
    await model.resume(outer);
  }

  /** Another program is opened: those that wait are ended. */
  drop() {
    for (const { client } of this.#outer.splice(0)) client.terminate();
  }
}
