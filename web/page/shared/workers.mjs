/**
 * Requests to a worker, and the values of files that the build wrote.
 *
 * A request is `{id, method, params}`; the worker answers it with one `{id, result}` or `{id, error}`, and before that
 * with any number of `{id, progress}`. What has no id is an event: `{event, …}`.
 *
 * @typedef {{message: string, where?: string, line?: number, column?: number}} Failure
 * @typedef {(value: any) => void} Callback
 * @typedef {{resolve: Callback, reject: Callback, onprogress?: Callback}} Pending
 */

/** What calls fail with that a worker did not get to answer. */
export const STOPPED = "stopped";

/** An error that a worker answered with, and what it is about. */
export class RequestError extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(failure.message);
    this.name = "RequestError";
    this.where = failure.where ?? null;
    this.line = failure.line ?? null;
    this.column = failure.column ?? null;
  }
}

/** A worker, called by method. Every call resolves or rejects exactly once, also when the worker dies. */
export class WorkerClient {
  #url;
  #name;
  /** @type {Worker|null} */
  #worker = null;
  #lastId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  /** @type {Set<(event: any) => void>} */
  #listeners = new Set();

  /**
   * @param {URL|string} url of a module
   * @param {{name?: string}} [options]
   */
  constructor(url, { name = "" } = {}) {
    this.#url = url;
    this.#name = name;
    this.#start();
  }

  /** Whether there is a worker to answer calls. */
  get isAlive() {
    return this.#worker !== null;
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {{onprogress?: (progress: any) => void, transfer?: Transferable[]}} [options]
   * @returns {Promise<any>} rejects with a RequestError
   */
  call(method, params = {}, { onprogress, transfer = [] } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#worker === null) {
        reject(new RequestError({ message: STOPPED }));
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject, onprogress });
      try {
        this.#worker.postMessage({ id, method, params }, transfer);
      } catch (error) {
        this.#pending.delete(id);
        reject(new RequestError({ message: `${method}: cannot be sent: ${error.message}` }));
      }
    });
  }

  /**
   * Hear of the worker's events, and of its death: `{event: "error", message}`.
   * @param {(event: any) => void} callback
   * @returns {() => void} ends it
   */
  onevent(callback) {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** End the worker and start another. Calls that wait fail. */
  restart() {
    this.terminate();
    this.#start();
  }

  /** End the worker. Calls that wait fail, and so do those to come. */
  terminate() {
    this.#die(STOPPED);
  }

  #start() {
    const worker = new Worker(this.#url, { type: "module", name: this.#name });
    worker.onmessage = ({ data }) => this.#take(data);
    worker.onmessageerror = () => this.#fail(worker, "a message of the worker could not be read");
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(worker, event.message || `${this.#name || "worker"}: could not be loaded`);
    };
    this.#worker = worker;
  }

  /** The worker has died by itself. */
  #fail(worker, message) {
    if (worker !== this.#worker) return;
    this.#die(`${STOPPED}: ${message}`);
    this.#emit({ event: "error", message });
  }

  #die(message) {
    const worker = this.#worker;
    this.#worker = null;
    if (worker !== null) {
      worker.onmessage = worker.onmessageerror = worker.onerror = null;
      worker.terminate();
    }
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(new RequestError({ message }));
  }

  #take(message) {
    if (message?.id === undefined) {
      this.#emit(message);
      return;
    }
    const waiting = this.#pending.get(message.id);
    if (waiting === undefined) return;
    if ("progress" in message) {
      waiting.onprogress?.(message.progress);
      return;
    }
    this.#pending.delete(message.id);
    if ("error" in message) waiting.reject(new RequestError(message.error));
    else waiting.resolve(message.result);
  }

  #emit(event) {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

const TAGS = {
  $int: (text) => BigInt(text),
  $bytes: bytesOf,
  $u32: (text) => new Uint32Array(bytesOf(text).buffer),
  $i32: (text) => new Int32Array(bytesOf(text).buffer),
  $u64: (text) => new BigUint64Array(bytesOf(text).buffer),
};

/**
 * The value of a file that the build wrote: JSON in which objects such as `{"$int": "5"}` stand for BigInts and arrays.
 * @param {string} text
 */
export function revive(text) {
  return JSON.parse(text, (_, value) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    const [tag, ...others] = Object.keys(value);
    return others.length === 0 && Object.hasOwn(TAGS, tag ?? "") ? TAGS[tag](value[tag]) : value;
  });
}

/** @param {string} base64 @returns {Uint8Array<ArrayBuffer>} */
function bytesOf(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
