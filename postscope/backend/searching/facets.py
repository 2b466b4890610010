"""How many posts have which value, among those that the filters of a search let through."""

from __future__ import annotations

from typing import Final, TypeAlias

from sqlalchemy import func, select

from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import FacetCount
from postscope.backend.searching.requests import Facet, SearchRequest
from postscope.backend.tables import TaxonomyLabel, TaxonomyVersion, Topic
from postscope.backend.tagging.names import live_names
from postscope.indexing.types import Filter

Facets: TypeAlias = dict[Facet, list[FacetCount]]

VALUES: Final = 50
"""Values shown of each field, the most frequent ones."""


def count_facets(runtime: Runtime, request: SearchRequest, filter: Filter | None) -> Facets:
    """The facets that a request asks for. Labels are those of live versions, topics those that are shown."""
    collection = runtime.live.collection
    found: Facets = {}
    for field in dict.fromkeys(request.facets):
        if field == "labels":
            found[field] = _labels(runtime, collection, filter)
        elif field == "topics":
            found[field] = _topics(runtime, collection, filter)
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


def _topics(runtime: Runtime, collection: str, filter: Filter | None) -> list[FacetCount]:
    """As the store knows them: what changed in the last seconds may be missing."""
    with runtime.database.session() as session:
        shown = (Topic.layer == "topic", Topic.hidden.is_(False), Topic.state.in_(("active", "candidate")))
        names = {str(row.id): row.name for row in session.execute(select(Topic.id, Topic.name).where(*shown))}
        # Payloads name sub-topics too, and hidden ones, so more are asked for than are shown.
        there = session.scalar(select(func.count()).select_from(Topic)) or 0
    if not names:
        return []
    counts = runtime.store.facet(collection, "topics", filter=filter, limit=VALUES + there)
    return [FacetCount(value=value, name=names[value], count=count) for value, count in counts if value in names][
        :VALUES
    ]
