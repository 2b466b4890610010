"""Checks every new post against the banks when it is enriched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postscope.backend.banks.checking import check
from postscope.backend.runtime import Runtime

if TYPE_CHECKING:
    from postscope.workers.enrichment import EnrichBatch


def check_banks(runtime: Runtime, batch: EnrichBatch) -> None:
    """Ask every enabled bank; after the fingerprints, which it asks with."""
    check(runtime, batch.model, batch.posts, batch.media, batch.points)
