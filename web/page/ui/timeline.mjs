/**
 * The run as a line: gas used from the start to the furthest point that is known. Calls, stops at breakpoints and the
 * first difference from a recorded run lie on it; dragging goes there, arrow keys go from one to the next.
 */

import { byId, h, setText } from "./dom.mjs";
import { grouped } from "./format.mjs";
import { eachFrame } from "./frames.mjs";

const NEAR = 6; // pixels from a mark within which a click means it
const MOST = 2000; // marks that are drawn
const EDGE = 8; // pixels left and right of the line
const LOG = 100; // the host call that is of least interest

export class Timeline {
  #line = { calls: [], stops: [], divergence: null, ending: null };
  #dragging = false;
  #wanted = null;
  #isGoing = false;

  /** @param {import("./debugger.mjs").Debugger} model @param {{nameOf: (call: number) => string}} calls */
  constructor(model, calls) {
    this.model = model;
    this.calls = calls;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.tip = h("output", { class: "timeline-tip", hidden: true });
    this.element = byId("timeline");
    this.element.append(this.canvas, this.tip);
    this.draw = eachFrame(() => this.#draw());
    model.on("view", () => this.#moved());
    model.on("progress state breakpoints", () => this.draw());
    model.on("program", () => {
      this.#line = { calls: [], stops: [], divergence: null, ending: null };
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.element.addEventListener("pointerdown", (event) => this.#press(event));
    this.element.addEventListener("pointermove", (event) => this.#hover(event));
    this.element.addEventListener("pointerup", () => {
      this.#dragging = false;
    });
    this.element.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  async #moved() {
    try {
      this.#line = await this.model.timeline();
    } catch {
      return; // it runs already again
    }
    this.draw();
  }

  get #furthest() {
    const { view } = this.model;
    const furthest = view?.furthest ?? 0n;
    return view && view.gas_used > furthest ? view.gas_used : furthest;
  }

  #x(used) {
    const all = this.#furthest;
    const width = this.element.clientWidth - 2 * EDGE;
    return EDGE + (all > 0n ? (Number(used) / Number(all)) * width : 0);
  }

  #usedAt(x) {
    const width = this.element.clientWidth - 2 * EDGE;
    const share = Math.min(1, Math.max(0, (x - EDGE) / width));
    return BigInt(Math.round(share * Number(this.#furthest)));
  }

  /** All that lies on the line, in order: where, what to go to, and what to say of it. */
  *#marks() {
    const { calls, stops, divergence } = this.#line;
    for (const { index, number, used, text } of calls.slice(0, MOST)) {
      const name = this.model.hostCalls ? this.calls.nameOf(number) : `call ${number}`;
      yield { kind: "call", number, used, target: { call: index }, say: `call ${index}: ${text ?? name}` };
    }
    for (const { used, pc } of stops) {
      const say = `breakpoint at ${this.model.program?.nameOf(pc) ?? pc}`;
      yield { kind: "stop", used, target: { used }, say };
    }
    if (divergence) {
      const { used } = divergence;
      yield { kind: "divergence", used, target: { used }, say: "here the run parts from the recorded one" };
    }
  }

  #nearest(x) {
    let [best, distance] = [null, NEAR];
    for (const mark of this.#marks()) {
      const away = Math.abs(this.#x(mark.used) - x);
      if (away <= distance) [best, distance] = [mark, away];
    }
    return best;
  }

  #press(event) {
    if (!this.model.view || event.button !== 0) return;
    this.#dragging = true;
    this.element.setPointerCapture(event.pointerId);
    const mark = this.#nearest(event.offsetX);
    this.#go(mark ? mark.target : { used: this.#usedAt(event.offsetX) });
  }

  #hover(event) {
    const x = event.clientX - this.element.getBoundingClientRect().left;
    if (this.#dragging) this.#go({ used: this.#usedAt(x) });
    const mark = this.#nearest(x);
    this.tip.hidden = !this.model.view || this.#furthest === 0n;
    setText(this.tip, `${grouped(mark ? mark.used : this.#usedAt(x))} gas${mark ? ` · ${mark.say}` : ""}`);
    const width = this.tip.offsetWidth;
    const left = Math.min(this.element.clientWidth - width - 4, Math.max(4, x - width / 2));
    this.tip.style.setProperty("--left", `${left}px`);
  }

  /** Goes to the latest of the places that were asked for. */
  async #go(target) {
    this.#wanted = target;
    if (this.#isGoing) return;
    this.#isGoing = true;
    while (this.#wanted) {
      const next = this.#wanted;
      this.#wanted = null;
      await this.model.seek(next);
    }
    this.#isGoing = false;
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.model.view) return;
    const now = this.model.view.gas_used;
    const marks = [...this.#marks()].sort((a, b) => Number(a.used - b.used));
    const target = {
      ArrowRight: () => marks.find(({ used }) => used > now)?.target ?? {},
      ArrowLeft: () => marks.findLast(({ used }) => used < now)?.target ?? { used: 0n },
      Home: () => ({ used: 0n }),
      End: () => ({}),
    }[event.key];
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    this.#go(target());
  }

  #draw() {
    const { view } = this.model;
    const { canvas, element } = this;
    const [width, height] = [element.clientWidth, element.clientHeight];
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    }
    const context = canvas.getContext("2d");
    const style = getComputedStyle(element);
    const colour = (name) => style.getPropertyValue(name);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const middle = Math.round(height / 2);
    const now = view ? this.#x(view.gas_used) : EDGE;
    this.#bar(context, colour("--arrow"), now, width - EDGE, middle, [3, 4]);
    this.#bar(context, colour("--mark"), EDGE, now, middle, []);
    if (!view) return this.#say();
    for (const { kind, number, used } of this.#marks()) {
      const x = Math.round(this.#x(used)) + 0.5;
      context.globalAlpha = used > view.gas_used ? 0.45 : 1;
      if (kind === "call") {
        const isLog = Number(number) === LOG;
        context.fillStyle = isLog ? colour("--arrow") : `oklch(0.65 0.15 ${(Number(number) * 67) % 360})`;
        context.fillRect(x - 1.5, middle - 7, 3, 14);
      } else {
        context.fillStyle = colour("--stop");
        context.beginPath();
        if (kind === "stop") context.arc(x, middle, 4, 0, 7);
        else for (const [dx, dy] of [[0, -9], [7, 0], [0, 9], [-7, 0]]) context.lineTo(x + dx, middle + dy);
        context.fill();
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = colour("--mark");
    context.beginPath();
    context.arc(now, middle, 6, 0, 7);
    context.fill();
    this.#say();
  }

  #bar(context, colour, from, to, middle, dashes) {
    context.strokeStyle = colour;
    context.lineWidth = dashes.length ? 2 : 4;
    context.setLineDash(dashes);
    context.beginPath();
    context.moveTo(from, middle);
    context.lineTo(Math.max(from, to), middle);
    context.stroke();
    context.setLineDash([]);
  }

  /** The same in words. */
  #say() {
    const { view } = this.model;
    const all = this.#furthest;
    const before = this.#line.calls.filter(({ later }) => !later).length;
    const calls = this.#line.calls.length ? `, call ${before} of ${this.#line.calls.length}` : "";
    const text = view ? `${grouped(view.gas_used)} of ${grouped(all)} gas${calls}` : "nothing has run";
    this.element.setAttribute("aria-valuetext", text);
    this.element.setAttribute("aria-valuenow", String(view?.gas_used ?? 0));
    this.element.setAttribute("aria-valuemax", String(all));
    this.element.classList.toggle("has-future", Boolean(view?.can_forward));
    setText(byId("timeline-text"), view && all > 0n ? text : "");
  }
}
