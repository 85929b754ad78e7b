/** Which addresses are rows of the memory view: every run of mapped pages, and pages that were asked for. */

const PAGE = 4096;
const SPACE = 2 ** 32;

export const RIGHTS = { "": "no access", r: "read", rw: "read, write" };

/** Runs of pages as rows: a heading for each run, then its bytes, `width` a row. */
export class MemoryMap {
  /**
   * @param {{address: number, length: number, access: string}[]} runs in order
   * @param {Set<number>} extra addresses of pages without access to show as well
   */
  constructor(runs, extra, width) {
    this.width = width;
    const missing = [...extra].filter(
      (page) => !runs.some((run) => page >= run.address && page < run.address + run.length),
    );
    this.runs = [
      ...runs,
      ...missing.map((address) => ({ address, length: Math.min(PAGE, SPACE - address), access: "" })),
    ].sort((one, other) => one.address - other.address);
    let row = 0;
    this.first = this.runs.map((run) => {
      const first = row;
      row += 1 + Math.ceil(run.length / width);
      return first;
    });
    this.count = row;
  }

  /** @returns {{run: object, address: number, heading: boolean}} */
  row(index) {
    let low = 0,
      high = this.first.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.first[middle] <= index) low = middle;
      else high = middle - 1;
    }
    const run = this.runs[low];
    const within = index - this.first[low] - 1;
    return { run, address: run.address + Math.max(0, within) * this.width, heading: within < 0 };
  }

  /** The run that contains the address, or undefined. */
  runOf(address) {
    return this.runs.find((run) => address >= run.address && address < run.address + run.length);
  }

  /** The row that shows the address, -1 if none does. */
  rowOf(address) {
    const index = this.runs.findIndex((run) => address >= run.address && address < run.address + run.length);
    return index < 0 ? -1 : this.first[index] + 1 + Math.floor((address - this.runs[index].address) / this.width);
  }
}
