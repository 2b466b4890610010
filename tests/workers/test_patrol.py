"""Points that are not of the posts' present versions are found and made anew."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from postscope.backend import work
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.media.parts import Written
from postscope.indexing.pipeline import RECIPE
from postscope.indexing.stores.base import Stored
from postscope.indexing.types import Point
from postscope.workers.patrol import Patrol
from postscope.workers.stages import run_batch
from tests import av_files
from tests.conftest import SetClock
from tests.media_files import sound
from tests.workers.conftest import Desk, OpenRuntime


class Killed(BaseException):
    """kill -9, as far as one process can play it."""


class LateStore:
    """The store as a worker sees it that sleeps before it writes, and dies after it."""

    def __init__(self, store: Any, asleep: Any) -> None:
        self._store = store
        self._asleep = asleep

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        self._asleep()
        self._store.upsert(collection, points)
        raise Killed


def test_what_a_worker_wrote_too_late_before_it_died_is_found_and_made_anew(
    open_runtime: OpenRuntime, clock: SetClock
) -> None:
    desk, late = Desk(open_runtime()), open_runtime()
    (post_id,) = desk.texts("the old text")

    def meanwhile() -> None:
        clock.forward(seconds=late.settings.work.lease_seconds + 1)
        with desk.runtime.database.session() as session:
            assert work.reclaim(session, now=clock(), settings=desk.runtime.settings.work) == 1
        desk.texts("the new text")
        assert desk.run() == 1

    late.__dict__["store"] = LateStore(desk.runtime.store, meanwhile)
    with pytest.raises(Killed):
        run_batch(late, Stage.INDEX)
    assert desk.status(post_id).current, "nobody knows yet"
    assert desk.points([post_id])[0].payload["version"] == 1

    assert Patrol(desk.runtime).step() == [post_id]
    assert not desk.status(post_id).current
    assert desk.run() == 1
    (point,) = desk.points([post_id])
    (expected,) = desk.runtime.live.pipeline.encode_texts(["the new text"]).values()
    assert point.payload["version"] == 2
    assert point.dense["text"] == pytest.approx(expected, abs=1e-5)
    assert Patrol(desk.runtime).step() == []


def test_a_point_that_is_missing_is_made_anew(desk: Desk) -> None:
    ids = desk.texts("one", "two", "three")
    desk.run()
    desk.runtime.store.delete(desk.runtime.live.collection, [ids[1]])
    assert Patrol(desk.runtime).step() == [ids[1]]
    desk.run()
    assert desk.count() == 3


def test_what_is_as_it_should_be_or_on_its_way_is_left_alone(desk: Desk) -> None:
    ids = desk.texts("one", "two")
    patrol = Patrol(desk.runtime)
    assert patrol.step() == [], "not indexed yet"
    desk.run()
    desk.texts("one, changed")
    assert patrol.step() == [], "changed, and waiting"
    desk.run()
    desk.runtime.store.set_payload(desk.runtime.live.collection, {ids[0]: {"version": None}})
    assert patrol.step() == [], "written before points named their version"


class NothingWritten:
    """Reads nothing in any picture."""

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        return [[] for _ in images]

    def close(self) -> None:
        """Nothing is held."""


def as_once(stored: Stored) -> Point:
    """As releases wrote it that named no recipe, with a fused vector that is not what it would be now."""
    payload = {name: value for name, value in stored.payload.items() if name != "recipe"}
    dense = {**stored.dense, "post": stored.dense["text"]}
    return Point(stored.id, dense, dict(stored.multi), {}, payload)


def test_posts_with_videos_that_an_earlier_release_fused_are_indexed_again_and_others_are_not(desk: Desk) -> None:
    desk.runtime.__dict__["reader"] = NothingWritten()
    ids = desk.texts("only words")
    for name, data in (("film", av_files.video(seconds=3.0)), ("still", sound("PNG"))):
        with desk.runtime.database.session() as session:
            kept = add_upload(session, desk.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=desk.runtime.clock())
        ids += desk.post({"external_id": name, "text": name, "media": [{"upload_id": str(kept.id)}]})
    film = ids[1]
    desk.run(Stage.INDEX, Stage.UNDERSTAND, Stage.INDEX)
    (fresh,) = desk.points([film])
    collection, before = desk.runtime.live.collection, [as_once(point) for point in desk.points(ids)]
    desk.runtime.store.delete(collection, ids)
    desk.runtime.store.upsert(collection, before)

    assert Patrol(desk.runtime).step() == [film]
    assert Patrol(desk.runtime).step() == [], "it waits already, whoever looks next, also after a kill"
    assert desk.run() == 1
    (again,) = desk.points([film])
    assert again.payload["recipe"] == RECIPE
    assert np.allclose(again.dense["post"], fresh.dense["post"], atol=1e-6)
    assert Patrol(desk.runtime).step() == []
