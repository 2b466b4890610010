"""Topics as a filter and a facet of search, whatever the vector store was told so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from postscope.backend import work
from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import FacetCount
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.backend.tables import Post, Topic, TopicMember
from postscope.backend.topics import edits, telling, undoing
from postscope.backend.trends.listing import list_posts
from postscope.backend.trends.requests import PostFilter
from postscope.backend.work import Stage
from postscope.indexing.types import Payload
from postscope.workers.maintain import sweep
from tests.topics.conftest import TopicDesk
from tests.topics.test_edits import mostly

Subjects = Callable[[], dict[str, list[UUID]]]
KEY = uuid4()


def found(runtime: Runtime, limit: int = 7, **topics: Any) -> list[UUID]:
    """Every hit of every page."""
    asked = SearchRequest.model_validate(
        {"text": "number", "min_score": 0, "limit": limit, "filters": {"topics": topics}}
    )
    answer = search(runtime, asked, key_id=KEY)
    ids = [hit.id for hit in answer.hits]
    while answer.next_cursor:
        answer = search(runtime, SearchRequest(cursor=answer.next_cursor, limit=limit), key_id=KEY)
        ids += [hit.id for hit in answer.hits]
    return ids


def members(runtime: Runtime, topic: UUID) -> set[UUID]:
    """What ``GET /v1/posts?topic_id=`` lists."""
    with runtime.database.session() as session:
        page = list_posts(session, PostFilter(topic_id=topic), author_key=b"", now=runtime.clock(), limit=200)
        return {post.id for post, _ in page.posts}


def told(desk: TopicDesk, post: UUID) -> list[str]:
    said: Any = desk.points([post])[0].payload.get("topics")
    return said or []


def due(runtime: Runtime) -> int:
    with runtime.database.session() as session:
        return session.scalar(select(func.count()).select_from(TopicMember).where(telling.DUE)) or 0


def facet(runtime: Runtime) -> list[FacetCount]:
    return search(runtime, SearchRequest(text="number", facets=["topics"]), key_id=KEY).facets["topics"]


def agrees(runtime: Runtime, topic: UUID) -> None:
    """The filter finds exactly the members, each on one page, and its opposite all others."""
    ids = found(runtime, any=[str(topic)])
    assert len(ids) == len(set(ids))
    assert set(ids) == members(runtime, topic)
    rest = found(runtime, none=[str(topic)])
    assert len(rest) == len(set(rest))
    with runtime.database.session() as session:
        assert set(rest) == set(session.scalars(select(Post.id))) - set(ids)


def test_a_discovery_is_searched_by_at_once_and_the_store_is_told_soon(desk: TopicDesk, subjects: Subjects) -> None:
    ids = subjects()
    storm = mostly(desk, ids["storm"])
    assert due(desk.runtime) > 100
    agrees(desk.runtime, storm)
    sweep(desk.runtime)
    assert due(desk.runtime) == 0
    assert told(desk, ids["storm"][0])[0] == str(desk.topic_of(ids["storm"][0]))
    agrees(desk.runtime, storm)
    counts = {UUID(one.value): (one.name, one.count) for one in facet(desk.runtime)}
    with desk.runtime.database.session() as session:
        for topic in session.scalars(select(Topic).where(Topic.layer == "topic")):
            assert counts[topic.id] == (topic.name, len(members(desk.runtime, topic.id)))


def test_a_post_that_comes_in_is_found_by_its_topic_without_a_sweep(desk: TopicDesk, subjects: Subjects) -> None:
    storm = mostly(desk, subjects()["storm"])
    sweep(desk.runtime)
    new = desk.talk("storm", 3, first=40)
    desk.run(Stage.ENRICH)
    assert all(told(desk, post)[:1] == [str(storm)] for post in new)
    assert due(desk.runtime) == 0
    agrees(desk.runtime, storm)


def test_what_people_move_is_found_where_it_is_now_and_a_merged_topic_is_what_it_became(
    desk: TopicDesk, subjects: Subjects
) -> None:
    ids = subjects()
    storm, bread = mostly(desk, ids["storm"]), mostly(desk, ids["bread"])
    sweep(desk.runtime)
    with desk.runtime.database.session() as session:
        edit = edits.merge(session, storm, [bread], actor="ana", now=desk.runtime.clock()).id
    agrees(desk.runtime, storm)
    assert set(found(desk.runtime, any=[str(bread)])) == members(desk.runtime, storm)
    sweep(desk.runtime)
    agrees(desk.runtime, storm)
    with desk.runtime.database.session() as session:
        undoing.undo(session, edit, actor="ana", now=desk.runtime.clock())
    agrees(desk.runtime, bread)
    with desk.runtime.database.session() as session:
        edits.exclude(session, bread, sorted(members(desk.runtime, bread))[:2], actor="ana", now=desk.runtime.clock())
    agrees(desk.runtime, bread)
    sweep(desk.runtime)
    agrees(desk.runtime, bread)


def test_themes_and_subtopics_are_filters_too(desk: TopicDesk, subjects: Subjects) -> None:
    subjects()
    sweep(desk.runtime)
    with desk.runtime.database.session() as session:
        topics = session.scalars(select(Topic).where(Topic.layer == "topic")).all()
        theme = Topic(
            id=uuid4(), space=topics[0].space, layer="theme", kind="discovered", state="active", name="two",
            centroid=b"", reach=0.0, created_at=desk.runtime.clock(), updated_at=desk.runtime.clock(),
        )  # fmt: skip
        session.add(theme)
        session.flush()
        for topic in topics[:2]:
            topic.parent_id = theme.id
        part = Topic(
            id=uuid4(), space=theme.space, layer="subtopic", kind="discovered", state="active", name="part",
            parent_id=topics[0].id, centroid=b"", reach=0.0, created_at=theme.created_at, updated_at=theme.created_at,
        )  # fmt: skip
        session.add(part)
        session.flush()
        few = select(TopicMember).where(TopicMember.topic_id == topics[0].id).order_by(TopicMember.post_id).limit(4)
        for member in session.scalars(few):
            member.subtopic_id = part.id
        wanted = theme.id, part.id
    for _ in range(2):  # before and after the store was told
        for topic in wanted:
            agrees(desk.runtime, topic)
        sweep(desk.runtime)


def test_posts_that_were_there_before_the_store_knew_topics(desk: TopicDesk, subjects: Subjects) -> None:
    """As an upgrade leaves them: payloads without topics, and nothing told."""
    ids = subjects()
    storm = mostly(desk, ids["storm"])
    sweep(desk.runtime)
    everything = [post for some in ids.values() for post in some]
    empty: dict[UUID, Payload] = {post: {"topics": None} for post in everything}
    desk.runtime.store.set_payload(desk.runtime.live.collection, empty)
    with desk.runtime.database.session() as session:
        session.execute(text("UPDATE topic_members SET told_topic_id = NULL, told_subtopic_id = NULL"))
    agrees(desk.runtime, storm)
    assert telling.tell(desk.runtime, most=50) == 50
    agrees(desk.runtime, storm)
    sweep(desk.runtime)
    assert due(desk.runtime) == 0
    agrees(desk.runtime, storm)


def test_indexing_again_keeps_the_topic_and_one_that_wrote_an_older_one_is_made_good(
    desk: TopicDesk, subjects: Subjects
) -> None:
    ids = subjects()
    storm, bread = mostly(desk, ids["storm"]), mostly(desk, ids["bread"])
    sweep(desk.runtime)
    post = next(iter(members(desk.runtime, storm)))
    with desk.runtime.database.session() as session:
        row = session.get_one(Post, post)
        row.indexed_content = None
    desk.runtime.store.delete(desk.runtime.live.collection, [post])
    with desk.runtime.database.session() as session:
        work.add(session, Stage.INDEX, [post], now=desk.runtime.clock(), request_id=None)
    desk.run(Stage.INDEX)
    assert told(desk, post)[0] == str(storm)
    # An indexer that had read the earlier place writes late.
    with desk.runtime.database.session() as session:
        session.get_one(TopicMember, post).topic_id = bread
        session.get_one(TopicMember, post).subtopic_id = None
    sweep(desk.runtime)
    desk.runtime.store.set_payload(desk.runtime.live.collection, {post: {"topics": [str(storm)]}})
    with desk.runtime.database.session() as session:
        telling.note_told(session, {post: (storm, None)})
    agrees(desk.runtime, bread)
    sweep(desk.runtime)
    assert told(desk, post) == [str(bread)]


def test_a_store_that_refuses_leaves_what_is_due(
    desk: TopicDesk, subjects: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects()
    before = due(desk.runtime)
    with monkeypatch.context() as patch:
        patch.setattr(desk.runtime.store, "set_payload", _refuse)
        with pytest.raises(RuntimeError):
            sweep(desk.runtime)
    assert due(desk.runtime) == before
    sweep(desk.runtime)
    assert due(desk.runtime) == 0


def _refuse(*_: object) -> None:
    raise RuntimeError("no")


def test_a_topic_that_is_not_there_is_named(desk: TopicDesk) -> None:
    ghost = uuid4()
    with pytest.raises(Invalid) as caught:
        found(desk.runtime, any=[str(ghost)], none=[str(ghost)])
    assert [problem.field for problem in caught.value.problems] == ["filters.topics.any.0", "filters.topics.none.0"]
