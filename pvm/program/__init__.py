"""Programs: formats, decoding, blocks, assembler and disassembler."""

from pvm.program.assembler import assemble
from pvm.program.blob import Blob, pack_bitmask
from pvm.program.decode import Instruction, block_starts, decode, decode_at, invalid_at, is_entry, is_valid, skip
from pvm.program.disassembler import disassemble, disassemble_lines, format_instruction
from pvm.program.explain import jumps_to_no_block, why_panic
from pvm.program.polkavm import Export, PolkavmBlob, parse_polkavm
from pvm.program.program import FORMAT_NAMES, Program
from pvm.program.recognise import Recognised, from_hex, recognise
from pvm.program.standard import PAGE_SIZE, Sections, Segment
from pvm.program.survey import Survey, survey

__all__ = [
    "FORMAT_NAMES",
    "PAGE_SIZE",
    "Blob",
    "Export",
    "Instruction",
    "PolkavmBlob",
    "Program",
    "Recognised",
    "Sections",
    "Segment",
    "Survey",
    "assemble",
    "block_starts",
    "decode",
    "decode_at",
    "disassemble",
    "disassemble_lines",
    "format_instruction",
    "from_hex",
    "invalid_at",
    "is_entry",
    "is_valid",
    "jumps_to_no_block",
    "pack_bitmask",
    "parse_polkavm",
    "recognise",
    "skip",
    "survey",
    "why_panic",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
