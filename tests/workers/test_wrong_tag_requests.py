"""Wrong calls about tags and moderation: the answer names the fields, as they stand in the call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tagging.judgements import Judgement, keep
from tests.workers.conftest import Desk
from tests.workers.test_heads import Api, api
from tests.workers.test_tagging import NEWS, define

__all__ = ["api"]

ITEM = {"text": "a goal"}


def wrong(api: Api, path: str, body: Any) -> list[tuple[str, str]]:
    answer = api.call("POST", path, body)
    assert answer.status_code == 422, answer.text
    return [(problem["field"], problem["reason"]) for problem in answer.json()["errors"]]


@pytest.mark.parametrize("more", [{}, {"labels": NEWS, "taxonomy": "news"}])
def test_both_or_neither_of_labels_and_a_taxonomy(api: Api, more: dict[str, Any]) -> None:
    reason = "give either labels or taxonomy"
    assert wrong(api, "/v1/tag", {"items": [ITEM], **more}) == [("labels", reason), ("taxonomy", reason)]


def test_a_version_of_labels_that_have_none(api: Api) -> None:
    found = wrong(api, "/v1/tag", {"items": [ITEM], "labels": NEWS, "version": 1})
    assert found == [("version", "belongs to taxonomy, which is not given")]


def test_a_post_and_content_at_once_to_moderate(api: Api) -> None:
    for body in ({}, {"post_id": str(UUID(int=1)), "text": "x"}):
        assert {field for field, _ in wrong(api, "/api/ml/moderation", body)} == {"post_id", "text", "images", "media"}


def test_labels_and_posts_that_are_not_here(api: Api, desk: Desk) -> None:
    define(desk.runtime)
    (post_id,) = desk.texts("a goal")
    posts = [
        {"post_id": str(post_id), "labels": ["weather"]},
        {"post_id": str(UUID(int=9)), "labels": ["nonsense"]},
    ]
    assert wrong(api, "/v1/taxonomies/news/labels", {"posts": posts}) == [
        ("posts.1.labels", "there is no label 'nonsense'"),
        ("posts.1.post_id", f"there is no post {UUID(int=9)}"),
    ]


def test_more_judgements_than_a_statement_has_parameters(runtime: Runtime) -> None:
    define(runtime)
    said = [Judgement(f"line {n}", UUID(int=n + 1), None, ("sport",)) for n in range(66_000)]
    with runtime.database.session() as session:
        kept = keep(session, "news", said, source="upload", actor="a", now=runtime.clock(), skip_unknown=True)
    assert (kept.posts, kept.skipped) == (0, 66_000)
    with runtime.database.session() as session, pytest.raises(Invalid, match="and 65997 more"):
        keep(session, "news", said, source="upload", actor="a", now=runtime.clock())
