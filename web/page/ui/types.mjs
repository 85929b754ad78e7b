/**
 * The values that the workers send and the panels show. Types only. 64-bit integers are BigInt, addresses and pcs
 * numbers.
 *
 * @typedef {{reason: string, pc: number, gas: bigint, address: number|null, call: bigint|null}} Exit
 * @typedef {{pc: number, gas: bigint, registers: BigUint64Array, exit: Exit|null, stopped: string|null, tier: string,
 *   can_back: boolean, can_forward: boolean, gas_used: bigint, furthest: bigint, milliseconds: number, heap_end: bigint,
 *   result: Uint8Array|null, result_length: bigint, divergence: {call: number|null, line: number, message:
 * string}|null, pending: object|null}} View
 * @typedef {{handle: string, kind: string, name: string, format: string, spec: string, metadata: string|null,
 *   code_length: number, instructions: number, blocks: number, jump_table: number,
 *   entry_points: {pc: number, name: string}[],
 *   segments: {name: string, address: number, length: number, access: string}[],
 *   hash: string, data: Uint8Array, notes: string[], source: string|null, source_lines: Uint32Array|null,
 *   example: ExampleInfo|null, pixels?: PixelFormat|null, trace: object|null, imports: string[]|null}} Opened
 * @typedef {{name: string, title: string, args: string, gas: bigint, pixels: PixelFormat|null}} ExampleInfo
 * @typedef {{address: number, width: number, height: number, stride: number, format: string}} PixelFormat
 * @typedef {{pc: number, octets: string, name: string, text: string, comment: string|null, label: string|null}} Line
 * @typedef {{index: number, number: bigint, pc: number, gas: bigint, registers: BigUint64Array, text: string|null,
 *   answer: {registers: Object<string, bigint>, writes: {address: number, bytes: Uint8Array}[], gas: bigint|null,
 *   end: string|null}|null}} CallEntry
 * @typedef {{args: string, gas: string, pc: string, spec: string, metering: string, tier: string}} Settings
 */
export {};
