"""What the index stage says of a post's language, and what filters make of it."""

from __future__ import annotations

from uuid import UUID

from postscope.backend.posts import get_post
from postscope.backend.work import Stage
from tests.workers.conftest import Desk

ENGLISH = "The tide is out and the harbour is full of gulls"
SPANISH = "La marea ha bajado y el puerto está lleno de gaviotas"


def told(desk: Desk, post_id: UUID) -> tuple[str | None, str | None]:
    with desk.runtime.database.session() as session:
        post, _ = get_post(session, post_id)
        return post.language, post.detected_language


def filtered(desk: Desk, post_id: UUID) -> object:
    return desk.points([post_id])[0].payload.get("language")


def test_a_text_tells_its_language(desk: Desk) -> None:
    english, spanish, short = desk.texts(ENGLISH, SPANISH, "ok")
    desk.run()
    assert [told(desk, id) for id in (english, spanish, short)] == [(None, "en"), (None, "es"), (None, None)]
    assert [filtered(desk, id) for id in (english, spanish, short)] == ["en", "es", None]


def test_what_the_client_says_stays_and_is_filtered_by(desk: Desk) -> None:
    (post,) = desk.post({"external_id": "1", "text": SPANISH, "language": "ca"})
    desk.run()
    assert told(desk, post) == ("ca", "es")
    assert filtered(desk, post) == "ca"


def test_a_changed_text_changes_its_language(desk: Desk) -> None:
    (post,) = desk.texts(ENGLISH)
    desk.run()
    desk.texts(SPANISH)
    desk.run()
    assert told(desk, post) == (None, "es")
    assert filtered(desk, post) == "es"


def test_posts_from_before_are_told_without_being_encoded_again(desk: Desk) -> None:
    from sqlalchemy import text

    from postscope.backend import work

    (post,) = desk.texts(ENGLISH)
    desk.run()
    with desk.runtime.database.session() as session:
        session.execute(text("UPDATE posts SET detected_language = NULL, language_confidence = NULL"))
        work.add(session, Stage.INDEX, [post], now=desk.runtime.clock(), request_id=None)
    encoder = desk.runtime.encoder
    encoder.before_texts = lambda texts: (_ for _ in ()).throw(AssertionError(texts))  # type: ignore[attr-defined]
    desk.run()
    assert told(desk, post) == (None, "en")
