/**
 * The guest's machine with its host calls answered live: by an invocation that Python holds (`web.bridge.live`).
 *
 * In: the requests that the guest worker takes. Out: its views. At a call without an answer, the answer is asked for at
 * once and told as what is pending; it is given when the machine moves on. Without an invocation it only hands on.
 */

const PREFETCHED = 4096n; // octets behind a parameter that are handed over unasked
const SPACE = 1n << 32n;

/** @typedef {{handle: string, what: string, service: number}} Invocation */

export class LiveGuest {
  /** The worker of the machine. @type {import("../shared/workers.mjs").WorkerClient} */
  client;
  /** The invocation whose calls are answered; null: none. @type {Invocation|null} */
  live = null;
  /** Asks Python. @type {(method: string, params: object) => Promise<any>} */
  #ask;
  /** The calls by number: parameters with their lengths. @type {() => import("./host_calls.mjs").HostCalls|null} */
  #hostCalls;
  #onproblem;
  /** The view at whose call the machine stands, with the answer that Python has given. */
  #standing = null;
  #stopAsked = false;

  constructor(client, { ask, hostCalls, onproblem }) {
    this.client = client;
    this.#ask = ask;
    this.#hostCalls = hostCalls;
    this.#onproblem = onproblem;
  }

  onevent(callback) {
    return this.client.onevent(callback);
  }

  restart() {
    this.client.restart();
  }

  terminate() {
    this.client.terminate();
  }

  async call(method, params = {}, options = {}) {
    if (method === "stop") this.#stopAsked = true;
    if (!this.live) return this.client.call(method, params, options);
    if (method === "run") return this.#run(params, options);
    if (method === "step") return this.#step(params, options);
    if (method === "answer") await this.#forget();
    const found = await this.client.call(method, params, options);
    return found && typeof found === "object" && "can_back" in found ? this.#look(found) : found;
  }

  /** Runs on past calls that are answered. */
  async #run(params, options) {
    this.#stopAsked = false;
    let { budget = null } = params;
    let milliseconds = 0;
    let view = await this.#give();
    for (;;) {
      if (view?.exit) return view;
      if (this.#stopAsked) return view ? { ...view, stopped: "stop" } : this.client.call("view");
      const before = view?.gas_used;
      view = await this.#look(await this.client.call("run", { ...params, budget }, options));
      milliseconds += view.milliseconds;
      view.milliseconds = milliseconds;
      if (this.#standing?.view !== view || params.until === "call") return view;
      if (budget !== null && before !== undefined) budget -= view.gas_used - before;
      if (budget !== null && budget <= 0n) return view;
      view = await this.#give();
      view.milliseconds = milliseconds;
    }
  }

  async #step(params, options) {
    const view = await this.#give();
    return view?.exit ? view : this.#look(await this.client.call("step", params, options));
  }

  /** Gives the answer that the machine waits for, unless it is one that the machine knows itself; the view after it. */
  async #give() {
    const standing = this.#standing;
    this.#standing = null;
    if (!standing || standing.view.can_forward) return null;
    return this.client.call("answer", standing.answer);
  }

  async #forget() {
    const index = this.#standing?.view.answers;
    this.#standing = null;
    if (index !== undefined) await this.#ask("live_forget", { index });
  }

  /** Asks for the answer where the machine stands at a call that has none. */
  async #look(view) {
    this.#standing = null;
    const isOpen = view.exit?.reason === "host-call" && !view.pending && view.stopped !== "divergence";
    if (!isOpen) return view;
    try {
      const answer = await this.#answerOf(view);
      view.pending = answer;
      this.#standing = { view, answer };
    } catch (error) {
      this.#onproblem(error);
    }
    return view;
  }

  async #answerOf(view) {
    const call = {
      index: view.answers, number: view.exit.call, gas: view.gas, registers: view.registers,
      pages: await this.client.call("pages", {}),
    };
    const memory = await this.#prefetched(view);
    for (;;) {
      const found = await this.#ask("live_answer", { ...call, memory });
      if (found.answer) return found.answer;
      memory.push(await this.#piece(found.needs.address, found.needs.length));
    }
  }

  async #prefetched(view) {
    const wanted = (this.#hostCalls()?.parametersOf(view.exit.call, view.registers) ?? []).filter(
      ({ value, length }) => length && length <= PREFETCHED && value + length <= SPACE,
    );
    return Promise.all(wanted.map(({ value, length }) => this.#piece(Number(value), Number(length))));
  }

  async #piece(address, length) {
    const { bytes } = await this.client.call("read", { address, length });
    return { address, bytes };
  }
}
