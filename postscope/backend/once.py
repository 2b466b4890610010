"""A property that is worked out once, by whoever asks first, while others wait for it.

``functools.cached_property`` was this until Python 3.12 took its lock away: since then two threads that ask at once get
two objects, and an embedded store is refused to the second, or processes are started that nobody ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """Like ``cached_property``: the value is kept in the object's ``__dict__``, where a test may put another."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> once[T] | T:
        if instance is None:
            return self
        with self._lock:
            kept: dict[str, T] = instance.__dict__
            if self._name not in kept:
                kept[self._name] = self._make(instance)
            return kept[self._name]
