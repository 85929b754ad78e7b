/** The guest's memory as the host sees it. In: addresses, which may be anything. Out: bytes and rights. */

export const PAGE_SIZE = 4096;
export const PAGES = 1 << 20;
export const ADDRESS_SPACE = 2 ** 32;

/** An error whose text is for people: bad input or a limit of the browser. */
export class HostError extends Error {}

const RIGHTS = { r: "READABLE", rw: "WRITABLE" };

/** The guest's 4 GiB as the host sees them, and the page table in the engine memory. */
export class GuestMemory {
  #abi;
  #table;

  constructor(abi, guest, table) {
    this.#abi = abi;
    this.#table = table;
    this.buffer = guest.buffer; // it never grows, so it is never detached
    /** All of it, 4 bytes at a time: a view of 2^32 octets is more than some browsers give. */
    this.words = new Uint32Array(this.buffer);
  }

  /** A view of `length` bytes. @returns {Uint8Array} */
  view(address, length) {
    checkRange(address, length);
    return new Uint8Array(this.buffer, address, length);
  }

  read(address, length) {
    return this.view(address, length).slice();
  }

  write(address, bytes) {
    this.view(address, bytes.length).set(bytes);
  }

  /** Make a range zero. */
  fill(address, length) {
    this.view(address, length).fill(0);
  }

  /** Give the guest "rw", "r" or no (null) access to every page that the range touches; contents stay. */
  map(address, length, access = null) {
    checkRange(address, length);
    if (!length) return;
    if (access !== null && !(access in RIGHTS)) throw new HostError(`access ${access}: choose rw, r or null`);
    const { READABLE, WRITABLE, LOW_PAGES, LOW_SHIFT } = this.#abi;
    const rights = access === null ? 0 : access === "r" ? READABLE : READABLE | WRITABLE;
    const first = Math.floor(address / PAGE_SIZE);
    const end = Math.ceil((address + length) / PAGE_SIZE);
    const table = this.#table();
    if (first < LOW_PAGES) table.fill(rights << LOW_SHIFT, first, Math.min(end, LOW_PAGES));
    if (end > LOW_PAGES) table.fill(rights, Math.max(first, LOW_PAGES), end);
  }

  /** The rights of a page, by its number: null, "r" or "rw". */
  accessOf(page) {
    const { LOW_PAGES, LOW_SHIFT, READABLE, WRITABLE } = this.#abi;
    const rights = page < LOW_PAGES ? this.#table()[page] >> LOW_SHIFT : this.#table()[page];
    return rights & WRITABLE ? "rw" : rights & READABLE ? "r" : null;
  }

  /** Whether the guest may read all of a range, which is not empty. It never may below 2^16. */
  isReadable(address, length) {
    const first = Math.floor(address / PAGE_SIZE);
    const last = Math.floor((address + length - 1) / PAGE_SIZE);
    return first >= this.#abi.LOW_PAGES && last < PAGES && !this.#table().subarray(first, last + 1).includes(0);
  }

  /** The page table itself: a byte a page. */
  get table() {
    return this.#table();
  }
}

function checkRange(address, length) {
  if (!Number.isInteger(address) || !Number.isInteger(length) || address < 0 || length < 0 ||
      address + length > ADDRESS_SPACE) {
    throw new HostError(`address ${address}: ${length} bytes from there do not lie within the 4 GiB`);
  }
}
