"""A lock that is handed over in the order it was asked for."""

from __future__ import annotations

from collections import deque
from threading import Lock
from types import TracebackType


class Turns:
    """First come, first served, and one at a time.

    The embedded engine holds Python's interpreter during every call, so two calls never run side by side
    whatever lock is used. What a plain ``threading.Lock`` lacks is fairness: a writer that takes it again
    straight after giving it up goes before everybody who waited. With turns, a query that comes while a slice
    of an upsert runs goes next, so it waits for that one slice.
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Lock] = deque()
        self._taken = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:
            self._leave_queue(mine)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def _leave_queue(self, mine: Lock) -> None:
        """Interrupted while waiting: step out, or pass on the turn that was just given."""
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self._pass_on()
