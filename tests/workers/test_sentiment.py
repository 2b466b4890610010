"""How posts sound is said when they are enriched, again when they change, and never of what has no text."""

from __future__ import annotations

from uuid import UUID

import pytest

from postscope.backend.tables import PostSentiment
from postscope.backend.work import Stage
from tests.workers.conftest import Desk

GLAD = "Best flight ever, lovely crew and we landed early, thank you so much"
CROSS = "Disgusting food, cold and overpriced, never going back there"


def mood(desk: Desk, post_id: UUID) -> PostSentiment | None:
    with desk.runtime.database.session() as session:
        return session.get(PostSentiment, post_id)


def test_a_post_is_scored_and_scored_again_when_its_text_changes(desk: Desk) -> None:
    (post,) = desk.texts(GLAD)
    desk.run(Stage.INDEX, Stage.ENRICH)
    found = mood(desk, post)
    assert found is not None
    assert found.negative + found.neutral + found.positive == pytest.approx(1)
    assert found.scorer.startswith("phrases-")
    desk.texts(CROSS)
    desk.run(Stage.INDEX, Stage.ENRICH)
    changed = mood(desk, post)
    assert changed is not None
    assert changed.positive != found.positive
    desk.texts("")
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert mood(desk, post) is None


def test_a_post_that_is_deleted_takes_its_score_along(desk: Desk) -> None:
    (post,) = desk.texts(GLAD)
    desk.run(Stage.INDEX, Stage.ENRICH)
    desk.delete(post)
    assert mood(desk, post) is None
