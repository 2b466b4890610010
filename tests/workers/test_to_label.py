"""Which posts are looked at for labelling when the table of posts is far larger than what can be looked at."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from postscope.backend.runtime import Runtime
from postscope.backend.tagging import asking, taxonomies
from tests.workers.test_tagging import define

POSTS = 6_000
PAGES = 16
"""Of about 400 that these posts fill, so that a sample of them holds too few and is widened."""
ENOUGH = 128
"""Half of the pages hold enough posts."""


@pytest.fixture
def taxonomy(runtime: Runtime) -> int:
    """A taxonomy beside posts that are indexed as far as the database knows; one in ten is not."""
    define(runtime)
    with runtime.database.session() as session:
        session.execute(
            text(
                "INSERT INTO posts (id, source, external_id, created_at, text, tags, metrics, metadata, record_hash, "
                "content_hash, received_at, updated_at, indexed_version) SELECT md5(n::text)::uuid, 'test', n::text, "
                "now(), repeat('words ', 60), '{}', '{}', '{}', '', '', now(), now(), CASE WHEN n % 10 > 0 THEN 1 END "
                "FROM generate_series(1, :posts) n"
            ),
            {"posts": POSTS},
        )
        return taxonomies.get_version(session, "news", None).taxonomy_id


def label(runtime: Runtime, but: UUID) -> None:
    """Every post but one has a label."""
    with runtime.database.session() as session:
        session.execute(
            text(
                "INSERT INTO labels (set_id, post_id, label, value, source, actor, at) SELECT s.id, p.id, 'weather', "
                "1, 'upload', 'ada', now() FROM posts p, label_sets s WHERE p.id <> :but"
            ),
            {"but": but},
        )


def drawn(runtime: Runtime, taxonomy: int, seed: int, pages: int = PAGES) -> list[UUID]:
    with runtime.database.session() as session:
        return asking.candidates(session, taxonomy, seed, pages=pages)


def test_of_a_large_table_some_pages_are_enough(runtime: Runtime, taxonomy: int) -> None:
    found = drawn(runtime, taxonomy, 1, pages=ENOUGH)
    assert len(set(found)) == len(found) == asking.LOOKED_AT
    assert found == drawn(runtime, taxonomy, 1, pages=ENOUGH)
    assert set(found) != set(drawn(runtime, taxonomy, 2, pages=ENOUGH))
    assert set(found) != set(drawn(runtime, taxonomy, 1, pages=POSTS))
    with runtime.database.session() as session:
        indexed = set(session.execute(text("SELECT id FROM posts WHERE indexed_version IS NOT NULL")).scalars())
    assert set(found) <= indexed


@pytest.mark.parametrize("seed", range(3))
def test_the_last_post_without_a_label_is_found(runtime: Runtime, taxonomy: int, seed: int) -> None:
    last = drawn(runtime, taxonomy, seed, pages=POSTS)[0]
    label(runtime, but=last)
    assert drawn(runtime, taxonomy, seed) == [last]
    assert drawn(runtime, taxonomy, seed, pages=1) == [last]


def test_too_few_on_some_pages_are_never_all_that_is_drawn(runtime: Runtime, taxonomy: int) -> None:
    assert len(drawn(runtime, taxonomy, 1, pages=1)) == asking.LOOKED_AT
