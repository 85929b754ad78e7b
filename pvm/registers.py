"""The 13 registers as hosts see them.

In: whatever holds 13 numbers. Out: `Registers`, which checks what is put there.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence
from threading import get_ident
from typing import Any, NoReturn, overload

from pvm.errors import AddressError
from pvm.printable import shown
from pvm.turns import NOBODY, Turns, refuse

REGISTER_COUNT = 13
REGISTER_LIMIT = 1 << 64


class Registers(MutableSequence[int]):
    """13 unsigned 64-bit integers, over whatever holds them.

    `values` is a list or a writable memoryview of 13 items, `owner` what must stay alive as long as that is used.
    Setting anything but an integer from 0 to 2^64 - 1 raises AddressError, and setting any while another thread runs
    the machine MachineBusyError. `turns` are the machine's (`pvm.turns`).
    """

    __slots__ = ("_owner", "_turns", "_values", "read")

    def __init__(self, values: Any, owner: object = None, turns: Turns = NOBODY) -> None:
        self._values, self._owner, self._turns = values, owner, turns
        # All of them as a list, as `[:]` is, in a third of its time: handlers of host calls begin so.
        self.read: Callable[[], list[int]] = values.tolist if isinstance(values, memoryview) else lambda: [*values]

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        try:
            found = self._values[index]
        except IndexError:
            raise IndexError(f"register {index}: there are {REGISTER_COUNT}") from None
        except TypeError:
            raise _no_index(index) from None
        return found if isinstance(index, int) else list(found)

    def __setitem__(self, index: int | slice, value: Any) -> None:
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        if type(index) is int and type(value) is int and -REGISTER_COUNT <= index < REGISTER_COUNT:
            self._values[index] = value if 0 <= value < REGISTER_LIMIT else self._check(value)
            return
        if isinstance(index, slice):
            places = range(REGISTER_COUNT)[index]
            values = [self._check(item) for item in value]  # all of them, before any is set
            if len(places) != len(values):
                raise AddressError(f"registers: {len(values)} values for {len(places)} registers")
            for place, item in zip(places, values, strict=True):
                self._values[place] = item
            return
        if not isinstance(index, int):
            raise _no_index(index)
        if not -REGISTER_COUNT <= index < REGISTER_COUNT:
            raise IndexError(f"register {index}: there are {REGISTER_COUNT}")
        self._values[index] = self._check(value)

    def _check(self, value: Any) -> int:
        if not isinstance(value, int) or not 0 <= value < REGISTER_LIMIT:
            raise AddressError(f"register: {shown(value)} is no integer from 0 to 2^64 - 1")
        return value

    def __delitem__(self, index: int | slice) -> None:
        raise TypeError("a machine always has 13 registers")

    def insert(self, index: int, value: int) -> None:
        """Never possible."""
        raise TypeError("a machine always has 13 registers")

    def __len__(self) -> int:
        return REGISTER_COUNT

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __reduce__(self) -> NoReturn:
        raise TypeError("registers are those of a machine, and live: registers[:] are their values, as a list")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


def _no_index(index: object) -> TypeError:
    return TypeError(f"register {shown(index)}: an integer from 0 to {REGISTER_COUNT - 1} is needed")
