/** Arrows from jumps to their targets, drawn beside the rows in view. */

import { eachFrame } from "./frames.mjs";

const ROW = 20;
const LANE = 6; // pixels between two lines
const LANES = 5;
const MARGIN = 400; // rows beyond the view whose jumps may lead into it
const MOST = 60; // arrows drawn at once

export class JumpLanes {
  #size = { width: 0, height: 0 };
  #colours = { quiet: "", strong: "" };

  /** @param {HTMLCanvasElement} canvas @param {import("./listing.mjs").Listing} listing */
  constructor(canvas, listing) {
    this.canvas = canvas;
    this.listing = listing;
    this.draw = eachFrame(() => this.drawNow());
    new ResizeObserver(() => {
      this.#size = { width: canvas.clientWidth, height: canvas.clientHeight };
      this.draw();
    }).observe(canvas);
    this.readColours();
    listing.element.addEventListener(
      "scroll",
      () => {
        canvas.style.transform = `translateX(${-listing.element.scrollLeft}px)`;
      },
      { passive: true },
    );
  }

  /** Takes the colours from the style sheet, again when they have changed. */
  readColours() {
    const style = getComputedStyle(this.canvas);
    this.#colours = { quiet: style.getPropertyValue("--arrow"), strong: style.getPropertyValue("--mark") };
  }

  /** Draws now: in the frame in which the rows have moved. */
  drawNow() {
    const {
      canvas,
      listing: { program, list, selected, current },
    } = this;
    const scale = devicePixelRatio || 1;
    const { width, height } = this.#size;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!program || !width) return;
    const colours = this.#colours;
    const first = list.first,
      last = first + height / ROW;
    const y = (number) => (number + 0.5 - first) * ROW;
    for (const { from, to, lane } of arrows(program, first, last, selected)) {
      const strong = from === selected || from === current || to === selected;
      const x = width - 5 - (lane + 1) * LANE;
      context.strokeStyle = context.fillStyle = strong ? colours.strong : colours.quiet;
      context.lineWidth = strong ? 1.5 : 1;
      const start = Math.max(-8, Math.min(height + 8, y(from) + 2)),
        end = Math.max(-8, Math.min(height + 8, y(to) - 2));
      context.beginPath();
      context.moveTo(width - 2, start);
      context.lineTo(x + 2, start);
      context.quadraticCurveTo(x, start, x, start + Math.sign(end - start) * 2);
      context.lineTo(x, end - Math.sign(end - start) * 2);
      context.quadraticCurveTo(x, end, x + 2, end);
      context.lineTo(width - 5, end);
      context.stroke();
      context.beginPath();
      context.moveTo(width - 1, end);
      context.lineTo(width - 6, end - 3);
      context.lineTo(width - 6, end + 3);
      context.fill();
    }
  }
}

/**
 * The jumps that begin or end between rows `first` and `last`, short ones in inner lanes; long ones only if selected.
 */
function arrows(program, first, last, selected) {
  const found = [];
  const from = Math.max(0, Math.floor(first) - MARGIN),
    to = Math.min(program.count, Math.ceil(last) + MARGIN);
  for (let number = from; number < to && found.length < 4 * MOST; number++) {
    const target = program.targets[number];
    if (target < 0) continue;
    const end = program.numberOf(target);
    const low = Math.min(number, end),
      high = Math.max(number, end);
    const inView = (row) => row >= first - 1 && row <= last;
    if (inView(number) || inView(end)) found.push({ from: number, to: end, low, high, lane: 0 });
  }
  found.sort((one, other) => one.high - one.low - (other.high - other.low));
  const lanes = Array.from({ length: LANES }, () => []);
  const drawn = [];
  for (const arrow of found) {
    const lane = lanes.findIndex((taken) => taken.every(({ low, high }) => arrow.high < low || arrow.low > high));
    if (lane < 0 && arrow.from !== selected && arrow.to !== selected) continue;
    arrow.lane = lane < 0 ? LANES - 1 : lane;
    lanes[arrow.lane].push(arrow);
    drawn.push(arrow);
    if (drawn.length === MOST) break;
  }
  return drawn;
}
