"""A disagreement as a file: JSON that people can read, and that repeats it.

In: a case, a disagreement. Out: text; from such text the case again. Of the file only `case` is read: the program is
there as octets, and beside it as assembly for the reader.
"""

from __future__ import annotations

import json
from typing import Any

from pvm.errors import InputError
from pvm.fuzz.cases import ROUNDS, Case
from pvm.fuzz.compare import Disagreement
from pvm.isa import SPEC_NAMES
from pvm.isa import spec as find_spec
from pvm.machine import GAS_LIMIT, METERINGS, PC_LIMIT
from pvm.program import PAGE_SIZE, Program, disassemble
from pvm.program.standard import ADDRESS_SPACE
from pvm.registers import REGISTER_COUNT, REGISTER_LIMIT

MOST_PAGES = 1 << 12  # of a case that is read: each is looked at after each exit
MOST_ROUNDS = 1 << 12
MOST_LOOKS = 1 << 14  # at pages in all rounds: 8 KiB each, which are kept
_SEEDS = 1 << 64


def format_case(case: Case, disagreement: Disagreement, found_by: str, repeat: str) -> str:
    """The text of a file. `found_by` and `repeat` are the commands that found the disagreement and show it again."""
    program = Program.parse(case.program, format="plain")
    return json.dumps({
        "repeat": repeat,
        "found_by": found_by,
        "disagreement": {
            "engine": disagreement.engine, "exit": disagreement.exit, "what": disagreement.what,
            "expected": disagreement.expected, "found": disagreement.found,
        },
        "assembly": disassemble(program, case.spec).splitlines(),
        "case": {
            "kind": case.kind, "seed": case.seed, "spec": case.spec, "metering": case.metering,
            "program": case.program.hex(), "pc": case.pc, "gas": case.gas,
            "registers": [f"{value:#x}" for value in case.registers],
            "pages": [{"address": f"{address:#x}", "access": access} for address, access in case.pages],
            "contents": [{"address": f"{address:#x}", "octets": data.hex()} for address, data in case.contents],
            "is_blank": case.is_blank, "left_out": case.left_out, "refill": case.refill, "rounds": case.rounds,
            "remapped": [f"{address:#x}" for address in case.remapped], "moves_pc": case.moves_pc,
        },
    }, indent=2) + "\n"  # fmt: skip


def parse_case(text: str | bytes) -> Case:
    """The case in a file. Raises InputError with what is wrong and where."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from None
    fields = data.get("case") if isinstance(data, dict) else None
    if not isinstance(fields, dict):
        raise InputError("not a case that `pvm fuzz` saved: there is no object 'case'")
    program = _octets(fields, "program")
    Program.parse(program, format="plain")
    case = Case(
        _number(fields, "seed", _SEEDS), _text(fields, "kind"), program,
        find_spec(_choice(fields, "spec", SPEC_NAMES)).name, _choice(fields, "metering", METERINGS),
        _number(fields, "pc", PC_LIMIT), _number(fields, "gas", GAS_LIMIT), _registers(fields),
        tuple((_page(page), _choice(page, "access", ("r", "rw"))) for page in _objects(fields, "pages")),
        tuple(_chunk(chunk) for chunk in _objects(fields, "contents")),
        max(1, _number(fields, "refill", GAS_LIMIT, 40)),
        tuple(_address({"remapped": one}, "remapped") for one in _list(fields, "remapped")),
        _number(fields, "rounds", MOST_ROUNDS, ROUNDS), fields.get("is_blank") is True,
        _number(fields, "left_out", MOST_PAGES, 0), fields.get("moves_pc") is True,
    )  # fmt: skip
    pages = len(case.pages) + len(case.remapped)
    if pages * case.rounds > MOST_LOOKS:
        raise InputError(f"case: {pages} pages in {case.rounds} rounds: at most {MOST_LOOKS} together")
    return case


def _number(fields: dict[str, Any], name: str, limit: int, default: int | None = None) -> int:
    """A number, or its digits as text."""
    value = fields.get(name, default)
    if isinstance(value, str) and len(value) < 80:
        try:
            value = int(value, 0)
        except ValueError:
            value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise InputError(f"case: {name}: {fields.get(name)!r:.40} is no integer from 0 to {limit - 1}")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > 40:
        raise InputError(f"case: {name}: no short text")
    return value


def _choice(fields: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"case: {name}: {value!r:.40} is none of {', '.join(choices)}")
    return value


def _octets(fields: dict[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(fields[name])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"case: {name}: no hexadecimal octets") from None


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name, [])
    if not isinstance(value, list) or len(value) > MOST_PAGES:
        raise InputError(f"case: {name}: no list of at most {MOST_PAGES}")
    return value


def _objects(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = _list(fields, name)
    if not all(isinstance(one, dict) for one in found):
        raise InputError(f"case: {name}: not all are objects")
    return found


def _registers(fields: dict[str, Any]) -> tuple[int, ...]:
    found = _list(fields, "registers")
    if len(found) != REGISTER_COUNT:
        raise InputError(f"case: registers: {len(found)}, not {REGISTER_COUNT}")
    return tuple(_number({"registers": one}, "registers", REGISTER_LIMIT) for one in found)


def _address(fields: dict[str, Any], name: str) -> int:
    value = _number(fields, name, ADDRESS_SPACE)
    if value % PAGE_SIZE:
        raise InputError(f"case: {name}: {value:#x} is no page's address")
    return value


def _page(fields: dict[str, Any]) -> int:
    return _address(fields, "address")


def _chunk(fields: dict[str, Any]) -> tuple[int, bytes]:
    address, octets = _number(fields, "address", ADDRESS_SPACE), _octets(fields, "octets")
    if address + len(octets) > ADDRESS_SPACE:
        raise InputError(f"case: contents: {address:#x}: beyond the address space")
    return address, octets
