/**
 * The Python worker as the page sees it: whether it is ready, how far it has loaded, and calls that wait until it is.
 */

import { WorkerClient } from "../shared/workers.mjs";
import { Emitter } from "./events.mjs";

const STEPS = {
  download: "Downloading Python",
  python: "Starting Python",
  package: "Loading the package",
  ready: "Ready",
};

const MOST_RESTARTS = 5; // by itself, after Python has died
const BUSY_AFTER = 4000; // milliseconds of one call after which starting Python anew is offered

/** Emits "status" with {ready, text, fraction, failed}, "busy" when a call takes long or is over, "restarted". */
export class Python extends Emitter {
  status = { ready: false, text: "Loading Python", fraction: 0, failed: /** @type {string|null} */ (null) };
  #client;
  #ready;
  #settle;
  #restarts = 0;

  constructor() {
    super();
    this.#start();
  }

  #start() {
    this.#ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#ready.catch(() => {});
    this.#client = new WorkerClient(new URL("../python/worker.mjs", import.meta.url), { name: "python" });
    this.#client.onevent((event) => this.#loading(event));
  }

  #loading(event) {
    if (event.event === "error" && this.status.ready && this.#restarts < MOST_RESTARTS) {
      this.#restarts++;
      this.restart();
    } else if (event.event === "failed" || event.event === "error") {
      this.#set({
        ready: false,
        failed: event.message ?? "Python could not be loaded",
        text: "Python is not available",
        fraction: 0,
      });
      this.#settle.reject(new Error(`this needs Python, which could not be loaded: ${this.status.failed}`));
    } else if (event.event === "loading") {
      const ready = event.step === "ready";
      this.#set({
        ready,
        failed: null,
        text: STEPS[event.step] ?? "Loading Python",
        fraction: ready ? 1 : (event.fraction ?? 0),
      });
      if (ready) this.#settle.resolve(undefined);
    }
  }

  #set(status) {
    this.status = status;
    this.emit("status", status);
  }

  /** Resolves when Python is ready. */
  get ready() {
    return this.#ready;
  }

  /**
   * Waits for Python, then calls.
   * @param {string} method
   * @param {object} params
   * @param {object} [options]
   * @returns {Promise<any>}
   */
  async call(method, params, options) {
    await this.#ready;
    const client = this.#client;
    const busy = setTimeout(() => this.emit("busy", true), BUSY_AFTER);
    try {
      return await client.call(method, params, options);
    } finally {
      clearTimeout(busy);
      this.emit("busy", false);
    }
  }

  /** Ends whatever Python is doing; it loads anew. Handles of programs are lost. */
  restart() {
    this.#client.terminate();
    this.#settle.reject(new Error("Python was started anew"));
    this.#set({ ready: false, failed: null, text: "Loading Python", fraction: 0 });
    this.#start();
    this.emit("restarted");
  }
}
