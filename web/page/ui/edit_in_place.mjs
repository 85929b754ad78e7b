/** Editing a value where it stands: a button becomes a field; Enter applies, Escape or leaving it gives up. */

import { h } from "./dom.mjs";

/**
 * @param {HTMLElement} place the button that shows the value
 * @param {{label: string, value: string, apply: (text: string) => Promise<void>, problem: (text: string) => void}}
 *   options
 */
export function editInPlace(place, { label, value, apply, problem }) {
  const input = h("input", {
    class: "edit",
    type: "text",
    spellcheck: false,
    autocomplete: "off",
    "aria-label": label,
    value,
  });
  let isOpen = true;
  const close = (focus) => {
    if (!isOpen) return;
    isOpen = false;
    problem("");
    input.replaceWith(place);
    if (focus) place.focus();
  };
  input.addEventListener("keydown", async (event) => {
    event.stopPropagation();
    if (event.key === "Escape") close(true);
    if (event.key !== "Enter") return;
    try {
      await apply(input.value);
      close(true);
    } catch (error) {
      problem(error.message);
    }
  });
  input.addEventListener("blur", () => close(false));
  place.replaceWith(input);
  input.select();
}
