"""Which metering a version, a metering and a gas model mean together."""

from __future__ import annotations

import pytest

from pvm import InputError, ReferenceEngine
from pvm.gas import choose_metering
from pvm.isa import GAS_VECTORS, GP_072, GP_080, Spec
from wasm_host import Engine


@pytest.mark.parametrize(
    ("spec", "metering", "gas", "expected"),
    [
        (GP_072, None, None, "instruction"), (GP_080, None, None, "pipeline"), (GAS_VECTORS, None, None, "pipeline"),
        (GP_080, "instruction", None, "instruction"), (GP_080, "block", None, "block"),
        (GP_072, "pipeline", None, "pipeline"), (GP_072, None, "pipeline", "pipeline"),
        (GP_072, "block", "pipeline", "pipeline"), (GP_080, None, "flat", "instruction"),
        (GP_080, "block", "flat", "block"),
    ],
)  # fmt: skip
def test_the_metering_that_is_meant(spec: Spec, metering: str | None, gas: str | None, expected: str) -> None:
    assert choose_metering(spec, metering, gas) == expected
    for make in (ReferenceEngine, Engine):
        assert make(spec.name, metering=metering, gas=gas).metering == expected


@pytest.mark.parametrize(
    ("metering", "gas", "message"),
    [
        ("instruction", "pipeline", "prices of blocks, none of instructions"), ("pipeline", "flat", "the other model"),
        ("blocks", None, "metering"), (None, "pipe", "gas model"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(metering: str | None, gas: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_metering(GP_080, metering, gas)
