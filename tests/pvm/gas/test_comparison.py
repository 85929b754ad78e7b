"""Blocks of two programs that correspond."""

from __future__ import annotations

from random import Random
from time import perf_counter

import pytest

from pvm.gas.comparison import key_of, pairs
from pvm.isa import GP_080
from pvm.program import assemble, decode


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "", []), ("a", "a", [(0, 0)]), ("a", "", [(0, None)]), ("", "a", [(None, 0)]), ("a", "b", [(0, 0)]),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]), ("abc", "ac", [(0, 0), (1, None), (2, 1)]),
        ("ac", "abc", [(0, 0), (None, 1), (1, 2)]), ("abc", "axc", [(0, 0), (1, 1), (2, 2)]),
        ("aab", "ab", [(0, 0), (1, None), (2, 1)]),  # what occurs twice is paired from the ends
        ("xaby", "yaxb", [(0, 0), (1, 1), (None, 2), (2, 3), (3, None)]),
    ],
)  # fmt: skip
def test_pairs(first: str, second: str, expected: list[tuple[int | None, int | None]]) -> None:
    assert list(pairs(first, second)) == expected


def test_each_block_is_in_one_pair_in_order() -> None:
    random = Random(1)
    for _ in range(300):
        first, second = ([random.randrange(12) for _ in range(random.randrange(20))] for _ in range(2))
        found = list(pairs(first, second))
        assert [a for a, _ in found if a is not None] == list(range(len(first)))
        assert [b for _, b in found if b is not None] == list(range(len(second)))


def test_many_blocks_take_little_time() -> None:
    random, began = Random(2), perf_counter()
    keys = [*range(100_000)]
    other = random.sample(keys, len(keys))
    assert len(list(pairs(keys, other))) >= len(keys)
    assert perf_counter() - began < 10


def test_what_is_in_a_block_is_the_same_wherever_it_lies() -> None:
    def key(source: str) -> object:
        return key_of(list(decode(assemble(f".code\n{source}\n", GP_080).blob, GP_080)))

    assert key("branch_eq r1, r2, pc + 0") == key("branch_eq r1, r2, pc + 9")
    assert key("branch_eq r1, r2, pc + 0") != key("branch_eq r1, r3, pc + 0")
    assert key("load_imm r1, 5") != key("load_imm r1, 6")
