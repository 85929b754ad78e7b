/**
 * When a state was: positions, their order, and what going back stops at. In: a machine, the journal's entries.
 *
 * Between two entries of the journal (a segment), gas falls with every block that is paid and pc grows within one: so
 * segment, gas, pc and whether the block around pc is paid say when a state was.
 */

/**
 * @typedef {object} Position When a state was.
 * @property {number} segment entries of the journal before it
 * @property {bigint} gas
 * @property {boolean} paid whether the block around pc is paid; by instruction always false
 * @property {number} pc
 * @property {boolean} called whether the machine stands at a host call that has been made
 * @property {boolean} ended whether the instruction at pc ended the run
 */

/** Where a machine is, but for the segment. */
export function placeOf(machine) {
  const { pc } = machine; // first, as it makes the other fields valid where translated code was left
  const paid = machine.get("metering") !== 0 && machine.get("charged") !== 0;
  return { gas: machine.gas, paid, pc, called: machine.get("called") !== 0, ended: machine.hasEnded };
}

/** Before every state of a segment that has at most so much gas. @returns {Position} */
export function before(segment, gas) {
  return { segment, gas, paid: true, pc: -1, called: false, ended: false };
}

/** Step, and whether that led anywhere. */
export function moves(machine) {
  const start = placeOf(machine);
  const code = machine.step();
  if (code === machine.abi.outOfGas) machine.exitOf(code);
  return !isThere(machine, start);
}

/**
 * What `back` stops at. It gets the journal, too, by number.
 *
 * @param {"instruction"|"block"|"breakpoint"} unit
 * @param {Set<number>} breakpoints
 * @returns {(machine: import("../shared/host.mjs").Machine, position: Position,
 *   entry: (number: number) => import("./history.mjs").Entry|undefined) => boolean}
 */
export function matcher(unit, breakpoints) {
  return {
    // A call that is answered at once is one step, forwards as backwards.
    instruction: (machine, position, entry) => {
      const next = entry(position.segment);
      return next?.kind !== "automatic" || !isSame(next.before, position);
    },
    block: (machine, { called }) => machine.recordAt(machine.pc).isStart && !called,
    breakpoint: (machine, { called }) => breakpoints.has(machine.pc) && !called,
  }[unit];
}

/** Whether the call at which the machine stands at a position has been answered; edits may have come after that. */
export function isAnsweredAt(entry, position) {
  let place = position;
  for (let number = position.segment - 1; place.called; number--) {
    const last = entry(number);
    if (!last || !isSame(last.after, place)) return false;
    if (last.kind !== "edit") return true;
    place = last.before;
  }
  return false;
}

export function isThere(machine, target) {
  return isSame({ ...placeOf(machine), segment: target.segment }, target);
}

export function isSame(first, second) {
  return compare(first, second) === 0;
}

/**
 * Below 0 when the first is earlier. Within a segment gas falls; of the same gas, what is in a paid block comes before
 * the start of the next one; within a block pc grows, and a call or an end comes after the state before it.
 */
export function compare(first, second) {
  if (first.segment !== second.segment) return first.segment - second.segment;
  if (first.gas !== second.gas) return first.gas > second.gas ? -1 : 1;
  if (first.paid !== second.paid) return first.paid ? -1 : 1;
  if (first.pc !== second.pc) return first.pc - second.pc;
  return Number(first.called || first.ended) - Number(second.called || second.ended);
}
