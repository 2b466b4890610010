"""Posts that are checked while a large import is being read, and uploads that entries are made from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from postscope.backend.banks import live, loading
from postscope.backend.tables import BankEntry, PostCheck, Upload
from postscope.backend.work import Stage
from postscope.workers.maintain import forget_uploads, sweep
from tests.conftest import SetClock
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import SCAM, BankDesk, banks

__all__ = ["banks"]

HARMLESS = "a quite harmless text about gulls, ferries and the weather"


class SlowLoad:
    """Entries are read as slowly as the test wants: not before ``go`` is set."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self._load = loading.load

    def __call__(self, *args: Any) -> Iterator[Any]:
        self.begun.set()
        assert self.go.wait(30), "the test has forgotten the load"
        yield from self._load(*args)


@pytest.fixture
def slow(banks: BankDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLoad]:
    """Every change is a large one, once the banks were read for the first time."""
    banks.verdict(banks.post(HARMLESS))
    load = SlowLoad()
    monkeypatch.setattr(live, "INLINE_ENTRIES", 0)
    monkeypatch.setattr(live, "load", load)
    yield load
    load.go.set()
    assert banks.runtime.banks.wait(30)


def check_of(banks: BankDesk, post: UUID) -> PostCheck:
    with banks.runtime.database.session() as session:
        return session.get_one(PostCheck, post)


def waits(banks: BankDesk, post: UUID) -> bool:
    return banks.desk.work(post, Stage.ENRICH) is not None


def test_a_post_that_comes_while_entries_are_read_is_checked_again_by_itself(banks: BankDesk, slow: SlowLoad) -> None:
    banks.text_entry(banks.bank())
    scam, other = banks.post(SCAM), banks.post(HARMLESS + " again")
    assert slow.begun.is_set()
    for post in (scam, other):
        told = banks.verdict(post)
        assert told["verdict"] == "could_not_check", "never no_match: the entry was not there to compare it with"
        assert [(part["part"], part["code"]) for part in told["unchecked"]] == [("banks", "banks_behind")]
        kept = check_of(banks, post)
        assert kept.change < kept.asked
        assert not waits(banks, post), "it would find the same once more"
    held = banks.ask("GET", "/v1/moderation/queue?kind=could_not_check")["items"]
    assert {item["post_id"] for item in held} == {str(scam), str(other)}
    slow.go.set()
    assert banks.runtime.banks.wait(30)
    assert waits(banks, scam)
    assert waits(banks, other)
    banks.desk.run(Stage.ENRICH)
    assert banks.verdict(scam)["verdict"] == "match"
    assert (banks.verdict(other)["verdict"], banks.verdict(other)["unchecked"]) == ("no_match", [])
    assert check_of(banks, scam).change == check_of(banks, scam).asked
    assert banks.ask("GET", "/v1/moderation/queue?kind=could_not_check")["items"] == []
    assert not waits(banks, other)


def test_content_that_is_not_kept_is_not_called_harmless_meanwhile(banks: BankDesk, slow: SlowLoad) -> None:
    banks.text_entry(banks.bank())
    told = banks.ask("POST", "/api/ml/moderation", {"text": SCAM})["banks"]
    assert (told["verdict"], told["unchecked"][0]["code"]) == ("could_not_check", "banks_behind")
    slow.go.set()
    assert banks.runtime.banks.wait(30)
    assert banks.ask("POST", "/api/ml/moderation", {"text": SCAM})["banks"]["verdict"] == "match"


def test_entries_that_are_there_when_the_verdict_is_written_are_noticed(
    banks: BankDesk, slow: SlowLoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load ends between the look and the verdict: nobody but the check itself can ask for another one."""
    from postscope.backend.banks import checking

    keep = checking.verdicts.keep

    def late(*args: Any, **more: Any) -> int:
        slow.go.set()
        assert banks.runtime.banks.wait(30)
        return keep(*args, **more)

    banks.text_entry(banks.bank())
    monkeypatch.setattr(checking.verdicts, "keep", late)
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match", "the same round of the stage takes it again"


def test_what_a_dead_process_was_reading_is_asked_for_by_the_sweep(
    banks: BankDesk, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks.text_entry(banks.bank())
    post = banks.post(SCAM)
    with banks.runtime.database.session() as session:
        check = session.get_one(PostCheck, post)
        check.verdict, check.change = "could_not_check", check.asked - 1
    sweep(banks.runtime)
    assert not waits(banks, post), "whoever reads has some time for it"
    clock.forward(minutes=3)
    sweep(banks.runtime)
    assert waits(banks, post)
    banks.desk.run(Stage.ENRICH)
    assert banks.verdict(post)["verdict"] == "match"
    clock.forward(minutes=3)
    sweep(banks.runtime)
    assert not waits(banks, post)


def test_an_upload_stays_as_long_as_an_entry_is_made_from_it(banks: BankDesk, clock: SetClock) -> None:
    kept, loose = banks.upload(picture(1)), banks.upload(picture(2))
    entry = banks.entry(banks.bank(), upload_id=kept)
    with banks.runtime.database.session() as session:
        assert str(session.get_one(BankEntry, UUID(entry["id"])).upload_id) == kept
        sha256 = session.get_one(Upload, UUID(kept)).sha256
    clock.forward(hours=banks.runtime.settings.media.unused_upload_hours + 1)
    assert forget_uploads(banks.runtime) == 1
    assert banks.runtime.blobs.get(sha256)
    banks.ask("DELETE", f"/v1/banks/entries/{entry['id']}", status=204)
    assert forget_uploads(banks.runtime) == 1
    with banks.runtime.database.session() as session:
        assert session.get(Upload, UUID(kept)) is None
        assert session.get(Upload, UUID(loose)) is None


def test_claiming_a_review_is_in_the_audit_log(banks: BankDesk, truncated_jpeg: bytes, clock: SetClock) -> None:
    banks.post(HARMLESS, uploads=[banks.upload(truncated_jpeg)])
    [item] = banks.ask("GET", "/v1/moderation/queue")["items"]
    banks.ask("POST", f"/v1/moderation/queue/{item['id']}/claim")
    assert banks.audit()[0] == "review.claim"
    clock.forward(seconds=timedelta(minutes=20).total_seconds())
    banks.ask("POST", f"/v1/moderation/queue/{item['id']}/claim")
    assert banks.audit()[:2] == ["review.claim", "review.claim"]
