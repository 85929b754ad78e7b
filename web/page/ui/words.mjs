/** Small words of the model. */

/** A text as a sentence: "no such file" → "No such file." @param {string} message */
export function sentence(message) {
  const text = message.trim();
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** How a version charges gas. @param {string} spec */
export const ownMetering = (spec) => (spec === "0.8.0" ? "pipeline" : "instruction");
