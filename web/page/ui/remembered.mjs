/** Settings of the page that outlive it. Where storage is refused (private windows), they last as long as the page. */

const PREFIX = "pvm-wasm.";
const session = new Map();

/** @param {string} name @param {string} fallback @returns {string} */
export function recall(name, fallback) {
  try {
    return localStorage.getItem(PREFIX + name) ?? fallback;
  } catch {
    return session.get(name) ?? fallback;
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  session.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage may be full or refused: the value is in `session`.
  }
}
