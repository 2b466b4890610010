"""Entries that are made from uploaded videos."""

from __future__ import annotations

import pytest

from tests.media_files import animated
from tests.workers.bank_desk import BankDesk, banks
from tests.workers.test_duplicate_videos import EVERYTHING, film
from tests.workers.test_understanding import reader  # noqa: F401

__all__ = ["banks"]


@pytest.mark.slow
@pytest.mark.usefixtures("reader")
def test_an_uploaded_video_is_known_by_its_frames(banks: BankDesk) -> None:
    entry = banks.entry(banks.bank(), upload_id=banks.upload(film((3, 11, 40))))
    assert {signal["kind"] for signal in entry["signals"]} == {"vpdq", "md5", "sha256"}
    copy = banks.post(uploads=[banks.upload(film((3, 11, 40), crf=34))], run=False)
    other = banks.post(uploads=[banks.upload(film((60, 77, 90)))], run=False)
    banks.desk.run(*EVERYTHING)
    found = banks.verdict(copy)
    assert found["verdict"] == "match"
    [match] = found["copies"]
    assert (match["kind"], match["entry_id"]) == ("vpdq", entry["id"])
    assert match["score"] >= 0.8
    assert banks.verdict(other)["copies"] == []


def test_a_video_that_cannot_be_decoded_makes_no_entry(banks: BankDesk) -> None:
    data = film((3,))
    broken = bytearray(data)
    start = data.index(b"mdat") + 4
    broken[start : start + 20_000] = bytes(min(20_000, len(data) - start))
    bank = banks.bank()
    problem = banks.entry(bank, upload_id=banks.upload(bytes(broken)), status=422)
    [error] = problem["errors"]
    assert error["field"] == "upload_id"
    assert "cannot be read" in error["reason"]
    assert banks.ask("GET", f"/v1/banks/{bank}/entries")["entries"] == []


def test_an_animation_is_a_video(banks: BankDesk) -> None:
    entry = banks.entry(banks.bank(), upload_id=banks.upload(animated("GIF")))
    assert "vpdq" in {signal["kind"] for signal in entry["signals"]}
