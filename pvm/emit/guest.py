"""The guest's memory and jumps as both WebAssembly engines see them: instruction names, page rights, table places.

In: widths, locals. Out: bytes. What to do when access is refused is each engine's own.
"""

from __future__ import annotations

from pvm import abi
from pvm.emit.state import ENGINE, GUEST, add, get_byte
from pvm.wasm.code import i32_const, load, local_get, op, store


def guest_load(width: int, signed: bool) -> bytes:
    """Replace the address on the stack by `width` octets from there, extended to an i64."""
    return load("i64.load" if width == 8 else f"i64.load{8 * width}_{'s' if signed else 'u'}", 0, GUEST, align=0)


def guest_store(width: int, offset: int = 0) -> bytes:
    """Store the low `width` octets of the i64 on the stack at the address below it, plus an offset."""
    return store("i64.store" if width == 8 else f"i64.store{8 * width}", offset, GUEST, align=0)


def is_refused(address: int, length: int, bit: int) -> bytes:
    """Push whether the page of either end of the range from the local `address` lacks the bit of the page table.

    Asking first whether the ends share a page measured the same within noise (0.94 to 1.13 times as long on five
    examples), and takes more code.
    """
    rights = _page_rights(local_get(address))
    if length > 1:
        rights += _page_rights(add(local_get(address), length - 1)) + op("i32.and")
    return rights + i32_const(bit) + op("i32.and") + op("i32.eqz")


def is_refused_at(address: int, length: int, bit: int) -> bytes:
    """The same at a constant address: its pages are known."""
    first, last = address >> abi.GUEST_PAGE_BITS, ((address + length - 1) & 0xFFFFFFFF) >> abi.GUEST_PAGE_BITS
    rights = [i32_const(0) + load("i32.load8_u", abi.PAGE_TABLE + page, ENGINE) for page in sorted({first, last})]
    both = op("i32.and") if len(rights) == 2 else b""
    return b"".join(rights) + both + i32_const(bit) + op("i32.and") + op("i32.eqz")


def jump_table_place(address: int) -> bytes:
    """Push the place in the jump table that the dynamic address in a local means (the paper's djump).

    Rotated by one bit, misaligned addresses are beyond any table, and so is 0 less one.
    """
    return local_get(address) + i32_const(31) + op("i32.rotl") + i32_const(1) + op("i32.sub")


def _page_rights(address: bytes) -> bytes:
    return get_byte(address + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u"), abi.PAGE_TABLE)
