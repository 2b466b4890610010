"""A sweep that is killed goes on where it was, and a new recipe of the fingerprints reaches every post."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from postscope.backend import runs
from postscope.backend.duplicates import candidates
from postscope.backend.fingerprinting import keeping
from postscope.backend.runtime import Runtime
from postscope.backend.tables import DuplicateGroup, DuplicateMember, Fingerprinted, Run
from postscope.backend.work import Stage
from postscope.workers import fingerprint_patrol
from postscope.workers.duplicates import SWEEP_BATCH
from postscope.workers.fingerprint_patrol import FingerprintPatrol
from postscope.workers.long_runs import work_runs
from tests.conftest import SetClock
from tests.workers.conftest import Desk
from tests.workers.test_duplicates import EVERYTHING

ROOT = Path(__file__).parents[2]
WAVES = (
    "The evening ferry from Brindle Quay was cancelled because of the storm, passengers are stranded",
    "volunteers along the northern shore counted forty seven grey seals before the fog came in",
    "meanwhile the council postponed its decision about lighting the promenade until September",
    "fresh bread every morning at the corner bakery by the old mill, rye and spelt on Thursdays",
)


def groups(runtime: Runtime) -> dict[UUID | None, set[UUID]]:
    with runtime.database.session() as session:
        asked = select(DuplicateGroup.anchor_id, DuplicateMember.post_id).join(
            DuplicateMember, DuplicateMember.group_id == DuplicateGroup.id
        )
        found: dict[UUID | None, set[UUID]] = {}
        for anchor, member in session.execute(asked):
            found.setdefault(anchor, set()).add(member)
        sized = session.execute(select(DuplicateGroup.anchor_id, DuplicateGroup.size))
        sizes = {row.anchor_id: row.size for row in sized}
    assert sizes == {anchor: len(members) for anchor, members in found.items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "batch", "done"), [("reported", 2, 2), ("written", 3, 2)])
def test_a_sweep_that_is_killed_goes_on_and_finds_the_same_groups(
    runtime: Runtime, desk: Desk, clock: SetClock, database_url: str, moment: str, batch: int, done: int
) -> None:
    start, count = datetime(2026, 3, 1, tzinfo=UTC), 4 * SWEEP_BATCH
    posts = desk.post(
        *(
            {
                "external_id": str(n),
                "text": WAVES[n % 4] + " !" * (n % 3),
                "created_at": (start + timedelta(seconds=n)).isoformat(),
            }
            for n in range(count)
        )
    )
    desk.run(Stage.INDEX)
    with runtime.database.session() as session:
        run_id = runs.start(session, "duplicates.sweep", {}, actor="t", readers=(), now=runtime.clock()).id
    command = [sys.executable, "-m", "tests.workers.sweep_child", database_url, str(runtime.settings.data_dir)]
    killed = subprocess.run(
        [*command, moment, str(batch)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with runtime.database.session() as session:
        run = session.get_one(Run, run_id)
        assert run.state == "running"
        assert run.checkpoint is not None
        assert run.checkpoint["done"] == done * SWEEP_BATCH
    assert sum(map(len, groups(runtime).values())) < count
    clock.now = datetime.now(UTC) + timedelta(minutes=5)
    with runtime.database.session() as session:  # its lease has run out
        assert runs.reclaim(session, now=clock()) == 1
    work_runs(runtime)
    with runtime.database.session() as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.result["posts"], run.result["posts_in_groups"]) == ("done", count, count)
    assert groups(runtime) == {posts[wave]: set(posts[wave::4]) for wave in range(4)}


def contents(runtime: Runtime) -> dict[UUID, bytes]:
    with runtime.database.session() as session:
        return dict(session.execute(select(Fingerprinted.post_id, Fingerprinted.content)).all())


def test_fingerprints_of_an_earlier_recipe_are_made_again_while_nobody_waits(
    runtime: Runtime, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = desk.texts(WAVES[0], WAVES[0] + "!", WAVES[1], WAVES[2], WAVES[3])
    monkeypatch.setattr(fingerprint_patrol, "SLICE", 2)
    monkeypatch.setattr(keeping, "RECIPE", 2)
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert FingerprintPatrol(runtime).step() == []
    before, found = contents(runtime), groups(runtime)
    monkeypatch.undo()
    monkeypatch.setattr(fingerprint_patrol, "SLICE", 2)

    patrol = FingerprintPatrol(runtime)
    ordered = sorted(posts)
    assert patrol.step() == ordered[:2]
    assert patrol.step() == [], "others wait to be enriched"
    assert groups(runtime) == found, "until they are made again, the former ones hold"
    desk.run(Stage.ENRICH)
    patrol = FingerprintPatrol(runtime)  # as after a kill: it goes on with those that are left
    assert patrol.step() == []
    assert patrol.step() == ordered[2:4]
    desk.run(Stage.ENRICH)
    assert patrol.step() == ordered[4:]
    desk.run(Stage.ENRICH)
    assert [FingerprintPatrol(runtime).step(), patrol.step(), patrol.step()] == [[], [], []]
    after = contents(runtime)
    assert all(after[post] != before[post] for post in posts)
    assert groups(runtime) == found


def test_a_sweep_makes_one_group_of_two_whose_anchors_are_copies(
    runtime: Runtime, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"external_id": str(n), "text": f"{WAVES[0]} #now{n % 4}", "created_at": f"2026-03-01T00:{n:02}:00Z"}
        for n in range(40)
    ]
    with monkeypatch.context() as crowded:  # as if what is near was hidden by what is the same
        crowded.setattr(candidates, "NEAR_MOST", 2)
        crowded.setattr(candidates, "SAME_MOST", 2)
        posts = desk.post(*rows)
        desk.run(*EVERYTHING)
    assert len(groups(runtime)) > 1
    with runtime.database.session() as session:
        runs.start(session, "duplicates.sweep", {}, actor="t", readers=(), now=runtime.clock())
    assert work_runs(runtime) == 1
    desk.run(*EVERYTHING)
    assert groups(runtime) == {posts[0]: set(posts)}
