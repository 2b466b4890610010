"""Topics of pictures alone: named by what is seen, and marked so."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from postscope.backend.routes.topics import TopicOut
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.topics.names import KeywordNamer
from postscope.indexing.topics.seen import class_names, seen_words
from postscope.indexing.types import Vectors
from tests.topics.conftest import SubjectEncoder, TopicDesk
from tests.workers.small_encoder import DIM, SmallEncoder

BEAR = 7
"""The axis of bears."""


class SeeingEncoder(SubjectEncoder):
    """Every picture shows an ice bear; the words for bears lie there too."""

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        self.images += len(images)
        return self._towards_bears(images_as_texts(images))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        rows = super().encode_queries(texts)
        bears = [place for place, text in enumerate(texts) if "bear" in text.split()]
        if bears:
            rows[bears] = self._towards_bears([texts[place] for place in bears])
        return rows

    def _towards_bears(self, texts: Sequence[str]) -> Vectors:
        rows = self._near(texts) + 3 * np.eye(DIM, dtype=np.float32)[BEAR]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def images_as_texts(images: Sequence[Image.Image]) -> list[str]:
    return [image.tobytes().hex() for image in images]


@pytest.fixture
def encoder() -> SmallEncoder:
    return SeeingEncoder()


def photo(desk: TopicDesk, seed: int) -> str:
    """A picture like no other, kept."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((64, 64)).save(out, "PNG")
    out.seek(0)
    runtime = desk.runtime
    with runtime.database.session() as session:
        return str(add_upload(session, runtime.blobs, out, max_bytes=10**6, now=runtime.clock()).id)


def test_a_topic_of_pictures_alone_is_named_by_what_is_seen_and_says_so(desk: TopicDesk) -> None:
    ids = desk.post(*({"external_id": f"p{n}", "media": [{"upload_id": photo(desk, n)}]} for n in range(12)))
    desk.talk("storm", 12)
    desk.run(Stage.EXTRACT, Stage.INDEX)
    run = desk.discover()
    assert run.state == "done", run.error
    pictures = [topic for topic in desk.topics() if desk.topic_of(ids[0]) == topic.id]
    assert len(pictures) == 1
    shown = TopicOut.of(pictures[0], 12)
    assert shown.name.startswith("seen: ")
    assert "bear" in shown.name
    assert shown.keywords
    assert all(word.seen for word in shown.keywords)
    said = [topic for topic in desk.topics() if topic.id != pictures[0].id]
    assert not any(word["seen"] for topic in said for word in topic.keywords)
    again = desk.discover()
    assert again.state == "done", again.error
    assert [topic.name for topic in desk.topics() if topic.id == pictures[0].id] == [shown.name]


def test_names_of_things_are_each_there_once() -> None:
    assert len(class_names()) == len(set(class_names())) > 900


def test_a_centre_that_points_nowhere_is_like_nothing() -> None:
    names = np.eye(4, dtype=np.float32)
    assert seen_words(np.zeros(4, np.float32), ["a", "b", "c", "d"], names) == []
    assert seen_words(np.ones(4, np.float32), [], names[:0]) == []
    assert [word.word for word in seen_words(names[2], ["a", "b", "c", "d"], names)] == ["c"]


def test_words_that_were_said_are_not_called_seen() -> None:
    said, seen = Keyword("storm", 1.0, "en"), Keyword("polar bear", 1.0, "en", seen=True)
    assert KeywordNamer().name([seen], []).name == "seen: polar bear"
    assert KeywordNamer().name([said, seen], []).name == "storm, polar bear"
