"""What was said of posts, into the table and from there into the store's payload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tagging.names import payload_name
from postscope.backend.tagging.taggers import Tagger
from postscope.indexing.label_blocks import Given
from postscope.indexing.types import Payload, PayloadValue

FIELD: Final = "labels"
_LOCK: Final = 0x7461_6773  # the bytes of "tags"
_REMOVE: Final = 20_000


def replace_tags(
    runtime: Runtime,
    ids: Sequence[UUID],
    said: Sequence[tuple[Tagger, Given]],
    *,
    stored: Mapping[UUID, Any],
    collections: Iterable[str],
) -> None:
    """Write what these taggers say of these posts, instead of what they said before.

    Args:
        runtime: of this process.
        ids: the posts, in the order that ``Given.post`` counts.
        said: by each tagger.
        stored: what the ``labels`` of each post's payload are now; where nothing changes, nothing is written.
        collections: to write to.
    """
    with runtime.database.session() as session:
        # Whoever writes a payload makes it from all rows of the post, so two must not do it at once.
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        for tagger, given in said:
            _replace(session, tagger, ids, given)
        wanted = labels_in_payload(session, ids)
        changed: dict[UUID, Payload] = {id: {FIELD: wanted[id]} for id in ids if wanted[id] != _sorted(stored.get(id))}
        # Before the commit: if the store refuses, the rows stay as they were, and it is tried again.
        for collection in collections:
            runtime.store.set_payload(collection, changed)


def _replace(session: Session, tagger: Tagger, ids: Sequence[UUID], given: Given) -> None:
    session.execute(
        text("DELETE FROM post_tags WHERE version_id = :version AND post_id = ANY(CAST(:ids AS uuid[]))"),
        {"version": tagger.version_id, "ids": list(ids)},
    )
    if not len(given.post):
        return
    session.execute(
        text(
            "INSERT INTO post_tags (version_id, post_id, label_id, score) "
            "SELECT :version, said.post, said.label, said.score FROM unnest(CAST(:posts AS uuid[]), "
            "CAST(:labels AS int[]), CAST(:scores AS float8[])) AS said(post, label, score) "
            "JOIN posts ON posts.id = said.post"  # one that was deleted meanwhile gets no labels
        ),
        {
            "version": tagger.version_id,
            "posts": [ids[n] for n in given.post],
            "labels": tagger.label_ids[given.label].tolist(),
            "scores": [round(score, 6) for score in given.score.astype(float).tolist()],
        },
    )


def labels_in_payload(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[PayloadValue]]:
    """What the payload of each post says under ``labels``: every version that was applied, sorted."""
    rows = session.execute(
        text(
            "SELECT t.post_id, x.name, v.number, l.path FROM post_tags t "
            "JOIN taxonomy_labels l ON l.id = t.label_id JOIN taxonomy_versions v ON v.id = t.version_id "
            "JOIN taxonomies x ON x.id = v.taxonomy_id WHERE t.post_id = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": list(ids)},
    )
    found: dict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        found[row.post_id].append(payload_name(row.name, row.number, row.path))
    return {id: _sorted(found.get(id)) for id in ids}


def _sorted(labels: Iterable[str] | None) -> list[PayloadValue]:
    return [*sorted(labels or ())]


def forget_tags(runtime: Runtime, version_id: int) -> None:
    """Remove what a version said, in steps that hold no lock for long.

    Its names stay in payloads until these are next written; they mean nothing there, since searches ask only for
    versions that are applied.
    """
    while True:
        with runtime.database.session() as session:
            removed = session.execute(
                text(
                    "DELETE FROM post_tags WHERE ctid = ANY(ARRAY("
                    "SELECT ctid FROM post_tags WHERE version_id = :version LIMIT :most))"
                ),
                {"version": version_id, "most": _REMOVE},
            )
        if not getattr(removed, "rowcount", 0):
            return
