/** Elements, icons and small things that every panel needs. Data only ever becomes text nodes. */

const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a grid of 16 by 16. */
const ICONS = {
  run: "M4 2.5v11l9-5.5z",
  stop: "M3.5 3.5h9v9h-9z",
  reset: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3",
  step: "M2 8h8M7 4.5 10.5 8 7 11.5M13.5 3v10",
  back: "M14 8H6M9 4.5 5.5 8 9 11.5M2.5 3v10",
  block: "M2 3.5h6M2 8h6M2 12.5h6M12 2.5v10M9.5 10l2.5 2.5 2.5-2.5",
  blockBack: "M2 3.5h6M2 8h6M2 12.5h6M12 13.5v-10M9.5 6 12 3.5 14.5 6",
  call: "M2 8h6M5.5 5 8.5 8l-3 3M10.5 3h3.5v10h-3.5",
  callBack: "M8.5 8h-6M5 5 2 8l3 3M10.5 3h3.5v10h-3.5",
  start: "M12.5 3v10L6 8zM3.5 3v10",
  breakpointBack: "M9 8H2M5 4.5 1.5 8 5 11.5M12.5 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  steps: "M1.5 8h4M4 5.5 6.5 8 4 10.5M7 8h4M9.5 5.5 12 8l-2.5 2.5M14.5 4v8",
  open: "M1.5 12.5v-9h4l1.5 2h6v2M1.5 12.5l2-5h11l-2 5z",
  service: "M3 3h10v3H3zM3 10h10v3H3zM8 6v4",
  share: "M6.5 9.5l3-3M5 7 3.2 8.8a2.5 2.5 0 0 0 3.5 3.5L8.5 10.5M7.5 5.5l1.8-1.8a2.5 2.5 0 0 1 3.5 3.5L11 9",
  help: "M5.5 6a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.4M8 12.2v.3",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  close: "M4 4l8 8M12 4l-8 8",
  save: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  goto: "M2 8h10M8.5 4.5 12 8l-3.5 3.5",
  up: "M8 13V4M4.5 7 8 3.5 11.5 7",
  down: "M8 3v9M4.5 9 8 12.5 11.5 9",
  heat: "M8 1.5c.5 3 4 4.5 4 8a4 4 0 0 1-8 0c0-1.5.7-2.5 1.5-3.3.2 1.2.8 1.8 1.5 2C6.5 5.5 7 3.5 8 1.5z",
  edit: "M2.5 13.5l.7-3L10.5 3.200l2.300 2.300-7.300 7.300z",
};

/**
 * An element. `attributes` with a function become listeners (`onclick`), `class` and `aria-*` attributes, others
 * properties.
 * @param {string} tag
 * @param {Object<string, any>|null} [attributes]
 * @param {...(Node|string|number|null|undefined)} children
 * @returns {any}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children
      .filter((child) => child !== null && child !== undefined)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
  return element;
}

/** @param {keyof typeof ICONS} name @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon and text.
 * @param {string|null} image
 * @param {string} text
 * @param {Object<string, any>} attributes
 */
export function button(image, text, attributes = {}) {
  return h(
    "button",
    { type: "button", ...attributes },
    image ? icon(image) : null,
    text ? h("span", null, text) : null,
  );
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Text that is set only when it changes, so that layout is not asked for nothing.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A `<select>` of [value, text] pairs. */
export function select(options, value, attributes = {}) {
  const element = h("select", attributes, ...options.map(([name, text]) => h("option", { value: name }, text)));
  element.value = value;
  return element;
}

/** A labelled control: `<label class="field">text control</label>` */
export function field(text, control, title = null) {
  return h("label", { class: "field", title }, h("span", { class: "field-name" }, text), control);
}

/** Saves bytes or text as a file. @param {string} name @param {string|Uint8Array} content */
export function download(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Calls `work` once nothing has asked for it for `milliseconds`. @returns {(...args: any[]) => void} */
export function afterPause(milliseconds, work) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
}
