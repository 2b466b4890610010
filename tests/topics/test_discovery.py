"""Discoveries through the run that does them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.topics.conftest import TopicDesk


@pytest.mark.slow
def test_posts_of_three_subjects_become_three_topics_named_by_their_words(desk: TopicDesk) -> None:
    ids = {subject: desk.talk(subject, 40) for subject in ("storm", "match", "bread")}
    run = desk.discover()
    assert run.state == "done", run.error
    assert run.result is not None
    assert run.result["posts"] == 120
    assert run.result["outlier_share"] is not None
    assert len(desk.topics()) == 3
    for posts in ids.values():
        places = Counter(desk.topic_of(post) for post in posts)
        assert places.most_common(1)[0][1] >= 36
    assert any("storm" in topic.name for topic in desk.topics()), [t.name for t in desk.topics()]
