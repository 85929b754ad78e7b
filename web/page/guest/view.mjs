/** How a machine stands, as the session tells it. Types only. */

/**
 * @typedef {object} View
 * @property {number} pc
 * @property {bigint} gas
 * @property {BigUint64Array} registers
 * @property {import("../shared/host.mjs").Exit|null} exit
 * @property {null|"step"|"breakpoint"|"stop"|"budget"|"divergence"|"block"} stopped
 * @property {"interpreter"|"recompiler"} tier
 * @property {boolean} can_back
 * @property {boolean} can_forward whether what came after is kept
 * @property {number} time how many times the host has intervened before
 * @property {number} answers how many host calls have been answered before
 * @property {bigint} gas_used by the guest since the start; what host calls cost is not in it
 * @property {bigint} furthest the same at the latest position that is known
 * @property {number} milliseconds of generated code in the last request
 * @property {bigint} heap_end
 * @property {Uint8Array|null} result
 * @property {bigint} result_length
 * @property {{call: number|null, line: number, message: string}|null} divergence
 * @property {import("./calls.mjs").Answer|null} pending what the call at which it stands is answered when it goes on
 */
export {};
