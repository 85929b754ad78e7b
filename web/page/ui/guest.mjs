/** What the machine in the guest worker is asked without moving it. In: requests. Out: bytes, pages, counts, calls. */

import { WorkerClient } from "../shared/workers.mjs";
import { Emitter } from "./events.mjs";
import { LiveGuest } from "./live_guest.mjs";

export class Guest extends Emitter {
  /** The worker in which the machine is, and who answers its host calls. */
  guest = new LiveGuest(new WorkerClient(new URL("../guest/worker.mjs", import.meta.url), { name: "guest" }), {
    ask: (method, params) => this.python.call(method, params),
    hostCalls: () => this.hostCalls,
    onproblem: (error) => this.problem(error),
  });

  /** @returns {Promise<{bytes: Uint8Array, access: Uint8Array}>} */
  read(address, length) {
    return this.guest.call("read", { address, length });
  }

  /** @returns {Promise<{address: number, length: number, access: number}[]>} */
  pages() {
    return this.guest.call("pages", {});
  }

  search(bytes, from, backwards) {
    return this.guest.call("search", { bytes, from, backwards });
  }

  counts() {
    return this.guest.call("counts", {});
  }

  /** The host calls so far. @returns {Promise<import("./types.mjs").CallEntry[]>} */
  log() {
    return this.guest.call("log", {});
  }

  /** Those that came after, as far as they are kept. @returns {Promise<import("./types.mjs").CallEntry[]>} */
  later() {
    return this.guest.call("later", {});
  }

  /** Where calls, stops at breakpoints and the divergence are, in gas used. @returns {Promise<object>} */
  timeline() {
    return this.guest.call("timeline", {});
  }

  link(translation) {
    return this.guest.call("link", { translation });
  }
}
