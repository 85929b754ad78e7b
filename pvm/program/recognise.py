"""What a file is, told by its octets: for those who gave one that is not what was expected.

In: bytes. Out: a frozen `Recognised`, or None. Only what can be told reliably is: magic numbers, and forms of text of
which the first lines suffice. Nothing here says that the rest of the file is as it should be.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from pvm.isa import BY_NAME

_LOOKED_AT = 1 << 16  # octets of text
_LINES = 40  # of those that may be assembly


@dataclass(frozen=True)
class Recognised:
    """`kind` is one word, `what` says it with an article, `advice` what takes it or what to do, as one clause."""

    kind: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"this is {self.what}: {self.advice}"


def recognise(data: bytes) -> Recognised | None:
    """What `data` is, None for what cannot be told, which is how plain and standard programs and services are.

    Kinds are "polkavm", "elf", "wasm", "wat", "vector", "trace", "steps", "case", "report", "stf", "json", "hex",
    "hexdump", "asm", "archive", "pointer", "page" and "text".
    """
    for magic, what in _BINARY:
        if data.startswith(magic):
            return what(data)
    if data[257:262] == b"ustar":
        return _archive("a tar archive")
    text = _text(data)
    if text is None:
        return None
    return next((found for of in _TEXT if (found := of(text, data)) is not None), None)


# --- binary ------------------------------------------------------------------------------------------------------


def _polkavm(data: bytes) -> Recognised:
    return Recognised("polkavm", "a PolkaVM blob", "`pvm inspect`, `disasm` and `run --entry NAME` take it")


_RISCV = 243
_MACHINES = {_RISCV: "RISC-V", 62: "x86-64", 183: "AArch64", 3: "x86", 40: "Arm"}


def _elf(data: bytes) -> Recognised:
    bits = {1: " of 32 bits", 2: " of 64 bits"}.get(data[4] if len(data) > 4 else 0, "")
    machine = int.from_bytes(data[18:20], "big" if data[5:6] == b"\2" else "little")
    what = f"an ELF file{bits} for {_MACHINES.get(machine, 'another machine')}"
    if machine == _RISCV:
        return Recognised("elf", what, "`pvm link` makes a program of it")
    return Recognised("elf", what, "pvm runs programs for the PVM alone")


def _wasm(data: bytes) -> Recognised:
    if data[4:8] == b"\x0d\0\1\0":
        return Recognised("wasm", "a WebAssembly component", "wasmtime runs it")
    return Recognised("wasm", "a WebAssembly module", "`pvm wat` shows it as text, and wasmtime runs it")


def _archive(what: str) -> Recognised:
    return Recognised("archive", what, "unpack it first")


def _packed(what: str) -> Callable[[bytes], Recognised]:
    return lambda data: _archive(what)


_BINARY: tuple[tuple[bytes, Callable[[bytes], Recognised]], ...] = (
    (b"PVM\0", _polkavm),
    (b"\x7fELF", _elf),
    (b"\0asm", _wasm),
    (b"\x1f\x8b\x08", _packed("a gzip archive")),
    (b"\xfd7zXZ\0", _packed("an xz archive")),
    (b"\x28\xb5\x2f\xfd", _packed("a zstd archive")),
    (b"BZh", _packed("a bzip2 archive")),
    (b"PK\3\4", _packed("a zip archive")),
)

# --- text --------------------------------------------------------------------------------------------------------


def _text(data: bytes) -> str | None:
    """The beginning as text; None when it is binary. A character that the cut splits is left out."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data[:_LOOKED_AT], len(data) <= _LOOKED_AT)
    except UnicodeDecodeError:
        return None
    text = text.removeprefix("\ufeff")
    return text if text.strip() and all(c.isprintable() or c in "\t\n\r\f\x1b" for c in text) else None


_SPACES = b" \t\n\r\f\v"


def from_hex(data: bytes) -> bytes | None:
    """The octets that hexadecimal text spells: 0x before it or not, and white space anywhere. None for anything else.

    No program's own octets are read so: callers try those first.
    """
    digits = _digits(data)
    return None if digits is None or len(digits) % 2 else bytes.fromhex(digits.decode("ascii"))


def _digits(data: bytes) -> bytes | None:
    """The hexadecimal digits that the data consists of, besides white space and 0x. None if it has others, or none."""
    digits = data.translate(None, _SPACES)
    digits = digits[2:] if digits[:2] in (b"0x", b"0X") else digits
    return None if not digits or digits.translate(None, b"0123456789abcdefABCDEF") else digits


def _hex(text: str, data: bytes) -> Recognised | None:
    digits = _digits(data)
    if digits is None:
        return None
    if len(digits) % 2:
        return Recognised("hex", "hexadecimal text", f"it has {len(digits)} digits, but each byte takes two")
    return Recognised("hex", "hexadecimal text", "pvm takes it where it spells a program, as a file or as hex:…")


_HEXDUMP = re.compile(r"0{7,8}:? ( ?[0-9a-fA-F]{2}){4}")


def _hexdump(text: str, data: bytes) -> Recognised | None:
    if not _HEXDUMP.match(text):
        return None
    return Recognised("hexdump", "a hexdump", "`xxd -r` makes octets of it, if xxd wrote it")


# Keys that only files of one kind have, all of them near the beginning.
_JSON: tuple[tuple[str, Recognised], ...] = (
    (r'"(?:initial-regs|initial-pc|expected-status)"', Recognised("vector", "a test vector", "`pvm vectors` runs it")),
    (r'"found_by"\s*:', Recognised("case", "a case that `pvm fuzz` saved", "`pvm fuzz --repeat` runs it")),
    (r'"page_fault_address"', Recognised("report", "what `pvm run --json` printed", "it has no program in it")),
    (r'"(?:pre_state|post_state)"', Recognised(
        "stf", "a test vector of JAM's state transition", "pvm runs those of the PVM alone"
    )),
    (r"", Recognised("json", "JSON", "no program of the PVM is")),
)  # fmt: skip


def _json(text: str, data: bytes) -> Recognised | None:
    begins = text.lstrip()
    if not re.match(r'\{\s*["}]|\[\s*[\[\]{"\d-]', begins):
        return None
    return next(found for keys, found in _JSON if re.search(keys, text))


# As in traces: a logger's prefix may stand before the word.
_TRACE = re.compile(r"^(?:[^\n]*\s)?(?:program 0x[0-9a-fA-F]{2}|start pc=\d+ gas=\d|ecalli=\d+ pc=\d)", re.MULTILINE)
_STEPS = re.compile(r"^(?:[^\n]*\s)?pc=\d+ [a-z]\w+ ", re.MULTILINE)


def _trace(text: str, data: bytes) -> Recognised | None:
    if not _TRACE.search(text):
        return None
    if "program 0x" not in text and _STEPS.search(text):
        return Recognised("steps", "a trace of instructions", "`pvm trace diff` compares two")
    return Recognised("trace", "a recorded run (an ecalli trace)", "`pvm replay` verifies it")


_WORD = re.compile(r"(?:[A-Za-z_][\w$.]*:\s*)*(\.?[A-Za-z_][\w.]*|)")
_WORDS = frozenset((
    *BY_NAME, "ret", "call", ".code", ".plain", ".standard", ".metadata", ".rodata", ".data", ".hex", ".ascii", ".zero",
    ".align", ".equ", ".raw", ".unmarked", ".jump_table", ".u8", ".u16", ".u32", ".u64",
))  # fmt: skip


def _assembly(text: str, data: bytes) -> Recognised | None:
    """When more than half of the first lines begin with an instruction or a directive, labels and comments aside."""
    lines = (line.split(";")[0].strip() for line in text.split("\n", _LINES)[:_LINES])
    words = [match[1] if (match := _WORD.match(line)) else "?" for line in lines if line]
    words = [word for word in words if word]
    if 2 * sum(word in _WORDS for word in words) <= len(words):
        return None
    return Recognised("asm", "assembly", "--format asm assembles it, as the ending .pvmasm does")


_BEGINNINGS: tuple[tuple[str, Recognised], ...] = (
    (r"\(module\b|\(component\b", Recognised(
        "wat", "WebAssembly as text", "wat2wasm or wasm-tools makes a module of it"
    )),
    (r"version https://git-lfs", Recognised("pointer", "a pointer of Git LFS", "`git lfs pull` fetches the file")),
    (r"<(?:!doctype\s+html|html)\b", Recognised("page", "a web page", "download the file itself, not its page")),
)  # fmt: skip


def _beginning(text: str, data: bytes) -> Recognised | None:
    begins = text.lstrip()[:100].lower()
    return next((found for pattern, found in _BEGINNINGS if re.match(pattern, begins)), None)


def _any_text(text: str, data: bytes) -> Recognised | None:
    return Recognised("text", "text", "if it is assembly, --format asm assembles it")


_TEXT: tuple[Callable[[str, bytes], Recognised | None], ...] = (
    _hex, _hexdump, _json, _trace, _beginning, _assembly, _any_text
)  # fmt: skip
