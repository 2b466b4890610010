"""The names of a head's labels are led to stored posts like them, and never to those that the head is judged by."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from postscope.backend.heads import definitions
from postscope.backend.heads.naming import label_names
from postscope.backend.runtime import Runtime
from postscope.indexing.heads.named import FEWEST_SEEN, NEAREST, LabelNames, unit
from postscope.indexing.types import Vectors
from tests.workers.conftest import Desk
from tests.workers.test_tagging import define

LABELS = ["ferries", "weather"]


def names(runtime: Runtime, judged: list[UUID], of: str = "sentiment") -> LabelNames:
    with runtime.database.session() as session:
        head = definitions.get_or_create(session, of, actor="test", now=runtime.clock())
    found = label_names(runtime, head, LABELS, judged, seed=1)
    assert found is not None
    return found


def led(plain: Vectors, texts: Vectors) -> Vectors:
    nearest = np.argsort(-(plain @ texts.T), axis=1)[:, : int(len(texts) * NEAREST)]
    return unit(plain + unit(np.stack([texts[rows].mean(axis=0) for rows in nearest])))


def test_names_are_led_to_posts_that_nobody_judged(runtime: Runtime, desk: Desk) -> None:
    define(runtime, {"labels": [{"name": "ferries", "prompts": ["late again"]}, {"name": "weather"}]})
    with runtime.database.session() as session:
        tags = definitions.Definition("tags")
        definitions.create(session, "news", tags, label_set="taxonomy:news", actor="test", now=runtime.clock())
    alone, explained = names(runtime, []), names(runtime, [], "news")
    ids = desk.texts(*(f"post number {n}" for n in range(FEWEST_SEEN + 100)))
    while desk.run():
        pass
    texts = {point.id: point.dense["text"] for point in desk.points(ids)}
    every = np.stack([texts[post_id] for post_id in ids])
    found = names(runtime, [])
    assert found.text == pytest.approx(led(alone.text, every), abs=1e-5)
    assert np.array_equal(found.media, alone.media), "no posts of pictures were seen"
    told = names(runtime, [], "news")
    assert np.array_equal(told.text[0], explained.text[0]), "what people wrote for a label is left as it is"
    assert told.text[1] == pytest.approx(found.text[1], abs=1e-5)
    judged = np.argsort(-(alone.text @ every.T).max(axis=0))[:100]
    others = np.delete(every, judged, axis=0)
    found = names(runtime, [ids[n] for n in judged])
    assert found.text == pytest.approx(led(alone.text, others), abs=1e-5)
    few = names(runtime, ids[: len(ids) - FEWEST_SEEN + 1])
    assert np.array_equal(few.text, alone.text), "too few posts show nothing"
