"""A desk over an encoder that puts texts about one subject together."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func

from postscope.backend.auth import Caller, Role
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Run, Topic, TopicLineage
from postscope.backend.topics.requests import DiscoverRequest, start
from postscope.backend.work import Stage
from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.topics.discovery import discover
from postscope.indexing.topics.job import Job, Result
from postscope.indexing.types import Vectors
from postscope.workers.long_runs import work_runs
from tests.workers.conftest import Desk, OpenRuntime, encoder, open_runtime  # noqa: F401
from tests.workers.small_encoder import DIM, SmallEncoder

SUBJECTS = {
    "storm": "storm wind harbour flood warning",
    "match": "football match goal referee stadium",
    "bread": "bakery bread flour oven crust",
    "phone": "phone battery screen update charger",
}
ANALYST = Caller(UUID(int=1), "ana", frozenset({Role.ANALYST}))


class SubjectEncoder(SmallEncoder):
    """A text lies near its subject, which is its first word; one of no subject lies anywhere."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.before_texts(texts)
        self.texts.extend(texts)
        return self._near(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._near(texts)

    def _near(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([_vector(text) for text in texts]).reshape(len(texts), DIM)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _vector(text: str) -> np.ndarray:
    noise = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])).normal(size=DIM)
    subject = next((n for n, word in enumerate(SUBJECTS) if text.startswith(word)), None)
    axis = np.eye(DIM)[subject] if subject is not None else np.zeros(DIM)
    return axis * 12 + noise if subject is not None else noise


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> Iterator[None]:
    """One folder of compiled code for all tests: each data folder is new, and would compile for half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / "postscope-tests-compiled"))
        yield


@pytest.fixture(autouse=True)
def _computed_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discoveries are computed in this process, by the same code, unless a test is about the child process."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("postscope.workers.discovering.compute", compute_here)


def compute_here(job: Job, *, tell: Callable[[str, float], None], **_: Any) -> Result:
    """What the child process does, without it."""
    discover(job, DensityClusterer(), check=tell).save(job.folder)
    return Result.load(job.folder)


@pytest.fixture
def encoder() -> SmallEncoder:  # noqa: F811
    return SubjectEncoder()


@pytest.fixture
def runtime(open_runtime: OpenRuntime) -> Runtime:  # noqa: F811
    return open_runtime()


def _own_words(subject: str, number: int) -> str:
    """Words that no other post has: else posts on one subject would be edited copies of one another."""
    told = hashlib.sha256(f"{subject} {number}".encode()).hexdigest()
    return " ".join(told[at : at + 6].translate(str.maketrans("0123456789", "ghijklmnop")) for at in range(0, 48, 6))


class TopicDesk(Desk):
    """What the tests do with topics."""

    def talk(self, subject: str, count: int, *, first: int = 0, **row: Any) -> list[UUID]:
        """Posts about a subject, each in its own words, indexed but not enriched."""
        words = SUBJECTS.get(subject, subject).split()
        rows = [
            {
                "external_id": f"{subject}-{n}",
                "text": f"{subject} {words[n % len(words)]} {words[(n + 1) % len(words)]} {_own_words(subject, n)}",
                **row,
            }
            for n in range(first, first + count)
        ]
        ids = self.post(*rows)
        self.run(Stage.INDEX)
        return ids

    def ask(self, **asked: Any) -> UUID:
        """A discovery that waits for a worker."""
        with self.runtime.database.session() as session:
            return start(self.runtime, session, DiscoverRequest(**asked), ANALYST).id

    def discover(self, **asked: Any) -> Run:
        """A whole discovery."""
        run_id = self.ask(**asked)
        work_runs(self.runtime)
        return self.seen(run_id)

    def seen(self, run_id: UUID) -> Run:
        """The run as it is now."""
        with self.runtime.database.session() as session:
            return session.get_one(Run, run_id)

    def topics(self, layer: str = "topic", *states: str) -> list[Topic]:
        with self.runtime.database.session() as session:
            found = session.query(Topic).filter_by(layer=layer).filter(Topic.state.in_(states or ("active",)))
            return sorted(found, key=lambda topic: topic.name)

    def lineage(self, run: Run) -> Counter[str]:
        """What the run said became of topics."""
        with self.runtime.database.session() as session:
            rows = session.query(TopicLineage).join(
                Topic, Topic.id == func.coalesce(TopicLineage.to_id, TopicLineage.from_id)
            )
            return Counter(row.kind for row in rows.filter(TopicLineage.run_id == run.id, Topic.layer == "topic"))

    def topic_of(self, post: UUID) -> UUID | None:
        from postscope.backend.tables import TopicMember

        with self.runtime.database.session() as session:
            member = session.get(TopicMember, post)
            assert member is not None, "the post was not looked at"
            return member.topic_id


@pytest.fixture
def desk(runtime: Runtime) -> TopicDesk:
    return TopicDesk(runtime)


@pytest.fixture
def subjects(desk: TopicDesk) -> Callable[[], dict[str, list[UUID]]]:
    """Forty posts on each of three subjects, discovered."""

    def make() -> dict[str, list[UUID]]:
        ids = {subject: desk.talk(subject, 40) for subject in ("storm", "match", "bread")}
        run = desk.discover()
        assert run.state == "done", run.error
        return ids

    return make
