"""One row a host call: its number in each version, its parameters, its gas (Gray Paper, appendix B).

In: nothing. Out: `ROWS`, found by number with `by_number`; what calls return; the whole as data for other languages.
`log` is not in the paper, which charges and answers it as any unknown call: JIP-1 describes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from pvm.errors import InputError
from pvm.isa import SPECS, Spec
from pvm.isa import spec as find_spec

GAS_072 = 10  # of every call in 0.7.2, an unknown one included; `transfer` adds the gas that it hands over
UNKNOWN_GAS: Mapping[str, int] = MappingProxyType({"0.7.2": GAS_072, "0.8.0": 1000})  # by version

# What a call may return in r7 in place of a number (B.1).
RESULTS: Mapping[str, int] = MappingProxyType({
    "OK": 0,
    "NONE": (1 << 64) - 1,  # no such item
    "WHAT": (1 << 64) - 2,  # no such call
    "OOB": (1 << 64) - 3,  # not accessible in the inner machine
    "WHO": (1 << 64) - 4,  # no such index
    "FULL": (1 << 64) - 5,
    "CORE": (1 << 64) - 6,  # no such core
    "CASH": (1 << 64) - 7,  # not enough of it
    "LOW": (1 << 64) - 8,  # gas limit too low
    "HUH": (1 << 64) - 9,
})
WHAT = RESULTS["WHAT"]


@dataclass(frozen=True)
class Rate:
    """⌈amount · rate / per⌉ gas, the amount being of `what`."""

    rate: int
    what: str
    per: int = 1


@dataclass(frozen=True)
class Price:
    """Gas of a call in 0.8.0: `base` and its rates. `case` says when, where a call has several prices."""

    base: int
    rates: tuple[Rate, ...] = ()
    case: str = ""


@dataclass(frozen=True)
class HostCallRow:
    """One call. A number is None in a version that does not have it.

    `symbol` is the index of Ω in the paper. `parameters` are the registers from r7 on, as in 0.7.2. One that is an
    address of some octets is written "name@length", where length names another parameter or is a number.
    """

    name: str
    symbol: str
    number_072: int | None
    number_080: int | None
    parameters: tuple[str, ...] = ()
    prices_080: tuple[Price, ...] = ()

    def number(self, spec: Spec | str) -> int | None:
        """Its number in a version. Raises InputError for an unknown one."""
        return self.number_080 if _name(spec) == "0.8.0" else self.number_072


def _row(name: str, symbol: str, before: int | None, now: int | None, parameters: str, *prices: Price) -> HostCallRow:
    return HostCallRow(name, symbol, before, now, tuple(parameters.split()), prices)


def _octets(base: int, rate: int, case: str = "") -> Price:
    return Price(base, (Rate(rate, "octets", 1024),) if rate else (), case)


def _key_value(base: int, key: int, value: int) -> Price:
    return Price(base, (Rate(key, "key octets", 1024), Rate(value, "value octets", 1024)))


def _each(base: int, rate: int, what: str, case: str = "") -> Price:
    return Price(base, (Rate(rate, what),), case)


# Gas of `fetch` by its kind (r10): base, and what 1,024 octets cost.
_FETCH = (
    (390, 0), (103, 0), (80, 96), (85, 96), (85, 96), (171, 0), (171, 0), (85, 96), (84, 0), (88, 0), (111, 0),
    (317, 0), (250, 0), (95, 96), (287, 400), (355, 344),
)  # fmt: skip
_FETCH_PRICES = (
    *(_octets(base, rate, f"kind {kind}") for kind, (base, rate) in enumerate(_FETCH)), Price(80, case="other kinds"),
)  # fmt: skip
_PAGES_PRICES = (
    _each(275, 121, "pages", "allocate"), _each(212, 118, "pages", "free"), _each(130, 29, "pages", "set rights"),
    Price(80, case="invalid"),
)  # fmt: skip

# fmt: off
ROWS: tuple[HostCallRow, ...] = (
    #    name                 Ω    0.7.2 0.8.0 parameters
    _row("gas",               "G",     0,    0, "", Price(48)),
    _row("grow_heap",         "♊", None,    1, "page", _each(275, 121, "pages")),
    _row("fetch",             "Y",     1,    2, "out offset length kind index sub_index", *_FETCH_PRICES),
    _row("lookup",            "L",     2,    3, "service hash@32 out offset length", _octets(600, 248)),
    _row("read",              "R",     3,    4, "service key@key_length key_length out offset length",
         _key_value(2407, 1736, 248)),
    _row("write",             "W",     4,    5, "key@key_length key_length value@value_length value_length",
         _key_value(2442, 3358, 216)),
    _row("info",              "I",     5,    6, "service out offset length", Price(703)),
    _row("historical_lookup", "H",     6,    7, "service hash@32 out offset length", _octets(1125, 264)),
    _row("export",            "E",     7,    8, "segment@length length", Price(3521)),
    _row("machine",           "M",     8,    9, "code@length length pc", _octets(1862, 112)),
    _row("peek",              "P",     9,   10, "machine out source length", _octets(377, 336)),
    _row("poke",              "O",    10,   11, "machine source@length target length", _octets(297, 224)),
    _row("pages",             "Z",    11,   12, "machine page count rights", *_PAGES_PRICES),
    _row("invoke",            "K",    12,   13, "machine state@112", Price(968)),
    _row("expunge",           "X",    13,   14, "machine", Price(335)),
    _row("bless",             "B",    14,   15, "manager assigners delegator registrar always count",
         _each(422, 20, "items")),
    _row("assign",            "A",    15,   16, "core queue assigner", Price(1818)),
    _row("designate",         "D",    16,   17, "validators", _each(1100, 302, "validators")),
    _row("checkpoint",        "C",    17,   18, "", Price(103)),
    _row("new",               "N",    18,   19, "code_hash@32 length min_gas min_memo_gas gratis id", Price(3855)),
    _row("upgrade",           "U",    19,   20, "code_hash@32 min_gas min_memo_gas", Price(1028)),
    _row("transfer",          "T",    20,   21, "to amount gas memo@128", Price(575)),
    _row("eject",             "J",    21,   22, "service hash@32", Price(458)),
    _row("query",             "Q",    22,   23, "hash@32 length", Price(643)),
    _row("solicit",           "S",    23,   24, "hash@32 length", Price(2193)),
    _row("forget",            "F",    24,   25, "hash@32 length", Price(3250)),
    _row("yield",             "♉",   25,   26, "hash@32", Price(98)),
    _row("provide",           "♈",   26,   27, "service data@length length", _octets(3980, 2264)),
    _row("log",               "",    100,  100, "level target@target_length target_length message@message_length "
                                                "message_length", Price(UNKNOWN_GAS["0.8.0"])),
)
# fmt: on

LOG = ROWS[-1]
LOG_CALL = 100  # the number of `log` in every version
LOG_LEVELS: tuple[str, ...] = ("fatal", "warn", "info", "debug", "trace")  # of `log`, by r7


@cache
def _numbered(version: str) -> Mapping[int, HostCallRow]:
    rows = ((row.number(version), row) for row in ROWS)
    return MappingProxyType({number: row for number, row in rows if number is not None})


def by_number(spec: Spec | str) -> Mapping[int, HostCallRow]:
    """The calls that a version has, by their numbers. Raises InputError for an unknown version."""
    return _numbered(_name(spec))


def call_name(number: int, spec: Spec | str) -> str | None:
    """A call's name in a version; None for a number that no call has. Raises InputError for an unknown version."""
    row = by_number(spec).get(number)
    return None if row is None else row.name


def _name(spec: Spec | str) -> str:
    name = find_spec(spec).name
    if name not in SPECS:
        raise InputError(f"no host calls are known of version {name!r}")
    return name


# --- for other languages -------------------------------------------------------------------------------------------


def as_dict() -> dict[str, Any]:
    """Names, parameters and results for a page, which retypes none of them.

    `calls` by version and number, `unknown_gas` (what `log` takes, too) by version; numbers beyond 2^53 are text.
    """
    return {
        "log": LOG_CALL,
        "log_levels": list(LOG_LEVELS),
        "unknown_gas": dict(UNKNOWN_GAS),
        "results": {name: str(value) for name, value in RESULTS.items()},
        "calls": {
            version: {
                str(number): {"name": row.name, "parameters": list(row.parameters)}
                for number, row in by_number(version).items()
            }
            for version in SPECS
        },
    }
