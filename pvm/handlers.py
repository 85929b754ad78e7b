"""The handlers of a machine, which may change while it runs, and the turns that it gives to others in an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, MutableMapping

from pvm.starts import AnyHandler, check_handlers


class Turn:
    """Awaited, it lets others have their turn, as `asyncio.sleep(0)` does, whose import would take 50 ms."""

    def __await__(self) -> Generator[None]:
        yield


class Handlers(MutableMapping[int, AnyHandler]):
    """A machine's handlers, checked as they come."""

    def __init__(self, handlers: dict[int, AnyHandler], refuse_others: Callable[[], None]) -> None:
        self._handlers, self._refuse_others = handlers, refuse_others

    def __getitem__(self, number: int) -> AnyHandler:
        return self._handlers[number]

    def __setitem__(self, number: int, handler: AnyHandler) -> None:
        checked = check_handlers({number: handler})
        self._refuse_others()
        self._handlers.update(checked)

    def __delitem__(self, number: int) -> None:
        self._refuse_others()
        del self._handlers[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def __repr__(self) -> str:
        return f"<handlers of {', '.join(map(str, self._handlers)) or 'no call'}>"
