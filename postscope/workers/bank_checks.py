"""Checks every new post against the banks when it is enriched."""

from __future__ import annotations

from postscope.backend.banks.checking import check
from postscope.backend.runtime import Runtime
from postscope.workers.batches import EnrichBatch


def check_banks(runtime: Runtime, batch: EnrichBatch) -> None:
    """Ask every enabled bank; after the fingerprints, which it asks with."""
    check(runtime, batch.model, batch.posts, batch.media, batch.points)
