/** Opening (examples, files, dropped files, links), sharing, the shortcuts, light and dark. */

import { button, byId, h, setText } from "./dom.mjs";
import { plural, size } from "./format.mjs";
import { remember } from "./remembered.mjs";
import { ServiceDialog } from "./service.mjs";
import { fromFragment, toFragment } from "./share.mjs";
import { keptWork, openShared, workOf } from "./work.mjs";

const LARGEST = 64 << 20; // bytes of a file
const SETTINGS = {
  args: "Arguments", gas: "Gas", pc: "Entry pc", tier: "Engine", spec: "Gray Paper", metering: "Gas by",
};

export class Dialogs {
  /** @type {import("./actions.mjs").Actions} */
  actions = {};
  /** Called after a change of colours. */
  onTheme = () => {};
  /** Called with assembly that has errors, to be mended. @type {(name: string, text: string) => void} */
  onText = () => {};

  #asTrace = false;

  /** @param {import("./debugger.mjs").Debugger} model */
  constructor(model) {
    this.model = model;
    this.dialog = byId("dialog");
    this.file = byId("file");
    this.message = byId("message");
    this.services = new ServiceDialog(model, (title, ...content) => this.#show(title, ...content));
    this.file.addEventListener("change", () => {
      const [file] = this.file.files;
      if (file) this.openFile(file, this.#asTrace);
      this.#asTrace = false;
      this.file.value = "";
    });
    this.file.addEventListener("cancel", () => {
      this.#asTrace = false;
    });
    this.#listenToPaste();
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.#listenToDrops();
    addEventListener("hashchange", () => this.openLink());
    model.on("problem", (problem) => this.#problem(problem));
    model.on("program", () => {
      if (this.dialog.open) this.dialog.close();
    });
  }

  // --- messages ----------------------------------------------------------------------------------------------------

  #problem(problem) {
    if (!problem) return this.say("");
    const isSetting = ["args", "gas", "pc", "tier", "spec", "metering"].includes(problem.where);
    if (isSetting && this.model.wrong) return this.say(""); // the machine's state says it
    this.say(isSetting ? `${SETTINGS[problem.where]}: ${problem.message}` : problem.message);
  }

  /** The message that is there; "" when there is none. */
  get said() {
    return this.message.hidden ? "" : (this.message.firstChild?.textContent ?? "");
  }

  /** A message across the page, until it is closed or something else succeeds; "" takes it away. */
  say(text) {
    this.message.hidden = !text;
    this.message.replaceChildren(
      ...(text
        ? [
            h("span", { class: "grow" }, text),
            button("close", "", { class: "quiet", "aria-label": "Close the message", onclick: () => this.say("") }),
          ]
        : []),
    );
  }

  async #try(work) {
    try {
      this.say("");
      await work();
    } catch (error) {
      this.model.problem(error);
      if (this.dialog.open) this.dialog.close();
    }
  }

  // --- opening -----------------------------------------------------------------------------------------------------

  openExample(name) {
    return this.#try(async () => {
      await this.model.openExample(name);
      if (location.hash !== `#example=${name}`) history.pushState(null, "", `#example=${name}`);
    });
  }

  /** Opens a file: as what it is, or, `asTrace`, as a recorded run of the program that is open. */
  async openFile(file, asTrace = false) {
    await this.#try(async () => {
      if (file.size > LARGEST)
        throw new Error(`\u201c${file.name}\u201d has ${size(file.size)}: no program is larger than ${size(LARGEST)}`);
      await this.#openData(file.name, new Uint8Array(await file.arrayBuffer()), asTrace);
    });
  }

  async #openData(name, data, asTrace = false) {
    forgetLink();
    try {
      if (asTrace) await this.model.openTrace(name, data);
      else await this.model.openBytes(name, data, name.endsWith(".pvmasm") ? "asm" : "auto");
    } catch (error) {
      if (error.line && !asTrace) this.onText(name, new TextDecoder().decode(data));
      const where = error.line ? `, line ${error.line}` : "";
      throw new Error(`\u201c${name}\u201d${where}: ${error.message}`);
    }
  }

  /** Asks for a recorded run of the program that is open. */
  chooseTrace() {
    this.#asTrace = true;
    this.file.click();
  }

  /** Opens text that was pasted: hexadecimal digits, assembly, a trace, a test vector. */
  openText(text) {
    return this.#try(() => this.#openData("pasted", new TextEncoder().encode(text)));
  }

  async #openUrl(text) {
    await this.#try(async () => {
      const url = new URL(text);
      let response;
      try {
        response = await fetch(url);
      } catch {
        throw new Error(`${url.host} cannot be reached, or does not let other pages read its files (CORS)`);
      }
      if (!response.ok) throw new Error(`${url.host} answered ${response.status} ${response.statusText}`);
      const data = new Uint8Array(await response.arrayBuffer());
      await this.#openData(decodeURIComponent(url.pathname.split("/").at(-1) || url.host), data);
    });
  }

  #listenToPaste() {
    addEventListener("paste", (event) => {
      if (event.target.closest?.("input, textarea")) return;
      const [file] = event.clipboardData?.files ?? [];
      const text = event.clipboardData?.getData("text/plain").trim();
      if (file) this.openFile(file);
      else if (text) this.openText(text);
    });
  }

  /** Opens what the address's fragment holds. @returns {Promise<boolean>} whether it holds anything */
  async openLink() {
    const fragment = location.hash.slice(1);
    if (!fragment || fragment === "listing") return false;
    let found = true;
    await this.#try(async () => {
      const shared = await fromFragment(fragment);
      if (shared === null) found = false;
      else await openShared(this.model, shared);
    });
    return found && this.model.program !== null;
  }

  /** Opens what was there before the page was loaded again. @returns {Promise<boolean>} whether there was anything */
  async openKept() {
    const kept = await keptWork();
    if (kept) await this.#try(() => openShared(this.model, kept));
    return kept !== null && this.model.program !== null;
  }

  #listenToDrops() {
    const drop = byId("drop");
    let depth = 0;
    const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    addEventListener("dragenter", (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      depth++;
      drop.hidden = false;
    });
    addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
    addEventListener("dragleave", (event) => {
      if (holdsFile(event) && --depth <= 0) drop.hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      depth = 0;
      drop.hidden = true;
      const [file] = event.dataTransfer.files;
      if (file) this.openFile(file);
    });
  }

  #show(title, ...content) {
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "dialog-title", class: "grow" }, title),
        button("close", "", { class: "quiet", "aria-label": "Close", onclick: () => this.dialog.close() }),
      ),
      ...content,
    );
    if (!this.dialog.open) this.dialog.showModal();
  }

  async open() {
    const list = h("ul", { class: "examples" });
    const pasted = h("textarea", {
      id: "paste", rows: 3, spellcheck: false, "aria-label": "Paste a program",
      placeholder: "Paste hexadecimal digits, assembly, a trace or a JSON test vector",
    });
    const url = h("input", { id: "open-url", type: "url", placeholder: "https://…", "aria-label": "URL" });
    this.#show(
      "Open a program",
      h(
        "p",
        { class: "line" },
        button("open", "Choose a file …", { class: "primary", id: "choose-file", onclick: () => this.file.click() }),
        h("span", { class: "soft" }, "or drop one anywhere on the page"),
      ),
      h(
        "p",
        { class: "soft" },
        "A program (plain, standard, a service's preimage, or a .polkavm blob; hexadecimal text, too), assembly " +
          "(.pvmasm), an ecalli trace, or a JSON test vector.",
      ),
      h(
        "form",
        { class: "line open-text", onsubmit: (event) => (event.preventDefault(), this.openText(pasted.value)) },
        pasted,
        button(null, "Open text", { type: "submit", id: "open-text" }),
      ),
      h(
        "form",
        { class: "line open-text", onsubmit: (event) => (event.preventDefault(), this.#openUrl(url.value)) },
        url,
        button(null, "Open URL", { type: "submit", id: "open-url-go" }),
      ),
      h("h3", null, "Examples"),
      list,
    );
    const { model } = this;
    const examples = await model.examples();
    list.append(
      ...examples.map((example) =>
        h(
          "li",
          null,
          h(
            "button",
            {
              type: "button",
              class: "example",
              "data-example": example.name,
              onclick: () => {
                this.dialog.close();
                this.openExample(example.name);
              },
            },
            h("strong", null, example.name),
            h("span", null, example.title),
          ),
        ),
      ),
    );
  }

  /** The program as a service. */
  service() {
    this.services.open();
  }

  // --- sharing -----------------------------------------------------------------------------------------------------

  async share() {
    await this.#try(async () => {
      const fragment = await toFragment(workOf(this.model));
      const url = `${location.origin}${location.pathname}#${fragment}`;
      const text = h("input", {
        type: "text",
        readOnly: true,
        value: url,
        "aria-label": "Link",
        id: "share-link",
        onclick: () => text.select(),
      });
      const state = h("output", { "aria-live": "polite" });
      this.#show(
        "A link to this program",
        h(
          "p",
          { class: "soft" },
          `Program, settings, breakpoints and place are in the link itself: ${plural(url.length, "character")}.`,
        ),
        text,
        h(
          "p",
          { class: "line" },
          button("share", "Copy", { class: "primary", onclick: () => copy(url, text, state) }),
          state,
        ),
      );
      text.select();
    });
  }

  // --- shortcuts and colours ---------------------------------------------------------------------------------------

  help() {
    const groups = new Map();
    for (const action of Object.values(this.actions))
      groups.set(action.group, [...(groups.get(action.group) ?? []), action]);
    const rows = (actions) =>
      actions.flatMap(({ title, keys }) => [h("dt", null, ...keys.map(keyOf)), h("dd", null, title)]);
    this.#show(
      "Keyboard shortcuts",
      h(
        "div",
        { class: "shortcuts", tabIndex: 0, role: "group", "aria-label": "Shortcuts" },
        ...[...groups].map(([name, actions]) =>
          h("section", null, h("h3", null, name), h("dl", { class: "keys" }, ...rows(actions))),
        ),
        h(
          "section",
          null,
          h("h3", null, "In the program"),
          h(
            "dl",
            { class: "keys" },
            ...rows([
              { title: "Select another instruction", keys: ["↑", "↓", "Page Up", "End"] },
              { title: "Breakpoint", keys: ["Space"] },
              { title: "Follow the jump, and return", keys: ["Enter", "Backspace"] },
            ]),
          ),
        ),
        h(
          "section",
          null,
          h("h3", null, "Panels"),
          h(
            "dl",
            { class: "keys" },
            ...rows([
              { title: "Show a panel", keys: ["1", "…", "8"] },
              { title: "In memory: move, change bytes", keys: ["arrows", "0 … f"] },
              { title: "In assembly: load it", keys: ["Ctrl Enter"] },
            ]),
          ),
        ),
      ),
    );
  }

  theme() {
    const root = document.documentElement;
    const dark =
      getComputedStyle(root).colorScheme.trim() === "dark" ||
      (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
    remember("theme", root.dataset.theme);
    this.onTheme();
  }
}

/** The address no longer says what the page shows. */
function forgetLink() {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
}

function keyOf(key) {
  return h("kbd", null, /^[A-Z]$/.test(key) ? `Shift ${key.toLowerCase()}` : key);
}

async function copy(url, text, state) {
  try {
    await navigator.clipboard.writeText(url);
    setText(state, "Copied.");
  } catch {
    text.select();
    setText(state, "Press Ctrl+C to copy it.");
  }
}
