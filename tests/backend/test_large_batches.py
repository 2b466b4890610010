"""Large batches are written in another way than small ones, and nobody can tell."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from postscope.backend.database import Database
from postscope.backend.post_rows import COPY_FROM, Written, write_posts
from postscope.backend.post_schema import PostIn, PostReader

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
KEY = b"k" * 32
AWKWARD = [
    "\\N",
    "\\.",
    "a\tb",
    "two\nlines",
    "cr\rhere",
    'quo"te',
    "{braces}",
    "back\\slash",
    "",
    "NULL",
    "🌊 مرحبا",
    "'",
]

words = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=8))
names = words.filter(bool)


def post(number: int, **given: Any) -> dict[str, Any]:
    return {"source": "s", "external_id": f"{number:04}", "created_at": "2026-03-02T09:30:00Z"} | given


def checked(rows: list[dict[str, Any]]) -> list[PostIn]:
    right, wrong = PostReader().read(rows)
    assert not wrong
    return list(right.values())


def written(database: Database, posts: list[PostIn], now: datetime = NOW) -> list[Written]:
    with database.session() as session:
        return write_posts(session, posts, KEY, now=now, request_id="r")


def kept(database: Database) -> list[tuple[Any, ...]]:
    """Everything but ids, and the times of the database itself."""
    columns = (
        "p.source, p.external_id, author_hash, p.created_at, text, language, tags, metrics, metadata, record_hash, "
        "content_hash, received_at, updated_at, version, w.stage, w.state, w.run_after, w.created_at, w.request_id"
    )
    query = f"SELECT {columns} FROM posts p LEFT JOIN work w ON w.post_id = p.id ORDER BY p.source, p.external_id"
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(query))]


def emptied(database: Database) -> None:
    with database.session() as session:
        session.execute(text("TRUNCATE posts, work CASCADE"))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"text": words, "author": words, "tags": st.lists(names, max_size=3)},
            optional={
                "language": st.sampled_from(["en", "pt-BR"]),
                "metrics": st.dictionaries(st.sampled_from(["likes", "views"]), st.floats(0, 1e300)),
                "metadata": st.dictionaries(
                    names.filter(lambda name: "\x00" not in name),
                    st.one_of(words.filter(lambda word: "\x00" not in word), st.integers(0, 2**53), st.none()),
                    max_size=2,
                ),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_large_batch_is_kept_as_a_small_one(database: Database, drawn: list[dict[str, Any]]) -> None:
    posts = checked([post(n, **some) for n, some in enumerate(drawn)])
    padding = checked([post(1000 + n) for n in range(COPY_FROM)])
    emptied(database)
    written(database, posts)
    written(database, padding[: COPY_FROM - 1])
    written(database, padding[COPY_FROM - 1 :])
    one_by_one = kept(database)
    emptied(database)
    found = written(database, posts + padding)
    assert [row.outcome for row in found] == ["accepted"] * len(found)
    assert kept(database) == one_by_one


def test_a_large_batch_with_known_posts_tells_them_apart(database: Database) -> None:
    written(database, checked([post(3, text="old"), post(5, text="same")]))
    rows = [post(n, text="new") for n in range(COPY_FROM)]
    rows[5]["text"] = "same"
    outcomes = [row.outcome for row in written(database, checked(rows), LATER)]
    assert outcomes[3] == "updated"
    assert outcomes[5] == "unchanged"
    assert outcomes.count("accepted") == COPY_FROM - 2


@pytest.mark.parametrize(("said", "outcome"), [("other", "updated"), ("new", "unchanged")])
def test_a_post_that_somebody_else_commits_meanwhile_is_no_error(database: Database, said: str, outcome: str) -> None:
    rows = checked([post(n, text="new") for n in range(COPY_FROM)])
    found: list[list[Written]] = []
    with database.session() as session:
        first = write_posts(session, checked([post(7, text=said)]), KEY, now=NOW, request_id=None)
        other = threading.Thread(target=lambda: found.append(written(database, rows, LATER)))
        other.start()
        _wait_for_a_lock(database)
    other.join(20)
    assert [row.outcome for row in found[0]] == ["accepted"] * 7 + [outcome] + ["accepted"] * (COPY_FROM - 8)
    assert found[0][7].id == first[0].id
    assert len(kept(database)) == COPY_FROM


def _wait_for_a_lock(database: Database) -> None:
    """Until another transaction waits for what this one has not committed."""
    for _ in range(400):
        with database.session() as session:
            if session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return
        threading.Event().wait(0.025)
    raise AssertionError("nobody waits")
