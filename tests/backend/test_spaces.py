"""From one space to another, on the real database, store, queue and stages; only the two encoders are tiny."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from postscope.backend import runs
from postscope.backend.auth import Caller, Role
from postscope.backend.database import Database
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.runtime import ALIAS, Runtime
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.settings import Settings
from postscope.backend.space_status import space_statuses
from postscope.backend.spaces import DROP, ROLLBACK, SWITCH
from postscope.backend.tables import Post, Run, SpaceRow
from postscope.backend.work import Stage
from postscope.indexing.stores.base import StoreUnavailable
from postscope.indexing.types import Space, Vectors
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers import respace
from postscope.workers.long_runs import work_runs
from postscope.workers.stages import run_stage

DIMS = {"bundled": 16, "bundled-en": 24}


class Tiny:
    """Words thrown into ``dim`` directions by their hash, images by their mean colour."""

    def __init__(self, settings: EncoderSettings) -> None:
        self._dim = DIMS[settings.name]
        self.space = Space(settings.name, "none", "1", self._dim)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._unit([sum((self._word(word) for word in text.split()), self._word(text)) for text in texts])

    encode_queries = encode_texts

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._unit([self._word(str(image.resize((1, 1)).getpixel((0, 0)))) for image in images])

    def _word(self, word: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(f"{self._dim}{word}".encode()).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self._dim)

    def _unit(self, rows: list[np.ndarray]) -> Vectors:
        stacked = np.array(rows, dtype=np.float32).reshape(-1, self._dim)
        return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


class Site:
    """One data folder and database, opened by one process after the other."""

    def __init__(self, settings: Settings, database: Database, clock: object) -> None:
        self._settings, self._database, self._clock = settings, database, clock
        self._open: Runtime | None = None

    def start(self, encoder: str = "bundled") -> Runtime:
        """A new process with these settings; the one before is gone."""
        self.stop()
        settings = self._settings.model_copy(
            update={
                "encoder": EncoderSettings(name=encoder),
                "work": self._settings.work.model_copy(update={"batch": 4}),
            }
        )
        runtime = Runtime(settings, self._database, clock=self._clock, open_encoder=Tiny)
        ensure_live_space(runtime)
        self._open = runtime
        return runtime

    def stop(self) -> None:
        if self._open is not None:
            self._open.models.close()
            self._open.store.close()
            self._open = None


@pytest.fixture
def site(settings: Settings, database: Database, clock: object) -> Iterator[Site]:
    opened = Site(settings, database, clock)
    yield opened
    opened.stop()


def put(runtime: Runtime, *names: str, text: str = "the words of {}") -> list[uuid.UUID]:
    rows = [
        {"source": "test", "external_id": name, "created_at": "2026-03-01T12:00:00Z", "text": text.format(name)}
        for name in names
    ]
    with runtime.database.session() as session:
        verdicts = runtime.posts.create(session, rows, now=runtime.clock())
    return [verdict.id for verdict in verdicts if verdict.id]


def filled(runtime: Runtime, count: int = 10) -> list[uuid.UUID]:
    ids = put(runtime, *(f"post-{n}" for n in range(count)))
    run_stage(runtime, Stage.INDEX)
    return ids


def points(runtime: Runtime, space: str) -> set[uuid.UUID]:
    collection = f"posts-{space}"
    return {stored.id for batch in runtime.store.scroll(collection) for stored in batch}


def live(runtime: Runtime) -> str:
    with runtime.database.session() as session:
        return session.scalars(select(SpaceRow.id).where(SpaceRow.state == "live")).one()


def states(runtime: Runtime) -> dict[str, str]:
    return {space.encoder: space.state for space in space_statuses(runtime.database, runtime.store, ALIAS)}


def same_as_fresh(runtime: Runtime, post_id: uuid.UUID) -> bool:
    """Whether the live collection holds what this post's present text gives."""
    with runtime.database.session() as session:
        text = session.scalars(select(Post.text).where(Post.id == post_id)).one()
    wanted = runtime.calibration.centre_texts(runtime.encoder.encode_texts([text]))[0]
    [stored] = runtime.store.retrieve(runtime.live.collection, [post_id])
    return bool(stored.dense["text"] @ wanted > 0.999)


def halfway(site: Site) -> tuple[Runtime, list[uuid.UUID], SpaceRow]:
    """Ten posts, and a switch that was killed after its first batch of four."""
    filled(site.start())
    runtime = site.start("bundled-en")
    row = respace.begin(runtime)
    respace.backfill(runtime, row, stop=after(1))
    with runtime.database.session() as session:
        ids = list(session.scalars(select(Post.id).order_by(Post.id)))
    return runtime, ids, row


def after(steps: int) -> Callable[[], bool]:
    left = iter([False] * steps)
    return lambda: next(left, True)


def test_the_first_start_makes_the_live_space(site: Site) -> None:
    runtime = site.start()
    [space] = space_statuses(runtime.database, runtime.store, ALIAS)
    assert (space.state, space.dim, space.aliased, space.points, space.posts) == ("live", 16, True, 0, 0)
    assert live(site.start()) == space.id


def test_other_settings_do_not_change_what_serves(site: Site) -> None:
    before = live(site.start())
    runtime = site.start("bundled-en")
    assert live(runtime) == before
    assert runtime.encoder.space.name == "bundled"


def test_a_switch_moves_every_post(site: Site) -> None:
    ids = filled(site.start())
    runtime = site.start("bundled-en")
    report = respace.switch(runtime)
    assert (report.posts, report.missing, report.strays, report.found, report.recall) == (10, 0, 0, 1.0, 1.0)
    assert states(runtime) == {"bundled": "previous", "bundled-en": "live"}
    assert runtime.encoder.space.dim == 24
    assert runtime.store.resolve(ALIAS) == runtime.live.collection
    assert points(runtime, live(runtime)) == set(ids)
    assert all(same_as_fresh(runtime, post_id) for post_id in ids)


def test_a_switch_of_no_posts(site: Site) -> None:
    site.start()
    runtime = site.start("bundled-en")
    assert respace.switch(runtime).passed
    assert states(runtime)["bundled-en"] == "live"


def test_killed_after_a_batch_it_goes_on_from_there(site: Site) -> None:
    runtime, ids, row = halfway(site)
    assert points(runtime, row.id) == set(ids[:4])
    runtime = site.start("bundled-en")
    visited: list[int] = []
    respace.switch(runtime, progress=visited.append)
    assert sum(visited) == 6
    assert points(runtime, live(runtime)) == set(ids)


def test_until_the_switch_the_old_space_serves(site: Site) -> None:
    runtime, ids, row = halfway(site)
    assert live(runtime) != row.id
    assert runtime.encoder.space.name == "bundled"
    assert points(runtime, live(runtime)) == set(ids)


def test_posts_that_come_change_and_go_during_the_backfill(site: Site) -> None:
    runtime, ids, _ = halfway(site)
    new = put(runtime, "new")
    changed = put(runtime, "post-0", "post-9", text="quite different words, {}")
    with runtime.database.session() as session:
        runtime.posts.delete(session, ids[1], now=runtime.clock())
        runtime.posts.delete(session, ids[8], now=runtime.clock())
    run_stage(runtime, Stage.INDEX)
    run_stage(runtime, Stage.ERASE)
    report = respace.switch(runtime)
    assert (report.posts, report.strays) == (9, 0)
    left = {*ids, *new} - {ids[1], ids[8]}
    assert points(runtime, live(runtime)) == left
    assert all(same_as_fresh(runtime, post_id) for post_id in changed + new)


class Meanwhile:
    """Does something while a batch is being encoded for the new space, once."""

    def __init__(self, runtime: Runtime, act: Callable[[], None]) -> None:
        self._encoder = runtime.models.get(runtime.settings.encoder).encoder
        self._encode = self._encoder.encode_texts
        self._act: Callable[[], None] | None = act

    def __call__(self, texts: Sequence[str]) -> Vectors:
        act, self._act = self._act, None
        vectors = self._encode(texts)
        if act is not None:
            act()
        return vectors


def test_a_post_that_changes_while_it_is_backfilled_ends_as_the_newer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    [post_id] = filled(site.start(), 1)
    runtime = site.start("bundled-en")
    row = respace.begin(runtime)

    def change() -> None:
        put(runtime, "post-0", text="quite different words, {}")
        run_stage(runtime, Stage.INDEX)

    new = runtime.models.get(runtime.settings.encoder).encoder
    monkeypatch.setattr(new, "encode_texts", Meanwhile(runtime, change))
    respace.backfill(runtime, row)
    run_stage(runtime, Stage.INDEX)
    respace.switch(runtime)
    assert same_as_fresh(runtime, post_id)


def test_a_post_that_is_deleted_while_it_is_backfilled_stays_gone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    [post_id] = filled(site.start(), 1)
    runtime = site.start("bundled-en")
    row = respace.begin(runtime)

    def delete() -> None:
        with runtime.database.session() as session:
            runtime.posts.delete(session, post_id, now=runtime.clock())
        run_stage(runtime, Stage.ERASE)

    new = runtime.models.get(runtime.settings.encoder).encoder
    monkeypatch.setattr(new, "encode_texts", Meanwhile(runtime, delete))
    respace.backfill(runtime, row)
    assert points(runtime, row.id) == set()


def test_a_post_that_cannot_be_encoded_takes_no_other_with_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, _, row = halfway(site)
    new = runtime.models.get(runtime.settings.encoder).encoder
    encode = new.encode_texts

    def refuse(texts: Sequence[str]) -> Vectors:
        if any("post-7" in text for text in texts):
            raise RuntimeError("this one is too much")
        return encode(texts)

    monkeypatch.setattr(new, "encode_texts", refuse)
    respace.backfill(runtime, row)
    assert len(points(runtime, row.id)) == 9
    with pytest.raises(Conflict) as caught:
        respace.switch(runtime)
    assert caught.value.code == "audit_failed"
    assert states(runtime)["bundled"] == "live"
    monkeypatch.undo()
    respace.switch(runtime)
    assert len(points(runtime, live(runtime))) == 10


def test_a_store_that_goes_away_leaves_the_cursor(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, ids, row = halfway(site)

    def down(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(runtime.store, "upsert", down)
    with pytest.raises(StoreUnavailable):
        respace.backfill(runtime, row)
    monkeypatch.undo()
    respace.switch(runtime)
    assert points(runtime, live(runtime)) == set(ids)


def test_a_missing_post_blocks_the_switch_and_the_next_run_mends_it(site: Site) -> None:
    runtime, ids, row = halfway(site)
    respace.backfill(runtime, row)
    runtime.store.delete(row.collection, [ids[2]])
    with pytest.raises(Conflict, match=str(ids[2])) as caught:
        respace.switch(runtime)
    assert caught.value.code == "audit_failed"
    assert states(runtime) == {"bundled": "live", "bundled-en": "building"}
    respace.switch(runtime)
    assert points(runtime, live(runtime)) == set(ids)


def test_nothing_is_switched_before_its_backfill_and_audit(site: Site) -> None:
    runtime, _, row = halfway(site)
    spaces = respace.spaces_of(runtime)
    with pytest.raises(Conflict, match="not come to its end"):
        spaces.audit(row.id)
    with pytest.raises(Conflict, match="not come to its end"):
        spaces.finish(row.id)
    respace.backfill(runtime, row)
    with pytest.raises(Conflict, match="has not passed"):
        spaces.finish(row.id)


def test_an_alias_that_is_refused_leaves_the_rows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, _, row = halfway(site)

    def down(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(runtime.store, "set_alias", down)
    with pytest.raises(StoreUnavailable):
        respace.switch(runtime)
    assert live(runtime) != row.id
    monkeypatch.undo()
    respace.switch(runtime)
    assert live(runtime) == row.id


def test_a_kill_between_alias_and_commit_is_mended_by_the_next_start(site: Site) -> None:
    runtime, _, row = halfway(site)
    runtime.store.set_alias(ALIAS, row.collection)
    runtime = site.start("bundled-en")
    assert runtime.store.resolve(ALIAS) == runtime.live.collection != row.collection


def test_a_rollback_is_at_once_and_catches_up(site: Site) -> None:
    ids = filled(site.start())
    runtime = site.start("bundled-en")
    respace.switch(runtime)
    runtime.clock.forward(hours=1)  # type: ignore[attr-defined]
    changed = put(runtime, "post-3", text="quite different words, {}")
    new = put(runtime, "new")
    with runtime.database.session() as session:
        runtime.posts.delete(session, ids[0], now=runtime.clock())
    run_stage(runtime, Stage.INDEX)
    run_stage(runtime, Stage.ERASE)
    row = respace.rollback(runtime)
    assert row.id == live(runtime)
    assert states(runtime) == {"bundled": "live", "bundled-en": "previous"}
    assert runtime.encoder.space.name == "bundled"
    run_stage(runtime, Stage.INDEX)
    assert points(runtime, row.id) == {*ids[1:], *new}
    assert all(same_as_fresh(runtime, post_id) for post_id in changed + new)


def test_no_rollback_without_a_previous_space(site: Site) -> None:
    with pytest.raises(NotFound):
        respace.rollback(site.start())


def test_dropping_the_previous_space(site: Site) -> None:
    filled(site.start())
    runtime = site.start("bundled-en")
    respace.switch(runtime)
    dropped = respace.spaces_of(runtime).drop_previous()
    assert runtime.store.collections() == [runtime.live.collection]
    assert len(dropped) == 1
    assert respace.spaces_of(runtime).drop_previous() == []
    with pytest.raises(NotFound):
        respace.rollback(runtime)


def test_a_retired_space_can_be_built_again(site: Site) -> None:
    ids = filled(site.start())
    runtime = site.start("bundled-en")
    respace.switch(runtime)
    respace.spaces_of(runtime).drop_previous()
    runtime = site.start("bundled")
    respace.switch(runtime)
    assert runtime.encoder.space.name == "bundled"
    assert points(runtime, live(runtime)) == set(ids)


def test_a_cancelled_switch_leaves_nothing(site: Site) -> None:
    runtime, _, row = halfway(site)
    respace.spaces_of(runtime).cancel(row.id)
    assert row.collection not in runtime.store.collections()
    assert states(runtime) == {"bundled": "live", "bundled-en": "retired"}


def test_the_live_space_is_not_switched_to(site: Site) -> None:
    with pytest.raises(Conflict, match="live already"):
        respace.switch(site.start())


def test_one_space_is_built_at_a_time(site: Site) -> None:
    runtime, _, row = halfway(site)
    other = Space("third", "none", "1", 8)
    with pytest.raises(Conflict, match=row.id):
        respace.spaces_of(runtime).begin(other, EncoderSettings(), collection="posts-third", layout=1)


def test_a_lost_collection_is_filled_again(site: Site) -> None:
    runtime = site.start()
    ids = filled(runtime)
    runtime.store.drop(runtime.live.collection)
    runtime = site.start()
    run_stage(runtime, Stage.INDEX)
    assert points(runtime, live(runtime)) == set(ids)


def switch_run(runtime: Runtime, encoder: str) -> uuid.UUID:
    params = {"encoder": EncoderSettings(name=encoder).model_dump(mode="json")}
    with runtime.database.session() as session:
        run = runs.start(session, SWITCH, params, actor="ada", readers=(), now=runtime.clock(), exclusive=SWITCH)
        return run.id


def seen(runtime: Runtime, run_id: uuid.UUID) -> Run:
    with runtime.database.session() as session:
        run = session.get(Run, run_id)
        assert run is not None
        return run


def test_a_run_switches_while_the_process_serves(site: Site) -> None:
    runtime = site.start()
    ids = filled(runtime)
    run_id = switch_run(runtime, "bundled-en")
    assert work_runs(runtime) == 1
    run = seen(runtime, run_id)
    assert (run.state, run.done, run.total, run.error) == ("done", 10, 10, None)
    assert run.result is not None
    assert run.result["audit"]["passed"]
    assert runtime.live.encoder.space.dim == DIMS["bundled-en"]
    assert points(runtime, live(runtime)) == set(ids)


def asked(runtime: Runtime, kind: str) -> Run:
    with runtime.database.session() as session:
        run_id = runs.start(session, kind, {}, actor="ada", readers=(), now=runtime.clock(), exclusive=SWITCH).id
    work_runs(runtime)
    return seen(runtime, run_id)


def test_runs_go_back_and_give_up_the_way_back(site: Site) -> None:
    runtime = site.start()
    filled(runtime)
    before = live(runtime)
    switch_run(runtime, "bundled-en")
    work_runs(runtime)
    assert live(runtime) != before
    back = asked(runtime, ROLLBACK)
    assert (back.state, back.result) == ("done", {"live": runtime.live.encoder.space.id})
    assert live(runtime) == before
    dropped = asked(runtime, DROP)
    assert dropped.result is not None
    assert len(dropped.result["removed"]) == 1
    none = asked(runtime, ROLLBACK)
    assert (none.state, none.error_code) == ("failed", "not_found")


def test_what_another_process_owns_is_not_told(site: Site) -> None:
    runtime = site.start()
    filled(runtime)
    [row] = space_statuses(runtime.database, None, ALIAS)
    assert (row.state, row.posts, row.points, row.aliased) == ("live", 10, None, None)


def test_a_switch_that_is_stopped_goes_on_and_one_that_is_cancelled_leaves_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = site.start()
    filled(runtime)
    before = live(runtime)
    run_id = switch_run(runtime, "bundled-en")
    work_runs(runtime, stop=after(2))
    assert seen(runtime, run_id).state == "waiting"
    assert 0 < seen(runtime, run_id).done < 10
    assert sorted(states(runtime).values()) == ["building", "live"]

    original = respace.backfill

    def cancelled(*given: Any, **named: Any) -> bool:
        with runtime.database.session() as session:
            admin = Caller(uuid.UUID(int=1), "ada", frozenset({Role.ADMIN}))
            runs.cancel(session, run_id, admin, now=runtime.clock())
        return original(*given, **named)

    monkeypatch.setattr(respace, "backfill", cancelled)
    work_runs(runtime)
    assert seen(runtime, run_id).state == "cancelled"
    assert live(runtime) == before
    assert sorted(states(runtime).values()) == ["live", "retired"]
    assert len(runtime.store.collections()) == 1
