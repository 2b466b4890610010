from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from postscope.backend.once import once


class Slow:
    def __init__(self) -> None:
        self.made = 0

    @once
    def thing(self) -> object:
        """What is slow to make."""
        self.made += 1
        time.sleep(0.05)
        return object()

    @once
    def broken(self) -> object:
        """Fails at first."""
        self.made += 1
        if self.made == 1:
            raise OSError("not yet")
        return object()


def test_threads_that_ask_at_once_get_the_same_object() -> None:
    slow, together = Slow(), threading.Barrier(8)

    def ask() -> object:
        together.wait()
        return slow.thing

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask(), range(8)))
    assert slow.made == 1
    assert all(one is found[0] for one in found)
    assert Slow().thing is not found[0]


def test_what_failed_is_tried_again_and_what_is_put_there_counts() -> None:
    slow = Slow()
    with pytest.raises(OSError, match="not yet"):
        _ = slow.broken
    assert slow.broken is slow.broken
    slow.__dict__["thing"] = "another"
    assert slow.thing == "another"
    assert Slow.thing.__doc__ == "What is slow to make."
