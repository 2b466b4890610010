"""Words that are spoken in media or written in pictures: how they come into a post's vectors, are found, and shown."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from postscope.backend import work
from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.searching.answers import MatchAnswer, SearchAnswer
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.backend.tables import Media, MediaFrame, MediaText
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from tests.conftest import ApiKeyMaker, bearer
from tests.media_files import sound
from tests.workers.conftest import Desk
from tests.workers.small_encoder import SmallEncoder

BOXES = [
    [[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [0.1, 0.2]],
    [[0.1, 0.8], [0.9, 0.8], [0.9, 0.9], [0.1, 0.9]],
]


def pictured(desk: Desk, name: str, words: str = "", pictures: int = 1) -> UUID:
    """A post with pictures."""
    ids = []
    for n in range(pictures):
        data = io.BytesIO(sound("JPEG", 64 + n, 48))
        with desk.runtime.database.session() as session:
            ids.append(add_upload(session, desk.runtime.blobs, data, max_bytes=10**7, now=desk.runtime.clock()).id)
    (post,) = desk.post({"external_id": name, "text": words, "media": [{"upload_id": str(id)} for id in ids]})
    return post


def media_of(desk: Desk, post: UUID) -> list[Media]:
    with desk.runtime.database.session() as session:
        return list(session.scalars(select(Media).where(Media.post_id == post).order_by(Media.position)))


def understand(desk: Desk, post: UUID, *rows: dict[str, Any], medium: int = 0, **changed: Any) -> None:
    """Write what taking a medium apart would find, and have the post indexed again."""
    found = media_of(desk, post)[medium]
    now = desk.runtime.clock()
    with desk.runtime.database.session() as session:
        for number, row in enumerate(rows):
            session.add(
                MediaText(
                    **{"start_seconds": None, "end_seconds": None, "language": None, "confidence": 0.9, "detail": None,
                       "media_id": found.id, "post_id": post, "number": number, **row}
                )
            )  # fmt: skip
        merged = session.get_one(Media, found.id)
        merged.understood_at = now
        for field, value in changed.items():
            setattr(merged, field, value)
        work.add(session, Stage.INDEX, [post], now=now, request_id=None)
    desk.run()


def ask(desk: Desk, words: str, mode: str = "keyword") -> SearchAnswer:
    request = SearchRequest.model_validate({"text": words, "mode": mode})
    return search(desk.runtime, request, key_id=uuid4())


def matches(desk: Desk, words: str, mode: str = "keyword") -> list[MatchAnswer]:
    (hit,) = ask(desk, words, mode).hits
    return hit.matched


def speech(words: str, *times: tuple[float, float, str]) -> dict[str, Any]:
    return {
        "kind": "speech", "text": words, "start_seconds": 2.0, "end_seconds": 8.0,
        "detail": {"words": [[start, end, word, 0.9] for start, end, word in times]},
    }  # fmt: skip


def test_a_word_in_a_picture_is_found_with_its_line_and_box(desk: Desk) -> None:
    post = pictured(desk, "meme", "no caption needed", pictures=2)
    desk.run()
    assert ask(desk, "lighthouse").hits == []
    row = {"kind": "picture", "text": "NOBODY EXPECTS\nTHE LIGHTHOUSE", "detail": {"boxes": BOXES}}
    understand(desk, post, row, medium=1)
    (match,) = matches(desk, "lighthouse")
    assert (match.part, match.quote, match.terms) == ("picture_words", "THE LIGHTHOUSE", ["lighthouse"])
    assert match.box == [tuple(corner) for corner in BOXES[1]]
    assert (match.media_index, match.seconds, match.frame) == (1, None, None)


def test_a_spoken_word_is_found_with_its_second(desk: Desk) -> None:
    post = pictured(desk, "note")
    desk.run()
    said = speech("the ferry leaves at noon", (2.0, 2.2, "the"), (2.4, 3.0, "ferry"), (3.1, 4.0, "leaves"))
    understand(desk, post, said, kind="audio")
    (match,) = matches(desk, "ferry")
    assert (match.part, match.quote, match.seconds) == ("speech", "the ferry leaves at noon", 2.4)
    assert match.frame is None, "a sound has no picture"


def test_what_is_said_in_a_video_comes_with_the_picture_of_that_second(desk: Desk) -> None:
    post = pictured(desk, "video")
    desk.run()
    with desk.runtime.database.session() as session:
        session.add(MediaFrame(media_id=media_of(desk, post)[0].id, number=0, seconds=0.0, sha256=_blob(desk)))
    understand(desk, post, speech("the ferry leaves", (2.5, 3.0, "ferry")), kind="video")
    (match,) = matches(desk, "ferry")
    assert match.frame == f"/v1/posts/{post}/media/0/frame?t=2.5"


def _blob(desk: Desk) -> str:
    return desk.runtime.blobs.put(io.BytesIO(sound("JPEG", 33, 33)).getvalue())


def test_each_text_that_has_words_says_so(desk: Desk) -> None:
    post = pictured(desk, "all", "harbour at dawn")
    desk.run()
    row = {"kind": "picture", "text": "HARBOUR DAYS", "detail": {"boxes": BOXES[:1]}}
    understand(desk, post, row, speech("down at the harbour", (2.0, 3.0, "harbour")))
    assert [match.part for match in matches(desk, "harbour")] == ["keywords", "picture_words", "speech"]


def test_words_of_a_query_may_be_spread_over_the_texts(desk: Desk) -> None:
    post = pictured(desk, "spread", "harbour at dawn")
    desk.run()
    understand(desk, post, speech("the ferry leaves"))
    (hit,) = ask(desk, "harbour ferry").hits
    assert hit.score == pytest.approx(1.0)


def test_a_match_by_meaning_belongs_to_the_text_that_is_nearest(desk: Desk) -> None:
    post = pictured(desk, "meaning")
    desk.run()
    understand(desk, post, speech("the ferry leaves at noon"))
    parts = {match.part for match in matches(desk, "the ferry leaves at noon", "semantic")}
    assert "speech" in parts
    assert "text" not in parts


def test_only_the_new_words_are_encoded_when_a_medium_was_understood(desk: Desk, encoder: SmallEncoder) -> None:
    post = pictured(desk, "once", "harbour at dawn")
    desk.run()
    images, texts = encoder.images, list(encoder.texts)
    understand(desk, post, speech("the ferry leaves"))
    assert encoder.images == images
    assert encoder.texts == [*texts, "the ferry leaves"]


def test_the_text_vector_is_of_all_texts(desk: Desk) -> None:
    (plain,) = desk.texts("harbour at dawn")
    post = pictured(desk, "vector", "harbour at dawn")
    desk.run()
    before = desk.points([post])[0].dense["text"]
    assert np.allclose(before, desk.points([plain])[0].dense["text"], atol=1e-6)
    understand(desk, post, speech("the ferry leaves"))
    after = desk.points([post])[0].dense["text"]
    assert not np.allclose(before, after, atol=1e-3)
    assert np.linalg.norm(after) == pytest.approx(1, abs=1e-5)


def test_many_texts_are_not_all_compared(desk: Desk, encoder: SmallEncoder) -> None:
    post = pictured(desk, "long")
    desk.run()
    understand(desk, post, *(speech(f"sentence number {n} of many") for n in range(40)))
    encoder.texts.clear()
    found: Sequence[MatchAnswer] = matches(desk, "number 7", "hybrid")
    assert encoder.texts == []
    assert "speech" in {match.part for match in found}


def test_words_go_with_their_medium(desk: Desk) -> None:
    post = pictured(desk, "gone", "first")
    desk.run()
    understand(desk, post, speech("the ferry leaves"))
    desk.post({"external_id": "gone", "text": "first"})
    desk.run()
    assert ask(desk, "ferry").hits == []
    with desk.runtime.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM media_texts")) == 0


def test_the_words_of_a_post_are_answered_in_order(desk: Desk, api_key: ApiKeyMaker) -> None:
    post = pictured(desk, "read", pictures=2)
    desk.run()
    understand(desk, post, {"kind": "picture", "text": "THE LIGHTHOUSE", "detail": {"boxes": BOXES[:1]}}, medium=1)
    understand(desk, post, speech("the ferry leaves", (2.5, 3.0, "ferry")))
    with TestClient(create_app(desk.runtime)) as client:
        headers = bearer(api_key(Role.ANALYST))
        answer = client.get(f"/v1/posts/{post}/words", headers=headers)
        assert client.get(f"/v1/posts/{uuid4()}/words", headers=headers).status_code == 404
    found = [(text["media_index"], text["kind"], text["text"]) for text in answer.json()["texts"]]
    assert found == [(0, "speech", "the ferry leaves"), (1, "picture", "THE LIGHTHOUSE")]
