/** The bar that runs and steps, the settings that a program starts with, and the pace. */

import { button, byId, field, h, icon, select, setText } from "./dom.mjs";
import { short } from "./format.mjs";

const COUNTED_EVERY = 800; // milliseconds between two looks at the counts while the program runs
const SLOWEST = 0,
  FULL = 80; // of the slider: ten steps a decade, from 1 instruction a second to 10^8, then full speed
const TIERS = [
  ["auto", "auto"],
  ["interpreter", "interpreter"],
  ["recompiler", "recompiler"],
];
const METERINGS = [
  ["instruction", "instruction"],
  ["block", "block"],
  ["pipeline", "pipeline (0.8.0)"],
];
const SPECS = [
  ["0.7.2", "0.7.2"],
  ["0.8.0", "0.8.0"],
];

/** @param {import("./debugger.mjs").Debugger} model @param {import("./actions.mjs").Actions} actions */
export function toolbar(model, actions) {
  const bar = byId("runbar");
  const buttons = new Map();
  const make = (name, attributes = {}) => {
    const action = actions[name];
    const element = button(action.icon, action.text, {
      id: name,
      title: `${action.title} (${action.keys[0]})`,
      "aria-keyshortcuts": action.keys[0].replaceAll(" ", "+"),
      onclick: () => action.run(),
      ...attributes,
    });
    if (attributes["aria-label"] === undefined && action.label) element.setAttribute("aria-label", action.label);
    buttons.set(name, element);
    return element;
  };
  const count = h("input", {
    id: "steps-count",
    type: "text",
    inputmode: "numeric",
    value: "100",
    size: 5,
    "aria-label": "How many instructions",
    autocomplete: "off",
  });
  count.addEventListener("keydown", (event) => {
    if (event.key === "Enter") actions.steps.run();
  });
  const more = button(null, "⋯", { id: "more", "aria-label": "More ways to move", "aria-expanded": "false" });
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(bar.classList.toggle("open"))));
  bar.append(
    h(
      "span",
      { class: "group", role: "group", "aria-label": "Back" },
      make("toStart", { class: "extra" }),
      make("breakpointBack", { class: "extra" }),
      make("callBack", { class: "extra" }),
      make("blockBack", { class: "extra" }),
      make("back"),
    ),
    h("span", { class: "group main" }, make("run", { class: "primary" }), make("stop", { class: "primary" })),
    h(
      "span",
      { class: "group", role: "group", "aria-label": "Forward" },
      make("step"),
      make("block", { class: "extra" }),
      make("call", { class: "extra" }),
      h("span", { class: "counted extra" }, make("steps"), count),
    ),
    make("reset", { class: "quiet" }),
    more,
    pace(model),
  );
  model.on("state view settings breakpoints", () => {
    for (const [name, element] of buttons) {
      const enabled = actions[name].enabled();
      if (element.disabled === enabled) element.disabled = !enabled;
    }
    buttons.get("reset").classList.toggle("stale", model.stale);
    buttons.get("reset").title = model.stale ? "Start anew with the changed settings" : "Start anew (F4)";
    document.body.classList.toggle("is-running", model.state === "running");
  });
}

function pace(model) {
  const slider = h("input", {
    type: "range",
    id: "pace",
    min: String(SLOWEST),
    max: String(FULL + 5),
    value: String(FULL + 5),
    step: "1",
    "aria-label": "Pace",
  });
  const text = h("output", { class: "pace-text" }, "full speed");
  slider.addEventListener("input", () => {
    const value = Number(slider.value);
    const rate = value > FULL ? null : Math.round(10 ** (value / 10));
    setText(text, rate === null ? "full speed" : `${short(rate)} instr/s`);
    slider.setAttribute("aria-valuetext", text.textContent);
    model.setPace(rate);
  });
  return h("label", { class: "pace" }, h("span", { class: "group-name" }, "Pace"), slider, text);
}

/**
 * The form of arguments, gas, entry point, version, metering, tier.
 * @param {import("./debugger.mjs").Debugger} model
 */
export function startForm(model) {
  const problems = new Map();
  const withProblem = (name, text, control, title) => {
    const problem = h("output", { class: "problem visually-hidden", id: `${name}-problem`, "aria-live": "polite" });
    problems.set(name, problem);
    control.setAttribute("aria-describedby", problem.id);
    return h("span", { class: `setting setting-${name}` }, field(text, control, title), problem);
  };
  const typing = new Set(); // fields that are being changed: they are left alone until that is done
  const text = (name, attributes) => {
    const input = h("input", {
      type: "text",
      id: name,
      autocomplete: "off",
      spellcheck: false,
      ...attributes,
    });
    input.addEventListener("input", () => typing.add(name));
    input.addEventListener("change", () => {
      typing.delete(name);
      model.change(name, input.value);
    });
    return input;
  };
  const choice = (name, options) => {
    const element = select(options, model.settings[name], { id: name });
    element.addEventListener("change", () => model.change(name, element.value));
    return element;
  };
  const controls = {
    args: text("args", { placeholder: 'hex, or "text"', maxlength: String(1 << 25) }),
    gas: text("gas", { inputmode: "numeric", size: 12 }),
    pc: text("pc", { size: 6, list: "entry-points" }),
    spec: choice("spec", SPECS),
    metering: choice("metering", METERINGS),
    tier: choice("tier", TIERS),
  };
  const entries = h("datalist", { id: "entry-points" });
  byId("start-fields").append(
    withProblem("args", "Arguments", controls.args, "Bytes in hex, or text in quotes"),
    withProblem("gas", "Gas", controls.gas),
    withProblem("pc", "Entry pc", controls.pc),
    entries,
    withProblem("spec", "Gray Paper", controls.spec),
    withProblem("metering", "Gas by", controls.metering),
    withProblem(
      "tier",
      "Engine",
      controls.tier,
      "auto: the interpreter first, translated code as soon as there is some",
    ),
  );
  byId("start").addEventListener("submit", (event) => event.preventDefault());
  const toggle = byId("start-toggle");
  toggle.addEventListener("click", () =>
    toggle.setAttribute("aria-expanded", String(byId("start").classList.toggle("open"))),
  );
  model.on("program", (program) => {
    entries.replaceChildren(...program.opened.entry_points.map(({ pc, name }) => h("option", { value: pc }, name)));
    controls.args.disabled = program.opened.format === "plain";
    typing.clear();
  });
  model.on("settings", () => {
    for (const [name, control] of Object.entries(controls)) {
      if (!typing.has(name) && control.value !== model.settings[name]) control.value = model.settings[name];
    }
  });
  model.on("problem", (problem) => {
    for (const [name, output] of problems) {
      setText(output, problem?.where === name ? problem.message : "");
      controls[name].setAttribute("aria-invalid", String(problem?.where === name));
    }
  });
}

/**
 * The button that switches the heat map.
 * @param {import("./debugger.mjs").Debugger} model
 * @param {import("./listing.mjs").Listing} listing
 */
export function heatSwitch(model, listing) {
  const element = byId("heat");
  element.append(icon("heat"), h("span", null, "Heat map"));
  let asked = 0;
  const show = async () => {
    const on = model.heat && model.settings.tier !== "recompiler";
    element.setAttribute("aria-pressed", String(on));
    const partial = on && model.isCounting && model.translations.tookOver;
    setText(element.querySelector("span"), partial ? "Heat map (begun)" : "Heat map");
    element.title =
      model.settings.tier === "recompiler"
        ? "Recompiled code does not count: choose another engine for a heat map"
        : partial
          ? 'Counted until translated code took over, which does not count. The engine "interpreter" counts on'
          : 'Count how often each instruction runs, on the interpreter: long runs on "auto" change over';
    if (!on || !model.view || !model.isCounting) return listing.setCounts(null);
    const now = performance.now();
    if (model.state === "running" && now - asked < COUNTED_EVERY) return;
    asked = now;
    try {
      const counts = await model.counts();
      if (model.heat) listing.setCounts(counts);
    } catch {
      listing.setCounts(null); // the machine was loaded without counting
    }
  };
  element.addEventListener("click", () => model.change("heat", !model.heat));
  model.on("view progress settings", show);
}
