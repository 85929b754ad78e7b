/** Everything that can be done, by name: what it says, its keys, whether it can be done now, and how. */

import { byId } from "./dom.mjs";
import { parseInteger } from "./format.mjs";

/**
 * @typedef {{title: string, text: string, icon: string|null, keys: string[], run: () => any, enabled: () => boolean,
 *   label?: string,
 *   group: string}} Action
 * @typedef {Object<string, Action>} Actions
 */

const always = () => true;

/**
 * @param {import("./debugger.mjs").Debugger} model
 * @param {{listing: import("./listing.mjs").Listing, tabs: import("./tabs.mjs").Tabs, dialogs: any, memory: any}} parts
 * @returns {Actions}
 */
export function makeActions(model, { listing, tabs, dialogs, memory }) {
  const moves = () => model.canMove;
  const backs = () => model.canBack;
  const running = () => model.state === "running";
  const loaded = () => model.program !== null && model.state !== "loading";
  const steps = () => {
    const field = byId("steps-count");
    try {
      return Number(parseInteger(field.value, 1_000_000_000_000n));
    } catch (error) {
      model.problem(new Error(`How many instructions: ${error.message}`));
      return 0;
    }
  };
  /** @returns {Action} */
  const action = (group, title, text, icon, keys, enabled, run, label) => ({
    group,
    title,
    text,
    icon,
    keys,
    enabled,
    run,
    label,
  });
  return {
    run: action(
      "Run",
      "Run to the end, a breakpoint or a host call without an answer",
      "Run",
      "run",
      ["F8", "r"],
      () => moves() || model.wrong !== null,
      () => (model.wrong ? byId(model.wrong).focus() : model.run()),
    ),
    stop: action("Run", "Stop", "Stop", "stop", ["Escape", "x"], running, () => model.stop()),
    reset: action("Run", "Start anew", "Reset", "reset", ["F4", "q"], loaded, () => model.reset()),
    step: action(
      "Run",
      "Step one instruction",
      "Step",
      "step",
      ["F10", "s"],
      moves,
      () => model.step("instruction"),
      "Step one instruction",
    ),
    block: action(
      "Run",
      "Step to the next block",
      "Block",
      "block",
      ["b"],
      moves,
      () => model.step("block"),
      "Step to the next block",
    ),
    call: action(
      "Run",
      "Run to the next host call",
      "Host call",
      "call",
      ["F7", "c"],
      moves,
      () => model.run({ until: "call" }),
      "Run to the next host call",
    ),
    steps: action(
      "Run",
      "Step as many instructions as the field says",
      "N",
      "steps",
      ["n"],
      moves,
      () => steps() && model.step("instruction", steps()),
      "Step N instructions",
    ),
    toCursor: action("Run", "Run to the selected instruction", "To here", null, ["F6", "h"], moves, () =>
      model.run({ extra: [listing.selectedPc] }),
    ),
    back: action(
      "Back",
      "Step back one instruction",
      "Step",
      "back",
      ["Shift F10", "S"],
      backs,
      () => model.back("instruction"),
      "Step back one instruction",
    ),
    blockBack: action(
      "Back",
      "Back one block",
      "Block",
      "blockBack",
      ["B"],
      backs,
      () => model.back("block"),
      "Back one block",
    ),
    callBack: action(
      "Back",
      "Back to the previous host call",
      "Call",
      "callBack",
      ["Shift F7", "C"],
      backs,
      () => model.back("call"),
      "Back to the previous host call",
    ),
    breakpointBack: action(
      "Back",
      "Back to the previous breakpoint",
      "Break",
      "breakpointBack",
      ["Shift F8", "R"],
      () => backs() && model.breakpoints.size > 0,
      () => model.back("breakpoint"),
      "Back to the previous breakpoint",
    ),
    toStart: action(
      "Back",
      "Back to the start",
      "Start",
      "start",
      ["Shift F4", "Q"],
      backs,
      () => model.back("start"),
      "Back to the start",
    ),
    breakpoint: action(
      "Program",
      "Set or clear a breakpoint at the selected instruction",
      "Breakpoint",
      null,
      ["F9", "t"],
      loaded,
      () => model.toggleBreakpoint(listing.selectedPc),
    ),
    current: action("Program", "Show the current instruction", "Current", null, ["."], loaded, () =>
      listing.showCurrent("center"),
    ),
    goto: action("Program", "Go to a label or pc", "Go to", null, ["g"], loaded, () => {
      tabs.show("code");
      byId("goto-input").select();
    }),
    listing: action("Program", "Move to the program", "Program", null, ["l"], always, () => {
      tabs.show("code");
      byId("listing").focus();
    }),
    search: action("Program", "Search in memory", "Search", null, ["/"], loaded, () => {
      tabs.show("memory");
      memory.focusSearch();
    }),
    open: action("Page", "Open a program or a trace", "Open", "open", ["o"], always, () => dialogs.open()),
    service: action(
      "Page",
      "Refine and accumulate: the program as a JAM service",
      "Service",
      "service",
      ["y"],
      loaded,
      () => dialogs.service(),
    ),
    share: action("Page", "A link to this program", "Share", "share", ["k"], loaded, () => dialogs.share()),
    theme: action(
      "Page",
      "Light or dark",
      "",
      "theme",
      ["d"],
      always,
      () => dialogs.theme(),
      "Switch between light and dark",
    ),
    help: action("Page", "Keyboard shortcuts", "", "help", ["?"], always, () => dialogs.help(), "Keyboard shortcuts"),
  };
}

const PANELS = ["memory", "calls", "pixels", "editor", "wat", "lockstep", "program", "gas", "world"];

/**
 * Listens to keys on the whole page; letters only outside of fields.
 * @param {Actions} actions
 * @param {import("./tabs.mjs").Tabs} tabs
 * @param {import("./debugger.mjs").Debugger} model
 */
export function listenToKeys(actions, tabs, model) {
  const byKey = new Map(Object.values(actions).flatMap((action) => action.keys.map((key) => [key, action])));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || byId("dialog").open) return;
    const named = event.key.length > 1;
    if (!named && event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]")) return;
    if (event.key === "Escape" && model.state !== "running" && event.target.closest?.("input, textarea"))
      return event.target.blur();
    const action = byKey.get(named && event.shiftKey ? `Shift ${event.key}` : event.key);
    if (action) {
      event.preventDefault();
      if (action.enabled()) action.run();
    } else if (/^[1-9]$/.test(event.key)) {
      tabs.show(PANELS[Number(event.key) - 1]);
    }
  });
}
