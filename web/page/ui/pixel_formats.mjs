/**
 * How bytes are pixels. A reader puts the colours of `count` pixels from `bytes` into `out` (RGBA, four bytes each).
 */

/**
 * @typedef {{text: string, bits: number, read: (bytes: Uint8Array, from: number, out: Uint8ClampedArray, to: number,
 *   count: number) => void}} PixelReader
 */

const OFF = [250, 250, 252],
  ON = [17, 24, 39];

function set(out, at, red, green, blue) {
  out[at] = red;
  out[at + 1] = green;
  out[at + 2] = blue;
  out[at + 3] = 255;
}

/**
 * @param {number} octets of a pixel
 * @param {(bytes: Uint8Array, at: number, out: Uint8ClampedArray, to: number) => void} one
 */
const reader = (text, octets, one) => ({
  text,
  bits: 8 * octets,
  read(bytes, from, out, to, count) {
    for (let i = 0; i < count; i++) one(bytes, from + i * octets, out, to + 4 * i);
  },
});

/** @type {Object<string, PixelReader>} */
export const FORMATS = {
  bool8: reader("on / off, a byte each", 1, (bytes, at, out, to) => set(out, to, ...(bytes[at] ? ON : OFF))),
  grey8: reader("grey, 8 bit", 1, (bytes, at, out, to) => set(out, to, bytes[at], bytes[at], bytes[at])),
  heat8: reader("heat colours, 8 bit", 1, (bytes, at, out, to) => {
    const value = bytes[at];
    set(
      out,
      to,
      Math.min(255, value * 2.2),
      Math.max(0, Math.min(255, (value - 70) * 1.7)),
      value < 64 ? value * 3 : Math.max(60, (value - 170) * 3),
    );
  }),
  rgb332: reader("RGB, 3-3-2 bit", 1, (bytes, at, out, to) => {
    const value = bytes[at];
    set(out, to, ((value >> 5) * 255) / 7, (((value >> 2) & 7) * 255) / 7, (value & 3) * 85);
  }),
  rgb565: reader("RGB, 5-6-5 bit", 2, (bytes, at, out, to) => {
    const value = bytes[at] | (bytes[at + 1] << 8);
    set(out, to, ((value >> 11) * 255) / 31, (((value >> 5) & 63) * 255) / 63, ((value & 31) * 255) / 31);
  }),
  rgb888: reader("RGB, 24 bit", 3, (bytes, at, out, to) => set(out, to, bytes[at], bytes[at + 1], bytes[at + 2])),
  rgba32: reader("RGBA, 32 bit", 4, (bytes, at, out, to) => set(out, to, bytes[at], bytes[at + 1], bytes[at + 2])),
  bgra32: reader("BGRA, 32 bit", 4, (bytes, at, out, to) => set(out, to, bytes[at + 2], bytes[at + 1], bytes[at])),
  bits: {
    text: "on / off, a bit each",
    bits: 1,
    read(bytes, from, out, to, count) {
      for (let i = 0; i < count; i++) set(out, to + 4 * i, ...((bytes[from + (i >> 3)] >> (i & 7)) & 1 ? ON : OFF));
    },
  },
};

/** Octets of a row of `width` pixels. @param {string} format @param {number} width */
export const rowOctets = (format, width) => Math.ceil((width * FORMATS[format].bits) / 8);
