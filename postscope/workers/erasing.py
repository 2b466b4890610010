"""The erase stage: takes deleted posts out of every collection."""

from __future__ import annotations

from collections.abc import Sequence

from postscope.backend.runtime import Runtime
from postscope.backend.work import Claim
from postscope.workers.duplicates import mend_groups
from postscope.workers.outcome import Outcome


def erase(runtime: Runtime, claims: Sequence[Claim]) -> list[Outcome]:
    """Delete the points of posts that are no more; groups of copies that they were the anchor of get another."""
    for collection in runtime.store.collections():
        runtime.store.delete(collection, [held.post_id for held in claims])
    mend_groups(runtime)
    return [Outcome(held) for held in claims]
