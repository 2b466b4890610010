"""Entries against history: tried, swept, killed half-way, switched off in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from postscope.backend.auth import Role
from postscope.backend.banks import checking, verdicts
from postscope.backend.banks.history import batch_of
from postscope.backend.fingerprinting import keeping
from postscope.backend.fingerprinting.pictures import Pictures
from postscope.backend.runs import LEASE_SECONDS, reclaim
from postscope.backend.runtime import Runtime
from postscope.backend.tables import BankMatch, Media
from postscope.backend.work import Stage
from postscope.indexing.known.index import KnownEntry, KnownIndex, KnownSignal
from postscope.workers import bank_retro
from postscope.workers.fingerprint_patrol import FingerprintPatrol
from postscope.workers.long_runs import work_runs
from tests.conftest import SetClock
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import ALL, SCAM, BankDesk, banks

__all__ = ["banks"]

OTHERS = [f"a quite harmless text number {n} about gulls, ferries and the weather" for n in range(6)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_retro, "BATCH", 3)


def history(banks: BankDesk, copies: int) -> list[str]:
    """Posts that are here before any bank: copies between others, the ids of the copies."""
    rows: list[dict[str, Any]] = []
    for n in range(copies):
        rows += [{"external_id": f"c{n}", "text": f"{SCAM} {'!' * n}"}, {"external_id": f"o{n}", "text": OTHERS[n]}]
    ids = banks.desk.post(*rows)
    banks.desk.run(*ALL)
    return [str(post_id) for post_id in ids[::2]]


def start(banks: BankDesk, bank: str, *, status: int = 202, **what: Any) -> Any:
    return banks.ask("POST", f"/v1/banks/{bank}/retro", what, status=status)


def run(banks: BankDesk, run_id: str) -> Any:
    return banks.ask("GET", f"/v1/runs/{run_id}")


def matched(banks: BankDesk, ids: list[str]) -> list[str]:
    return [post for post in ids if banks.verdict(post)["verdict"] == "match"]  # type: ignore[arg-type]


def test_a_dry_run_counts_and_changes_nothing(banks: BankDesk, small_batches: None) -> None:
    copies = history(banks, 4)
    bank = banks.bank()
    entry = banks.text_entry(bank)
    started = start(banks, bank)
    assert work_runs(banks.runtime) == 1
    done = run(banks, started["id"])
    assert done["state"] == "done"
    result = done["result"]
    assert result["posts"] == 4
    assert {example["post_id"] for example in result["examples"]} == set(copies)
    assert {example["entry_id"] for example in result["examples"]} == {entry["id"]}
    assert result["by_distance"] == {"shingles": {"0": 4}}
    assert matched(banks, copies) == []


def test_thresholds_are_tried_before_they_apply(banks: BankDesk) -> None:
    banks.post(SCAM.replace("send it to this wallet", "send it to that address"))
    bank = banks.bank()
    banks.text_entry(bank)
    counts = {}
    for resemblance in (0.5, 1.0):
        started = start(banks, bank, thresholds={"text": resemblance})
        work_runs(banks.runtime)
        counts[resemblance] = run(banks, started["id"])["result"]["posts"]
    assert counts == {0.5: 1, 1.0: 0}
    problem = start(banks, bank, thresholds={"text": 0.5}, dry_run=False, status=422)
    assert problem["errors"][0]["field"] == "thresholds"


def test_history_is_swept_and_new_posts_that_come_meanwhile_too(banks: BankDesk, small_batches: None) -> None:
    copies = history(banks, 5)
    bank = banks.bank()
    banks.text_entry(bank)
    started = start(banks, bank, dry_run=False)
    assert start(banks, bank, dry_run=False, status=409)["code"] == "run_exists"
    work_runs(banks.runtime)
    done = run(banks, started["id"])
    assert (done["state"], done["result"]["new_matches"]) == ("done", 5)
    assert matched(banks, copies) == copies
    found = banks.ask("GET", f"/v1/banks/{bank}/matches")["matches"]
    assert {match["run_id"] for match in found} == {started["id"]}
    again = start(banks, bank, dry_run=False)
    work_runs(banks.runtime)
    assert run(banks, again["id"])["result"]["new_matches"] == 0


def test_pictures_of_history_are_found_too(banks: BankDesk) -> None:
    post = banks.post(uploads=[banks.upload(picture(4))])
    other = banks.post(uploads=[banks.upload(picture(5))])
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(picture(4), "JPEG"))
    start(banks, bank, dry_run=False)
    work_runs(banks.runtime)
    assert matched(banks, [str(post), str(other)]) == [str(post)]


def test_a_killed_sweep_goes_on_from_its_checkpoint(
    banks: BankDesk, clock: SetClock, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = history(banks, 6)
    bank = banks.bank()
    banks.text_entry(bank)
    started = start(banks, bank, dry_run=False)
    read: list[int] = []

    class Killed(BaseException):
        """As a worker dies: nothing is handed back."""

    def dying(*args: Any) -> Any:
        rows = reading(*args)
        read.extend(row.seq for row in rows)
        if len(read) > 9:
            raise Killed
        return rows

    reading = bank_retro.history.read
    monkeypatch.setattr(bank_retro.history, "read", dying)
    monkeypatch.setattr("postscope.workers.long_runs._settle", lambda *_: None)
    with pytest.raises(Killed):
        work_runs(banks.runtime)
    monkeypatch.undo()
    monkeypatch.setattr(bank_retro, "BATCH", 3)
    found_before = len(matched(banks, copies))
    assert 0 < found_before < 6
    clock.forward(seconds=LEASE_SECONDS + 1)
    with banks.runtime.database.session() as session:
        assert reclaim(session, now=clock()) == 1
    resumed: list[int] = []

    def noting(*args: Any) -> Any:
        rows = reading(*args)
        resumed.extend(row.seq for row in rows)
        return rows

    monkeypatch.setattr(bank_retro.history, "read", noting)
    work_runs(banks.runtime)
    assert resumed[0] == read[9], "it goes on with the batch that was lost, and with no earlier one"
    assert run(banks, started["id"])["result"]["new_matches"] == 6
    assert matched(banks, copies) == copies
    with banks.runtime.database.session() as session:
        assert session.scalar(select(func.count()).select_from(BankMatch)) == 6


def test_an_entry_that_is_switched_off_in_the_middle_finds_nothing_more(
    banks: BankDesk, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = history(banks, 6)
    bank = banks.bank()
    entry = banks.text_entry(bank)
    started = start(banks, bank, dry_run=False)
    reading, batches = bank_retro.history.read, []

    def then_off(*args: Any) -> Any:
        rows = reading(*args)
        batches.append(len(rows))
        if len(batches) == 3:
            banks.ask("PATCH", f"/v1/banks/entries/{entry['id']}", {"enabled": False})
        return rows

    monkeypatch.setattr(bank_retro.history, "read", then_off)
    work_runs(banks.runtime)
    assert run(banks, started["id"])["state"] == "done"
    # what had been found before lets go of its posts as well: they are checked again at the end
    assert matched(banks, copies) == []
    assert len(batches) == 3
    assert banks.ask("GET", f"/v1/banks/{bank}/matches")["matches"] == []


def test_a_sweep_checks_each_post_once_and_one_that_has_expired_lets_go(
    banks: BankDesk, small_batches: None, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = history(banks, 4)
    bank = banks.bank()
    banks.text_entry(bank, expires_at=(clock() + timedelta(days=1)).isoformat())
    checked: list[str] = []

    def recheck(runtime: Runtime, ids: Sequence[UUID], *, run_id: UUID | None = None) -> int:
        checked.extend(str(post) for post in ids)
        return checking.recheck(runtime, ids, run_id=run_id)

    monkeypatch.setattr(bank_retro, "recheck", recheck)
    start(banks, bank, dry_run=False)
    work_runs(banks.runtime)
    assert sorted(checked) == sorted(copies)
    assert matched(banks, copies) == copies
    clock.now += timedelta(days=2)
    start(banks, bank, dry_run=False)
    work_runs(banks.runtime)
    assert matched(banks, copies) == []


def test_what_is_narrowed_lets_go_of_history(banks: BankDesk) -> None:
    post = str(banks.post(SCAM.replace("send it to this wallet", "send it to that address")))
    bank = banks.bank()
    entry = banks.text_entry(bank, thresholds={"text": 0.5})
    for thresholds, expected in (({"text": 0.5}, [post]), ({"text": 1.0}, [])):
        banks.ask("PATCH", f"/v1/banks/entries/{entry['id']}", {"thresholds": thresholds})
        start(banks, bank, dry_run=False)
        work_runs(banks.runtime)
        assert matched(banks, [post]) == expected


def test_posts_whose_fingerprints_are_made_anew_keep_their_matches(
    banks: BankDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = banks.bank()
    banks.text_entry(bank)
    post = str(banks.post(SCAM))
    assert matched(banks, [post]) == [post]
    monkeypatch.setattr(keeping, "RECIPE", keeping.RECIPE + 1)
    for dry_run in (True, False):
        started = start(banks, bank, dry_run=dry_run)
        work_runs(banks.runtime)
        told = run(banks, started["id"])["result"]["could_not_check"]
        assert told["candidates"] == {"not_fingerprinted": 1}
        assert matched(banks, [post]) == [post]
    assert FingerprintPatrol(banks.runtime).step(), "and they are checked when that is done"


def test_an_edited_picture_whose_file_is_lost_could_not_be_checked(banks: BankDesk) -> None:
    post = banks.post(uploads=[banks.upload(picture(4))])
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(picture(4).crop((40, 40, 400, 300))))
    assert banks.verdict(post)["verdict"] == "no_match"
    with banks.runtime.database.session() as session:
        sha256 = session.scalar(select(Media.sha256).where(Media.post_id == post))
    assert sha256 is not None
    banks.runtime.blobs.delete(sha256)
    banks.runtime.pictures = Pictures()
    for dry_run, verdict in ((True, "no_match"), (False, "could_not_check")):
        started = start(banks, bank, dry_run=dry_run)
        work_runs(banks.runtime)
        told = run(banks, started["id"])["result"]["could_not_check"]
        assert told["candidates"] == {"file_lost": 1}
        assert banks.verdict(post)["verdict"] == verdict
    assert banks.verdict(post)["unchecked"][0]["code"] == "file_lost"


def test_a_batch_is_small_where_one_entry_has_many_hashes() -> None:
    index = KnownIndex()
    assert batch_of(index, 5_000) == 5_000
    codes = [KnownSignal("sound", number.to_bytes(32, "big")) for number in range(100_000)]
    index.change([(KnownEntry(UUID(int=1), 0), codes)])
    assert batch_of(index, 5_000) == 2_500


def test_a_waiting_sweep_that_is_cancelled_changes_nothing(banks: BankDesk) -> None:
    copies = history(banks, 4)
    bank = banks.bank()
    banks.text_entry(bank)
    started = start(banks, bank, dry_run=False)
    banks.ask("POST", f"/v1/runs/{started['id']}/cancel")
    assert work_runs(banks.runtime) == 0
    assert matched(banks, copies) == []


def test_a_sweep_needs_the_right_to_change_the_bank_and_entries_of_it(banks: BankDesk) -> None:
    bank, other = banks.bank("a", readers=["analyst"]), banks.bank("b")
    entry = banks.text_entry(other)
    banks.ask("POST", f"/v1/banks/{bank}/retro", {}, role=Role.ANALYST, status=403)
    banks.ask("POST", f"/v1/banks/{bank}/retro", {}, role=Role.PRODUCT, status=404)
    assert start(banks, bank, entries=[entry["id"]], status=422)["errors"][0]["field"] == "entries.0"


def test_a_slow_check_does_not_take_back_what_a_sweep_has_found_meanwhile(
    banks: BankDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = banks.bank()
    keep, slow = verdicts.keep, [True]

    def overtaken(*given: Any, **more: Any) -> Any:
        if slow:
            slow.clear()
            banks.text_entry(bank)
            start(banks, bank, dry_run=False)
            assert work_runs(banks.runtime) == 1
            assert len(banks.ask("GET", f"/v1/banks/{bank}/matches")["matches"]) == 1
        return keep(*given, **more)

    monkeypatch.setattr(verdicts, "keep", overtaken)
    post = str(banks.post(SCAM))
    assert matched(banks, [post]) == [post]
    banks.desk.run(*ALL)
    assert matched(banks, [post]) == [post]
    assert banks.desk.work(UUID(post), Stage.ENRICH) is None, "it was looked at again, and that was all"
