"""The table of host calls against the paper's own text and the data of 0.8.0, where they are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvm import InputError
from pvm.isa import GP_072, GP_080
from pvm.jam.host_calls import GAS_072, LOG_CALL, RESULTS, ROWS, UNKNOWN_GAS, WHAT, as_dict, by_number, call_name

PRICES = Path(__file__).parents[3].parent / "shared" / "design" / "hostcall_gas_080.json"


def test_numbers_of_072_are_in_order_and_080_puts_one_call_between() -> None:
    names = [by_number("0.7.2")[number].name for number in range(27)]
    assert (names[0], names[1], names[10], names[26]) == ("gas", "fetch", "poke", "provide")
    assert [by_number("0.8.0")[number].name for number in range(28)] == ["gas", "grow_heap", *names[1:]]
    assert sorted(by_number("0.7.2")) == [*range(27), LOG_CALL]
    assert sorted(by_number("0.8.0")) == [*range(28), LOG_CALL]


def test_names_are_found_by_version() -> None:
    assert [call_name(1, spec) for spec in ("0.7.2", "0.8.0", GP_072, GP_080)] == ["fetch", "grow_heap"] * 2
    assert call_name(99, "0.7.2") is None
    assert call_name(LOG_CALL, "0.7.2") == call_name(LOG_CALL, "0.8.0") == "log"
    with pytest.raises(InputError, match="unknown spec '0\\.9'"):
        call_name(1, "0.9")


def test_names_and_symbols_are_of_one_call_each() -> None:
    assert len({row.name for row in ROWS}) == len({row.symbol for row in ROWS}) == len(ROWS) == 29


def test_results_count_down_from_the_largest_number() -> None:
    names = ["NONE", "WHAT", "OOB", "WHO", "FULL", "CORE", "CASH", "LOW", "HUH"]
    assert [RESULTS[name] for name in names] == [2**64 - n for n in range(1, 10)]
    assert (RESULTS["OK"], WHAT) == (0, 2**64 - 2)


def test_a_parameter_that_is_an_address_names_its_length() -> None:
    for row in ROWS:
        names = [parameter.split("@")[0] for parameter in row.parameters]
        lengths = [parameter.split("@")[1] for parameter in row.parameters if "@" in parameter]
        assert all(length in names or length.isdigit() for length in lengths), row.name


def test_the_table_is_plain_json() -> None:
    found = json.loads(json.dumps(as_dict()))
    assert found["calls"]["0.8.0"]["2"]["name"] == "fetch" == found["calls"]["0.7.2"]["1"]["name"]
    assert found["results"]["NONE"] == str(2**64 - 1)
    assert found["log"] == LOG_CALL


@pytest.mark.skipif(not PRICES.is_file(), reason=f"{PRICES} is not there")
def test_prices_of_080_are_those_of_the_data() -> None:
    data = json.loads(PRICES.read_text())
    assert data.pop("unknown") == UNKNOWN_GAS["0.8.0"] == by_number("0.8.0")[LOG_CALL].prices_080[0].base
    del data["note"]
    found = {row.name: [_numbers(price) for price in row.prices_080] for row in ROWS if row.number_080 != LOG_CALL}
    assert found == {name: _wanted(value) for name, value in data.items()}
    assert GAS_072 == UNKNOWN_GAS["0.7.2"] == 10


def _numbers(price: object) -> tuple[int, ...]:
    return (price.base, *(rate.rate for rate in price.rates))  # type: ignore[attr-defined]


def _wanted(value: object) -> list[tuple[int, ...]]:
    """A price of the data, as base and rates; a call that has several has them by case."""
    if isinstance(value, int):
        return [(value,)]
    assert isinstance(value, dict)
    if "base" in value:
        return [tuple(value.values())]
    pairs = [(price,) if isinstance(price, int) else tuple(price) for price in value.values()]
    return [(base, *(rate for rate in rates if rate)) for base, *rates in pairs]
