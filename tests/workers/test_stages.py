"""The stages over a real database and store: what fails, what is tried again, and who wins when two meet."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
import pytest

from postscope.backend import work
from postscope.backend.status import StageStatus
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.stores.base import StoreUnavailable
from postscope.workers import stages
from postscope.workers.maintain import sweep
from postscope.workers.stages import run_batch, run_stage
from tests.conftest import SetClock
from tests.media_files import sound
from tests.workers.conftest import Desk, OpenRuntime
from tests.workers.small_encoder import SmallEncoder, vectors


def index_stage(desk: Desk, post_id: UUID) -> StageStatus:
    return next(stage for stage in desk.status(post_id).stages if stage.stage == "index")


def refuse(*bad: str) -> Callable[[Sequence[str]], None]:
    def check(texts: Sequence[str]) -> None:
        if set(bad) & set(texts):
            raise RuntimeError("the model choked on this text")

    return check


def test_every_post_is_indexed_and_its_work_is_gone(desk: Desk) -> None:
    ids = desk.texts(*(f"post {n}" for n in range(20)))
    assert desk.run() == 20
    assert {point.id for point in desk.points(ids)} == set(ids)
    assert all(desk.status(id).current for id in ids)


def test_one_bad_post_fails_alone(desk: Desk, encoder: SmallEncoder) -> None:
    ids = desk.texts("good 1", "bad", "good 2")
    encoder.before_texts = refuse("bad")
    desk.run()
    assert [desk.status(id).current for id in ids] == [True, False, True]
    failed = index_stage(desk, ids[1])
    assert (failed.state, failed.error) == ("waiting", "the model choked on this text")
    assert failed.error_code == "RuntimeError"


def test_retries_come_after_growing_pauses_and_end(desk: Desk, encoder: SmallEncoder, clock: SetClock) -> None:
    (bad,) = desk.texts("bad")
    encoder.before_texts = refuse("bad")
    pauses = []
    for _ in range(2):
        desk.run()
        stage = index_stage(desk, bad)
        assert stage.next_attempt_at is not None
        pauses.append((stage.next_attempt_at - clock()).total_seconds())
        assert desk.run() == 0, "not before its time"
        clock.now = stage.next_attempt_at
    assert pauses == [2, 4]
    desk.run()
    given_up = index_stage(desk, bad)
    assert (given_up.state, given_up.attempts, given_up.error) == ("failed", 3, "the model choked on this text")
    clock.forward(days=1)
    assert desk.run() == 0


def test_what_was_given_up_works_again_when_the_post_changes(desk: Desk, encoder: SmallEncoder) -> None:
    (post,) = desk.texts("bad")
    encoder.before_texts = refuse("bad")
    for _ in range(3):
        desk.run()
        desk.runtime.clock.forward(hours=1)  # type: ignore[attr-defined]
    assert index_stage(desk, post).state == "failed"
    desk.texts("mended")
    desk.run()
    assert desk.status(post).current


def test_a_change_during_the_last_attempt_gets_all_its_attempts(
    desk: Desk, encoder: SmallEncoder, clock: SetClock
) -> None:
    (post,) = desk.texts("bad")
    encoder.before_texts = refuse("bad")
    for _ in range(2):
        desk.run()
        clock.forward(hours=1)

    def change_and_fail(texts: Sequence[str]) -> None:
        encoder.before_texts = refuse("worse")
        desk.texts("worse")
        raise RuntimeError("the last attempt")

    encoder.before_texts = change_and_fail
    run_batch(desk.runtime, Stage.INDEX)
    clock.forward(hours=1)
    desk.run()
    stage = index_stage(desk, post)
    assert (stage.state, stage.attempts) == ("waiting", 1)


def test_a_lapsed_lease_makes_work_suspect_and_tried_alone(
    desk: Desk, encoder: SmallEncoder, clock: SetClock, open_runtime: OpenRuntime
) -> None:
    desk.texts(*(f"post {n}" for n in range(5)))
    settings = desk.runtime.settings.work
    with desk.runtime.database.session() as session:  # a worker that takes the batch and is never heard of again
        work.claim(session, Stage.INDEX, now=clock(), worker="dead:1", settings=settings)
    assert desk.run() == 0, "somebody has them"
    clock.forward(seconds=settings.lease_seconds + 1)
    sweep(desk.runtime)
    sizes = []
    while count := run_batch(desk.runtime, Stage.INDEX):
        sizes.append(count)
    assert sizes == [1] * 5
    assert desk.count() == 5


def test_a_post_that_kills_every_worker_is_given_up_and_says_so(desk: Desk, clock: SetClock) -> None:
    (post,) = desk.texts("deadly")
    settings = desk.runtime.settings.work
    for _ in range(settings.max_attempts):
        with desk.runtime.database.session() as session:
            assert work.claim(session, Stage.INDEX, now=clock(), worker="dead:1", settings=settings)
        clock.forward(seconds=settings.lease_seconds + 1)
        sweep(desk.runtime)
    stage = index_stage(desk, post)
    assert (stage.state, stage.error_code) == ("failed", "worker_lost")


def test_a_post_that_changes_while_it_is_indexed_is_indexed_again(desk: Desk, encoder: SmallEncoder) -> None:
    (post,) = desk.texts("old")

    def change(texts: Sequence[str]) -> None:
        encoder.before_texts = lambda texts: None
        desk.texts("new")

    encoder.before_texts = change
    desk.run()
    assert text_is(desk, post, "new")
    assert desk.status(post).current


def test_a_change_that_is_taken_back_while_it_is_indexed(desk: Desk, encoder: SmallEncoder) -> None:
    (post,) = desk.texts("first")
    desk.run()
    desk.texts("second")

    def take_back(texts: Sequence[str]) -> None:
        encoder.before_texts = lambda texts: None
        desk.texts("first")

    encoder.before_texts = take_back
    desk.run()
    assert text_is(desk, post, "first")
    assert desk.status(post).current


def test_a_post_that_is_deleted_while_it_is_indexed_leaves_no_point(desk: Desk, encoder: SmallEncoder) -> None:
    (post,) = desk.texts("soon gone")
    encoder.before_texts = lambda texts: desk.delete(post)
    desk.run(Stage.INDEX)
    desk.run(Stage.ERASE)
    assert desk.points([post]) == []


def test_a_deleted_post_leaves_no_point(desk: Desk) -> None:
    gone, kept = desk.texts("gone", "kept")
    desk.run()
    desk.delete(gone)
    desk.run(Stage.ERASE)
    assert [point.id for point in desk.points([gone, kept])] == [kept]


def test_a_tag_is_one_with_or_without_its_sign(desk: Desk) -> None:
    (post_id,) = desk.post({"external_id": "1", "text": "a #heron", "tags": ["#Gull", "GULL", "#heron", "#"]})
    desk.run()
    assert desk.points([post_id])[0].payload["tags"] == ["#", "gull", "heron"]


def test_new_metrics_encode_nothing(desk: Desk, encoder: SmallEncoder) -> None:
    row = {"external_id": "1", "text": "hello", "language": "en", "metrics": {"likes": 1}}
    (post,) = desk.post(row)
    desk.run()
    del row["language"]
    desk.post({**row, "metrics": {"likes": 2}})
    desk.run()
    (point,) = desk.points([post])
    assert encoder.texts == ["hello"]
    assert point.payload["metrics"] == {"likes": 2.0}
    assert not point.payload.get("language")
    assert desk.status(post).current


def test_a_late_worker_does_not_leave_its_old_text(
    desk: Desk, encoder: SmallEncoder, clock: SetClock, open_runtime: OpenRuntime
) -> None:
    """It reads the old text and falls silent; another indexes the new one; then it wakes and writes."""
    (post,) = desk.texts("old")
    other = Desk(open_runtime())
    holding, go_on = threading.Event(), threading.Event()

    def hold(texts: Sequence[str]) -> None:
        encoder.before_texts = lambda texts: None
        holding.set()
        assert go_on.wait(20)

    encoder.before_texts = hold
    late = threading.Thread(target=run_batch, args=(desk.runtime, Stage.INDEX))
    late.start()
    try:
        assert holding.wait(20)
        clock.forward(seconds=desk.runtime.settings.work.lease_seconds + 1)
        other.texts("new")
        sweep(other.runtime)
        other.run()
        assert text_is(other, post, "new")
    finally:
        go_on.set()
        late.join()
    other.run()
    assert text_is(desk, post, "new")
    assert desk.count() == 1
    assert desk.status(post).current


def test_two_runners_share_the_work(desk: Desk, encoder: SmallEncoder, open_runtime: OpenRuntime) -> None:
    ids = desk.texts(*(f"post {n}" for n in range(60)))
    runtimes = [open_runtime(batch=7), open_runtime(batch=7)]
    threads = [threading.Thread(target=run_stage, args=(runtime, Stage.INDEX)) for runtime in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(encoder.texts) == sorted(f"post {n}" for n in range(60)), "each encoded once"
    assert desk.count() == 60
    assert all(desk.status(id).current for id in ids)


def test_an_outage_of_the_store_costs_no_attempt(desk: Desk, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = desk.texts("one", "two")

    def down(*_: object) -> None:
        raise StoreUnavailable("the vector store does not answer")

    with monkeypatch.context() as outage:
        outage.setattr(desk.runtime.store, "upsert", down)
        for _ in range(desk.runtime.settings.work.max_attempts + 2):
            desk.run()
            clock.forward(minutes=30)
    stage = index_stage(desk, ids[0])
    assert (stage.state, stage.attempts) == ("waiting", 0)
    assert stage.error == "the vector store does not answer"
    assert desk.run() == 2
    assert all(desk.status(id).current for id in ids)


def test_an_orderly_stop_hands_the_batch_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (post,) = desk.texts("one")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setitem(stages.STAGES, Stage.INDEX, stopped)
        with pytest.raises(KeyboardInterrupt):
            run_batch(desk.runtime, Stage.INDEX)
    assert (index_stage(desk, post).state, index_stage(desk, post).attempts) == ("waiting", 0)
    assert desk.run() == 1


def test_a_truncated_image_is_recorded_and_the_rest_is_indexed(
    desk: Desk, truncated_jpeg: bytes, encoder: SmallEncoder
) -> None:
    media = [{"upload_id": str(upload(desk, data))} for data in (sound("PNG"), truncated_jpeg)]
    (post,) = desk.post({"external_id": "1", "text": "with pictures", "media": media})
    desk.run()
    status = desk.status(post)
    assert [medium.state for medium in status.media] == ["indexed", "failed"]
    assert status.media[1].error_code
    assert status.media[1].error
    assert status.current
    (point,) = desk.points([post])
    assert {"post", "text"} <= set(point.dense)
    assert len(point.multi["media"]) == 1
    assert point.payload["media"] == ["image"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a.png", "http://[::ffff:127.0.0.1]/a.png", "http://169.254.169.254/"]
)
def test_a_refused_url_is_recorded_and_the_text_is_indexed(desk: Desk, url: str) -> None:
    (post,) = desk.post({"external_id": "1", "text": "with a picture", "media": [{"url": url}]})
    desk.run(Stage.EXTRACT, Stage.INDEX)
    status = desk.status(post)
    assert [(medium.state, medium.error_code) for medium in status.media] == [("failed", "refused_address")]
    assert status.current
    assert text_is(desk, post, "with a picture")


def text_is(desk: Desk, post_id: UUID, text: str) -> bool:
    (point,) = desk.points([post_id])
    return bool(np.allclose(point.dense["text"], vectors([text.encode()])[0], atol=1e-5))


def upload(desk: Desk, data: bytes) -> UUID:
    with desk.runtime.database.session() as session:
        kept = add_upload(session, desk.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=desk.runtime.clock())
        return kept.id
