"""New posts among many languages, whose vectors lie further apart than those of subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from postscope.backend.tables import TopicLanguage
from postscope.backend.work import Stage
from postscope.indexing.types import Vectors
from tests.topics.conftest import SUBJECTS, SubjectEncoder, TopicDesk
from tests.workers.small_encoder import DIM, SmallEncoder

LANGUAGES = ("en", "fr", "tr")


class ForeignEncoder(SubjectEncoder):
    """A text lies near its subject, and as far to where its language is, which is its last word; around the centre."""

    def _near(self, texts: Sequence[str]) -> Vectors:
        subjects = np.isin(np.arange(DIM), np.arange(len(SUBJECTS))) / len(SUBJECTS)
        rows = super()._near(texts) - subjects + 1.1 * np.array([_spoken(text) for text in texts]).reshape(-1, DIM)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _spoken(text: str) -> np.ndarray:
    places = np.eye(DIM)[-len(LANGUAGES) :]
    last = text.rsplit(maxsplit=1)[-1] if text.split() else ""
    return places[LANGUAGES.index(last)] - places.mean(axis=0) if last in LANGUAGES else np.zeros(DIM)


@pytest.fixture
def encoder() -> SmallEncoder:
    return ForeignEncoder()


def say(desk: TopicDesk, subject: str, language: str | None, count: int, *, first: int = 0) -> list[UUID]:
    """Posts about a subject; without a language they look as if they were English."""
    words = SUBJECTS[subject].split()
    ids = desk.post(
        *(
            {
                "external_id": f"{subject}-{language}-{n}",
                "text": f"{subject} {words[n % len(words)]} {n}{subject[::-1]}{n * 7} {language or 'en'}",
                "language": language,
            }
            for n in range(first, first + count)
        )
    )
    desk.run(Stage.INDEX, Stage.ENRICH)
    return ids


def talk(desk: TopicDesk) -> dict[str, list[UUID]]:
    """Of the storm hardly anybody speaks Turkish, of the others many do."""
    ids = {subject: say(desk, subject, "en", 30) for subject in SUBJECTS}
    for subject in SUBJECTS:
        ids[subject] += say(desk, subject, "fr", 30) + say(desk, subject, "tr", 3 if subject == "storm" else 30)
    return ids


def topic_of(desk: TopicDesk, ids: Sequence[UUID]) -> UUID | None:
    return Counter(desk.topic_of(post) for post in ids).most_common(1)[0][0]


def offsets(desk: TopicDesk) -> dict[str, bytes]:
    with desk.runtime.database.session() as session:
        return {row.language: row.offset for row in session.query(TopicLanguage)}


def test_a_post_in_a_language_that_few_of_its_topic_are_in_comes_to_it_at_once(desk: TopicDesk) -> None:
    ids = talk(desk)
    run = desk.discover()
    assert run.state == "done", run.error
    storm = topic_of(desk, ids["storm"])
    assert storm is not None
    assert storm not in [topic_of(desk, ids[subject]) for subject in ("match", "bread", "phone")]
    fresh = say(desk, "storm", "tr", 5, first=100)
    assert [desk.topic_of(post) for post in fresh] == [storm] * 5


def test_a_discovery_of_all_posts_replaces_what_is_known_of_languages_and_one_of_some_does_not(
    desk: TopicDesk,
) -> None:
    talk(desk)
    desk.discover()
    known = offsets(desk)
    assert sorted(known) == ["en", "fr", "tr"]
    assert {len(offset) for offset in known.values()} == {4 * DIM}
    desk.discover(language=["fr", "tr"])
    assert offsets(desk) == known
    say(desk, "match", "fr", 20, first=100)
    desk.discover()
    assert offsets(desk).keys() == known.keys()
    assert offsets(desk) != known


def test_posts_in_one_language_alone_are_asked_about_as_they_are(desk: TopicDesk) -> None:
    ids = {subject: say(desk, subject, "en", 30) for subject in ("storm", "match", "bread")}
    desk.discover()
    assert offsets(desk) == {}
    (fresh,) = say(desk, "match", "en", 1, first=100)
    assert desk.topic_of(fresh) == topic_of(desk, ids["match"])
