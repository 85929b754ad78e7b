/** Bars between the panels, moved by pointer or arrow keys and remembered. */

import { recall, remember } from "./remembered.mjs";

/**
 * @param {HTMLElement} bar a separator; `data-variable` is the custom property it sets on `area`, in percent or pixels
 */
export function splitter(bar, area) {
  const { variable } = bar.dataset;
  const vertical = bar.getAttribute("aria-orientation") === "vertical";
  const [lowest, highest] = [Number(bar.ariaValueMin), Number(bar.ariaValueMax)];

  function set(value) {
    const rounded = Math.round(Math.max(lowest, Math.min(highest, value)) * 10) / 10;
    area.style.setProperty(variable, `${rounded}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(rounded)));
    return rounded;
  }

  let value = set(Number(recall(variable, bar.ariaValueNow)));
  bar.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    bar.classList.add("dragged");
  });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const box = area.getBoundingClientRect();
    value = set(
      vertical ? ((event.clientX - box.left) / box.width) * 100 : ((event.clientY - box.top) / box.height) * 100,
    );
  });
  const done = () => {
    bar.classList.remove("dragged");
    remember(variable, String(value));
  };
  bar.addEventListener("pointerup", done);
  bar.addEventListener("pointercancel", done);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -2, ArrowUp: -2, ArrowRight: 2, ArrowDown: 2 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    value = set(value + step);
    done();
  });
}
