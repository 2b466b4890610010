"""A runtime with the real database and the embedded store, and an encoder that costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postscope.backend.database import Database
from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import WorkSettings
from postscope.backend.settings import Settings
from postscope.backend.status import PostStatus, post_status
from postscope.backend.tables import Work
from postscope.backend.work import Stage
from postscope.indexing.stores.base import Stored
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers.stages import run_stage
from tests.conftest import SetClock
from tests.workers.small_encoder import SmallEncoder, write_calibration

OpenRuntime = Callable[..., Runtime]


@pytest.fixture
def encoder() -> SmallEncoder:
    return SmallEncoder()


@pytest.fixture
def open_runtime(
    settings: Settings, database: Database, clock: SetClock, encoder: SmallEncoder
) -> Iterator[OpenRuntime]:
    """Opens runtimes over one database and one store, as several runners would have them."""
    write_calibration(settings.model_cache)
    runtimes: list[Runtime] = []

    def make(**work: Any) -> Runtime:
        chosen = settings.model_copy(update={"work": WorkSettings(**{"max_attempts": 3, **work})})
        runtime = Runtime(chosen, database, clock=clock, open_encoder=lambda _: encoder)
        if runtimes:
            runtime.__dict__["store"] = runtimes[0].store
        else:
            ensure_live_space(runtime)
        runtimes.append(runtime)
        return runtime

    yield make
    for runtime in runtimes:
        runtime.close()


@pytest.fixture
def runtime(open_runtime: OpenRuntime) -> Runtime:
    return open_runtime()


class Desk:
    """What the tests do with a runtime, in words of the domain."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def post(self, *rows: dict[str, Any]) -> list[UUID]:
        """Take posts in; each is accepted."""
        full = [{"source": "test", "created_at": "2026-03-02T09:00:00Z", **row} for row in rows]
        with self.runtime.database.session() as session:
            verdicts = self.runtime.posts.create(session, full, now=self.runtime.clock(), request_id="r-1")
        assert not [verdict for verdict in verdicts if verdict.status == "rejected"], verdicts
        return [verdict.id for verdict in verdicts if verdict.id is not None]

    def texts(self, *texts: str) -> list[UUID]:
        """Posts with these texts, named by their place."""
        return self.post(*({"external_id": str(n), "text": text} for n, text in enumerate(texts)))

    def delete(self, post_id: UUID) -> None:
        with self.runtime.database.session() as session:
            self.runtime.posts.delete(session, post_id, now=self.runtime.clock())

    def run(self, *stages: Stage) -> int:
        """Work off what waits now."""
        return sum(run_stage(self.runtime, stage) for stage in stages or (Stage.INDEX,))

    def status(self, post_id: UUID) -> PostStatus:
        with self.runtime.database.session() as session:
            return post_status(session, post_id)

    def work(self, post_id: UUID, stage: Stage = Stage.INDEX) -> Work | None:
        with self.runtime.database.session() as session:
            return session.query(Work).filter_by(post_id=post_id, stage=stage.value).one_or_none()

    def points(self, ids: Sequence[UUID]) -> list[Stored]:
        return self.runtime.store.retrieve(self.runtime.live.collection, ids)

    def count(self) -> int:
        return self.runtime.store.count(self.runtime.live.collection)


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


@pytest.fixture
def truncated_jpeg() -> bytes:
    """The head of a picture: what it is can be read, what it shows cannot."""
    from tests.media_files import sound

    whole = sound("JPEG", 640, 480)
    return whole[: len(whole) // 2]


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write
