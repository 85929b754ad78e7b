/** The page: makes the model and the panels, and opens the first program. */

import { missingFeatures } from "../shared/host.mjs";
import { listenToKeys, makeActions } from "./actions.mjs";
import { Calls } from "./calls.mjs";
import { Debugger } from "./debugger.mjs";
import { Dialogs } from "./dialogs.mjs";
import { button, byId, h, setText } from "./dom.mjs";
import { Editor } from "./editor.mjs";
import { EntryBar } from "./entry_bar.mjs";
import { Explain } from "./explain.mjs";
import { GasPanel } from "./gas.mjs";
import { Listing } from "./listing.mjs";
import { Lockstep } from "./lockstep.mjs";
import { Memory } from "./memory.mjs";
import { Pixels } from "./pixels.mjs";
import { ProgramInfo } from "./program_info.mjs";
import { Python } from "./python.mjs";
import { Registers } from "./registers.mjs";
import { splitter } from "./splitters.mjs";
import { Tabs } from "./tabs.mjs";
import { Timeline } from "./timeline.mjs";
import { heatSwitch, startForm, toolbar } from "./toolbar.mjs";
import { Verdict } from "./verdict.mjs";
import { Wat } from "./wat.mjs";
import { WorldPanel } from "./world.mjs";
import { keepWork } from "./work.mjs";

const FIRST_EXAMPLE = "hello";

async function start() {
  document.body.dataset.started = "";
  const missing = missingFeatures();
  if (missing.length) return refuse(missing);
  const python = new Python();
  const model = new Debugger(python);
  const tabs = new Tabs();
  const dialogs = new Dialogs(model);
  const listing = new Listing(model);
  const memory = new Memory(model, tabs);
  const showMemory = (address) => memory.goTo(address);
  const showCode = (pc) => {
    tabs.show("code");
    listing.follow(pc);
  };
  const actions = makeActions(model, { listing, tabs, dialogs, memory });
  dialogs.actions = actions;
  dialogs.onTheme = () => listing.redraw();
  toolbar(model, actions);
  startForm(model);
  new EntryBar(model);
  heatSwitch(model, listing);
  await breath();
  new Registers(model, showMemory);
  new Explain(model, listing, showMemory);
  const calls = new Calls(model, tabs, showMemory, () => dialogs.chooseTrace());
  new Verdict(model, calls);
  new Timeline(model, calls);
  await breath();
  new Pixels(model, tabs, showMemory);
  const editor = new Editor(model, tabs, listing);
  dialogs.onText = (name, text) => {
    editor.set(name.replace(/\.pvmasm$/, ""), text);
    tabs.show("editor");
    editor.assemble();
  };
  new Wat(model, tabs, listing);
  new Lockstep(model, showCode);
  new GasPanel(model, tabs, listing);
  new WorldPanel(model, tabs);
  new ProgramInfo(model, tabs, showMemory, showCode);
  for (const id of ["split-left", "split-top"]) splitter(byId(id), byId("work"));
  for (const [place, names] of [
    ["top-actions", ["open", "service", "share"]],
    ["page-actions", ["theme", "help"]],
  ]) {
    for (const name of names) {
      const { icon, text, title, keys, run, label } = actions[name];
      byId(place).append(
        button(icon, text, {
          id: name,
          class: "quiet",
          title: `${title} (${keys[0]})`,
          "aria-label": label ?? null,
          onclick: run,
        }),
      );
    }
  }
  await breath();
  listenToKeys(actions, tabs, model);
  showPython(python);
  workOffline(python);
  openFirst(model, dialogs);
}

/** Has a service worker keep the page, and the rest of its files once nothing else is loading. */
async function workOffline(python) {
  if (!("serviceWorker" in navigator)) return; // such as on plain http
  await python.ready.catch(() => {});
  try {
    await navigator.serviceWorker.register("offline.js");
    (await navigator.serviceWorker.ready).active.postMessage("keep");
  } catch {
    // A private window, or no room: the page works as long as there is a network.
  }
}

/** Lets the browser draw in between. */
function breath() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function openFirst(model, dialogs) {
  const chooser = byId("example");
  chooser.addEventListener("change", async () => {
    if (chooser.value) await dialogs.openExample(chooser.value);
    chooser.value = model.program?.opened.example?.name ?? ""; // also where that failed
  });
  model.on("program", ({ opened }) => {
    chooser.value = opened.example?.name ?? "";
    document.title = `${opened.name.replace(/^example:/, "")} – PVM on WebAssembly`;
  });
  const linked = dialogs.openKept().then((kept) => kept || dialogs.openLink());
  try {
    const examples = await model.examples();
    chooser.replaceChildren(
      h("option", { value: "" }, "– choose –"),
      ...examples.map(({ name, title }) => h("option", { value: name, title }, name)),
    );
    chooser.value = model.program?.opened.example?.name ?? "";
  } catch (error) {
    model.problem(error);
  }
  if (!(await linked) && !model.program) {
    const { said } = dialogs; // what is wrong with the link
    history.replaceState(null, "", `#example=${FIRST_EXAMPLE}`);
    await dialogs.openExample(FIRST_EXAMPLE);
    if (said) dialogs.say(said);
  }
  keepWork(model);
}

/** How far Python has loaded, in words and as a bar. @param {Python} python */
function showPython(python) {
  const chip = byId("python");
  const again = byId("python-restart");
  again.addEventListener("click", () => python.restart());
  python.on("busy", (busy) => {
    if (!python.status.ready) return;
    again.hidden = !busy;
    setText(byId("python-text"), busy ? "Python works" : "Python ready");
  });
  python.on("status", ({ ready, failed, text, fraction }) => {
    chip.classList.toggle("ready", ready);
    chip.classList.toggle("failed", failed !== null);
    chip.title =
      failed ??
      (ready
        ? "Python runs in this page: files, the assembler, the recompiler and lock-step are there"
        : "Python loads in the background. Examples run without it; files, the assembler and more come with it");
    setText(byId("python-text"), ready ? "Python ready" : text);
    const progress = byId("python-progress");
    again.hidden = failed === null;
    progress.hidden = ready || failed !== null;
    progress.value = fraction;
  });
}

/** Says what the browser lacks. @param {string[]} missing */
function refuse(missing) {
  setText(byId("state"), "Cannot run");
  byId("state").dataset.kind = "bad";
  document.body.classList.add("refused");
  const message = byId("message");
  message.hidden = false;
  const list = new Intl.ListFormat("en").format(missing);
  message.replaceChildren(
    h(
      "span",
      null,
      `This browser cannot run the engine. It lacks ${list}: a current Chrome, Edge or Firefox has that.`,
    ),
  );
}

start();
