"""Programs as users hold them: a blob, and for standard programs its sections, for services its metadata.

In: bytes in one of four formats. Out: a frozen `Program`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pvm.errors import InputError, InputTypeError, ProgramError
from pvm.lazy import lazy
from pvm.program.blob import Blob
from pvm.program.codec import encode_natural
from pvm.program.polkavm import MAGIC, PolkavmBlob, parse_polkavm
from pvm.program.recognise import recognise
from pvm.program.standard import Sections, parse_metadata, parse_standard
from pvm.suggestions import unknown

FORMAT_NAMES: tuple[str, ...] = ("auto", "jam", "standard", "plain", "polkavm")


@dataclass(frozen=True)
class Program:
    """A parsed program.

    `sections` is None for a plain program blob, `metadata` is None unless it is a service preimage, `polkavm` is None
    unless it comes from a PolkaVM blob.
    """

    blob: Blob
    sections: Sections | None = None
    metadata: bytes | None = None
    polkavm: PolkavmBlob | None = None

    def __repr__(self) -> str:
        return f"<Program {self.format}: {self.blob!r}>"

    @property
    def format(self) -> str:
        """"jam" (a service preimage), "standard", "plain" or "polkavm"."""
        if self.polkavm is not None:
            return "polkavm"
        return "plain" if self.sections is None else "standard" if self.metadata is None else "jam"

    @property
    def code(self) -> bytes:
        """c, the instruction data."""
        return self.blob.code

    @property
    def jump_table(self) -> Sequence[int]:
        """j, the dynamic jump table: a tuple, or `pvm.program.blob.ZeroEntries`."""
        return self.blob.jump_table

    @staticmethod
    def parse(data: bytes, format: str = "auto") -> Program:
        """Read a program in the given format; "auto" takes the format that fits.

        Raises ProgramError (bad bytes; it says what they are where that can be told), InputTypeError (no bytes) or
        InputError (unknown format).
        """
        try:
            data = bytes(memoryview(data))
        except TypeError:
            got = type(data).__name__
            hint = ": bytes.fromhex reads hexadecimal, pvm.program.assemble assembly" if isinstance(data, str) else ""
            raise InputTypeError(f"a program is bytes, but got {got}{hint}") from None
        if not data:
            raise ProgramError("empty: a program has at least 3 bytes")
        if format == "auto":
            return _detect(data)
        if format not in _PARSERS:
            raise InputError(unknown("format", format, FORMAT_NAMES))
        return _PARSERS[format](data)

    def encode(self) -> bytes:
        """The bytes that `parse` reads, in the program's own format."""
        if self.polkavm is not None:
            return self.polkavm.data
        blob = self.encoded_blob
        if self.sections is None:
            return blob
        standard = self.sections.encode(blob)
        return standard if self.metadata is None else encode_natural(len(self.metadata)) + self.metadata + standard

    @lazy
    def encoded_blob(self) -> bytes:
        """The program blob's bytes, without sections and metadata."""
        return self.blob.encode()


def _parse_plain(data: bytes) -> Program:
    return Program(Blob.parse(data))


def _parse_standard(data: bytes, offset: int = 0, metadata: bytes | None = None) -> Program:
    sections, blob = parse_standard(data, offset)
    return Program(Blob.parse(blob), sections, metadata)


def _parse_jam(data: bytes) -> Program:
    metadata, offset = parse_metadata(data)
    return _parse_standard(data, offset, metadata)


def _parse_polkavm(data: bytes) -> Program:
    found = parse_polkavm(data)
    return Program(found.blob, found.sections, polkavm=found)


_PARSERS: dict[str, Callable[[bytes], Program]] = {
    "standard": _parse_standard,
    "jam": _parse_jam,
    "plain": _parse_plain,
    "polkavm": _parse_polkavm,
}


def _detect(data: bytes) -> Program:
    """The first format that reads every byte. Lengths must add up three times over, so two hardly ever fit."""
    has_magic, failures = data.startswith(MAGIC), {}
    for name in ("polkavm", *_PARSERS) if has_magic else _PARSERS:
        try:
            return _PARSERS[name](data)
        except ProgramError as error:
            failures[name] = str(error)
    polkavm = failures.pop("polkavm")
    if has_magic:
        raise ProgramError(polkavm)
    found = recognise(data)
    if found is not None:
        raise ProgramError(str(found))
    raise ProgramError("no format fits (" + "; ".join(f"as {name}: {why}" for name, why in failures.items()) + ")")
