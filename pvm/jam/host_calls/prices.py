"""Gas of host calls: 10 each in 0.7.2 (but `transfer`, which adds to it); in 0.8.0 base and rates of the table.

In: rows of the table. Out: for a version and a call, a number, or a function of the registers. The amounts by which
0.8.0's rates go are registers too: what the guest asks for, not what it gets. `grow_heap` and `invoke` add to their
base themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pvm.jam.host_calls.table import GAS_072, UNKNOWN_GAS, HostCallRow, Price, by_number

Cost = int | Callable[[list[int]], int]

_FIRST = 7  # the register of the first parameter
_VALIDATORS = 8  # of `designate` in 0.8.0, which table's parameters, those of 0.7.2, do not have
_KIND, _RIGHTS = 10, 10  # of `fetch` and `pages`
_RIGHTS_CASES = ("free", "allocate", "allocate", "set rights", "set rights")
_ITSELF = ("grow_heap",)


@cache
def cost_of(version: str, number: int) -> Cost:
    """What a call takes before it does anything. Unknown numbers cost, too."""
    row = by_number(version).get(number)
    if version == "0.7.2":
        return GAS_072
    if row is None or not row.prices_080:
        return UNKNOWN_GAS[version]
    if row.name == "fetch":
        return _by_case(row, [f"kind {kind}" for kind in range(16)], _KIND)
    if row.name == "pages":
        return _by_case(row, list(_RIGHTS_CASES), _RIGHTS)
    price = row.prices_080[0]
    return price.base if row.name in _ITSELF or not price.rates else _function(row, price)


def price_of(version: str, number: int, w: list[int]) -> int:
    """What a call with these registers takes before it does anything."""
    cost = cost_of(version, number)
    return cost if isinstance(cost, int) else cost(w)


def _by_case(row: HostCallRow, cases: list[str], register: int) -> Cost:
    """Of a call with several prices: which one, a register says; the last is that of all other values."""
    named = {price.case: _function(row, price) for price in row.prices_080}
    functions, other = [named[case] for case in cases], row.prices_080[-1].base

    def cost(w: list[int]) -> int:
        case = w[register]
        return functions[case](w) if case < len(functions) else other

    return cost


def _function(row: HostCallRow, price: Price) -> Callable[[list[int]], int]:
    base, rates = price.base, [(rate.rate, rate.per, _register(row, rate.what)) for rate in price.rates]

    def cost(w: list[int]) -> int:
        return base + sum(-(-rate * w[register] // per) for rate, per, register in rates)

    return cost


def _register(row: HostCallRow, what: str) -> int:
    """The register that holds an amount."""
    if what == "validators":
        return _VALIDATORS
    names = [parameter.partition("@")[0] for parameter in row.parameters]
    wanted = {"key octets": ("key_length",), "value octets": ("value_length", "length"), "octets": ("length",)}
    name = next(name for name in wanted.get(what, ("count",)) if name in names)
    return _FIRST + names.index(name)
