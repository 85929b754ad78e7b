/**
 * The worker of the untrusted program: requests in, exactly one result or error out for each (`shared/workers.mjs`).
 *
 * While a program runs, other requests are let in between two slices, so it can be looked at, and stopped.
 */

import { HostError } from "../shared/host.mjs";
import { Session } from "./session.mjs";

const METHODS = [
  "load", "link", "run", "step", "back", "stop", "view", "read", "write", "set", "map", "pages", "search", "counts",
  "answer", "log", "later", "recording", "seek", "timeline",
];

const session = new Session();
const { port1, port2 } = new MessageChannel();
let resume = () => {};
port2.onmessage = () => resume();

/** Let the messages that wait be dealt with. A timer would wait for 4 ms each time. */
function turn() {
  return new Promise((resolve) => {
    resume = resolve;
    port1.postMessage(null);
  });
}

self.onmessage = async ({ data: { id, method, params } }) => {
  try {
    if (!METHODS.includes(method)) throw new HostError(`no method ${method}`);
    const result = await session[method](params ?? {}, (progress) => self.postMessage({ id, progress }), turn);
    self.postMessage({ id, result });
  } catch (error) {
    const message = error instanceof HostError ? error.message : `a bug of the page: ${error?.message ?? error}`;
    self.postMessage({ id, error: { message } });
  }
};
