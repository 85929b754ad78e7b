"""Attributes that are worked out when they are first asked for, and kept.

As `functools.cached_property`, which up to Python 3.11 holds a lock of its class meanwhile: when another thread had it,
the child of a fork would wait for it for ever. Here two threads may work out the same, and one of the results stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """Makes a method without arguments an attribute. Its instances have a `__dict__`, and may be frozen."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function, self._name = function, function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | lazy[T]:
        if instance is None:
            return self
        found = instance.__dict__[self._name] = self._function(instance)
        return found
