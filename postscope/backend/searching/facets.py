"""How many posts have which value, among those that the filters of a search let through."""

from __future__ import annotations

from typing import Final, TypeAlias

from sqlalchemy import func, select

from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import FacetCount
from postscope.backend.searching.requests import Facet, SearchRequest
from postscope.backend.tables import TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging.names import live_names
from postscope.indexing.types import Filter

Facets: TypeAlias = dict[Facet, list[FacetCount]]

VALUES: Final = 50
"""Values shown of each field, the most frequent ones."""


def count_facets(runtime: Runtime, request: SearchRequest, filter: Filter | None) -> Facets:
    """The facets that a request asks for. Labels are those of live versions."""
    collection = runtime.live.collection
    found: Facets = {}
    for field in dict.fromkeys(request.facets):
        if field == "labels":
            found[field] = _labels(runtime, collection, filter)
        else:
            counts = runtime.store.facet(collection, field, filter=filter, limit=VALUES)
            found[field] = [FacetCount(value=value, count=count) for value, count in counts]
    return found


def _labels(runtime: Runtime, collection: str, filter: Filter | None) -> list[FacetCount]:
    with runtime.database.session() as session:
        shown = live_names(session)
        # Payloads name the labels of every version that was applied, so more are asked for than are shown.
        applied = select(TaxonomyVersion.id).where(TaxonomyVersion.state != "draft")
        there = session.scalar(select(func.count()).where(TaxonomyLabel.version_id.in_(applied))) or 0
    if not shown:
        return []
    counts = runtime.store.facet(collection, "labels", filter=filter, limit=VALUES + there)
    return [FacetCount(value=shown[value], count=count) for value, count in counts if value in shown][:VALUES]
