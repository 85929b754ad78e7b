/** Drawing in animation frames: what several panels want to draw at once is spread over several frames. */

const BUDGET = 6; // milliseconds of drawing after which a frame takes nothing more
/** @type {Set<() => void>} */
const waiting = new Set();

/**
 * Calls `work` in the next frame that has room for it, once, however often it is asked for.
 * @param {() => void} work
 * @returns {() => void}
 */
export function eachFrame(work) {
  return () => {
    if (waiting.size === 0) requestAnimationFrame(draw);
    waiting.add(work);
  };
}

function draw() {
  const start = performance.now();
  try {
    for (const work of [...waiting]) {
      waiting.delete(work);
      work();
      if (performance.now() - start > BUDGET) break;
    }
  } finally {
    if (waiting.size) requestAnimationFrame(draw);
  }
}
