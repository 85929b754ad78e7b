/**
 * What one was doing, over a reload: the program with settings, breakpoints and place.
 *
 * It is kept as a link is (`share.mjs`), beside the address that it belongs to.
 */

import { afterPause } from "./dom.mjs";
import { recall, remember } from "./remembered.mjs";
import { fromFragment, toFragment } from "./share.mjs";

const PAUSE = 400; // milliseconds after the last change
const WORK = "work";

/** What a link or what is kept holds of the page. @param {import("./debugger.mjs").Debugger} model */
export function workOf({ program, settings, breakpoints, view }) {
  const { args, gas, pc, spec, metering, tier, pages } = settings;
  const { name, format, data } = program.origin;
  const example = program.opened.example?.name ?? null;
  return {
    name, format, example, data: example ? new Uint8Array() : data,
    settings: { args, gas, pc, spec, metering, tier, pages },
    breakpoints: [...breakpoints], used: view && view.gas_used > 0n ? String(view.gas_used) : null,
  };
}

/**
 * Opens what a link holds, and goes to its place.
 * @param {import("./debugger.mjs").Debugger} model
 * @param {import("./share.mjs").Shared} shared
 */
export async function openShared(model, { example, name, data, format, settings, breakpoints, used }) {
  if (example) await model.openExample(example, settings);
  else await model.openBytes(name, data, format, settings);
  for (const pc of breakpoints) if (model.program.has(pc)) model.breakpoints.add(pc);
  if (breakpoints.length) model.emit("breakpoints");
  if (used !== null) await model.run({ budget: BigInt(used), stops: false });
}

/** Keeps the work from now on. @param {import("./debugger.mjs").Debugger} model */
export function keepWork(model) {
  let last = "";
  const keep = async () => {
    if (!model.program || model.state === "loading") return;
    let fragment = "";
    try {
      fragment = await toFragment(workOf(model));
    } catch {
      // A program that is too large for a link is not kept.
    }
    const text = JSON.stringify({ hash: location.hash, fragment });
    if (text !== last) remember(WORK, text);
    last = text;
  };
  model.on("program settings breakpoints view", afterPause(PAUSE, keep));
  addEventListener("visibilitychange", () => document.hidden && keep());
}

/** What is kept for the page's address; null when there is nothing, or it is damaged. */
export async function keptWork() {
  try {
    const { hash, fragment } = JSON.parse(recall(WORK, "{}"));
    return fragment && hash === location.hash ? await fromFragment(fragment) : null;
  } catch {
    return null;
  }
}
