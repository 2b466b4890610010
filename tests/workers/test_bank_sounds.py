"""Entries that are made from sounds, and copies of them in sounds and videos."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postscope.workers.long_runs import work_runs
from tests import av_files, sounds
from tests.workers.bank_desk import BankDesk, banks
from tests.workers.test_duplicate_videos import EVERYTHING
from tests.workers.test_understanding import reader  # noqa: F401

__all__ = ["banks"]

pytestmark = [pytest.mark.usefixtures("reader")]
FIRST = sounds.melody(1, 10)


def song(kind: str, part: sounds.Sound) -> bytes:
    return av_files.sound(kind, sounds.samples(part, av_files.SAMPLES))


def posted(banks: BankDesk, data: bytes) -> UUID:
    return banks.post(uploads=[banks.upload(data)], run=False)


def retro(banks: BankDesk, bank: str, *, dry_run: bool) -> Any:
    run = banks.ask("POST", f"/v1/banks/{bank}/retro", {"dry_run": dry_run}, status=202)["id"]
    assert work_runs(banks.runtime) == 1
    return banks.ask("GET", f"/v1/runs/{run}")["result"]


@pytest.mark.slow
def test_copies_of_a_banked_sound_are_found_in_sounds_and_videos_now_and_in_history(banks: BankDesk) -> None:
    part = posted(banks, song("mp3", sounds.cut(FIRST, 2.5, 9.0) * 0.2))
    other = posted(banks, song("opus", sounds.melody(2, 8)))
    short = posted(banks, av_files.sound("wav"))
    banks.desk.run(*EVERYTHING)
    assert banks.verdict(other)["verdict"] == "no_match", "a sound that was listened to was checked"
    unheard = banks.verdict(short)
    assert (unheard["verdict"], unheard["unchecked"][0]["code"]) == ("could_not_check", "sound_too_short")
    bank = banks.bank()
    entry = banks.entry(bank, upload_id=banks.upload(song("wav", FIRST)))
    assert {signal["kind"] for signal in entry["signals"]} == {"md5", "sha256", "sound_track"}

    later = posted(banks, song("opus", sounds.cut(FIRST, 1, 8)))
    in_video = posted(banks, av_files.video(seconds=8, samples=sounds.samples(FIRST, av_files.SAMPLES)))
    banks.desk.run(*EVERYTHING)
    for post in (later, in_video):
        found = banks.verdict(post)
        assert (found["verdict"], found["copies"][0]["kind"]) == ("match", "sound")
        assert found["copies"][0]["entry_id"] == entry["id"]
    assert found["copies"][0]["evidence"]["matched_seconds"] > 5

    tried = retro(banks, bank, dry_run=True)
    assert tried["posts"] == 3
    assert tried["could_not_check"]["posts"] == {"sound_too_short": 1}
    assert banks.verdict(part)["verdict"] == "no_match"
    assert retro(banks, bank, dry_run=False)["new_matches"] == 1
    assert banks.verdict(part)["copies"][0]["evidence"]["changes"] == ["trimmed"]
    assert banks.verdict(other)["verdict"] == "no_match"


@pytest.mark.slow
def test_the_music_of_a_banked_video_makes_no_copy_of_another_video_but_of_its_sound(banks: BankDesk) -> None:
    music = sounds.samples(FIRST, av_files.SAMPLES)
    banked = av_files.video(seconds=8, samples=music)
    entry = banks.entry(banks.bank(), upload_id=banks.upload(banked))
    assert {"vpdq", "sound_track"} <= {signal["kind"] for signal in entry["signals"]}
    track = posted(banks, song("mp3", FIRST))
    banks.desk.run(*EVERYTHING)
    assert banks.verdict(track)["copies"][0]["kind"] == "sound"


def test_sounds_that_are_not_kept_are_judged_and_bad_ones_are_said(banks: BankDesk) -> None:
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(song("wav", FIRST)))
    asked = [{"upload_id": banks.upload(song("opus", sounds.cut(FIRST, 1, 8)))}]
    found = banks.ask("POST", "/api/ml/moderation", {"media": asked})["banks"]
    assert (found["verdict"], found["copies"][0]["kind"], found["copies"][0]["place"]) == ("match", "sound", 0)
    silent = banks.upload(song("wav", FIRST * 0))
    told = banks.ask("POST", "/api/ml/moderation", {"text": "la la", "media": [{"upload_id": silent}]})["banks"]
    assert (told["verdict"], told["unchecked"][0]["code"]) == ("could_not_check", "sound_silent")
    problem = banks.entry(bank, upload_id=silent, status=422)
    assert problem["errors"][0]["field"] == "upload_id"
    assert "silent" in problem["errors"][0]["reason"]


def test_a_video_that_is_heard_but_cannot_be_seen_could_not_be_checked(banks: BankDesk) -> None:
    video = av_files.video(seconds=8, samples=sounds.samples(FIRST, av_files.SAMPLES)).replace(b"avc1", b"none")
    media = [{"upload_id": banks.upload(video)}]
    told = banks.ask("POST", "/api/ml/moderation", {"media": media})["banks"]
    assert told["verdict"] == "could_not_check"
    assert [(part["place"], part["part"]) for part in told["unchecked"]] == [(0, "media")]
    told = banks.ask("POST", "/v1/duplicates/check", {"media": media})
    assert (told["verdict"], told["could_not_check"][0]["media"]) == ("could_not_check", 0)
    bank = banks.bank()
    problem = banks.entry(bank, **media[0], status=422)
    assert problem["errors"][0]["field"] == "upload_id"
    assert "nothing but the sound" in problem["errors"][0]["reason"]
    assert banks.ask("GET", f"/v1/banks/{bank}/entries")["entries"] == []
    banks.entry(bank, upload_id=banks.upload(song("wav", FIRST)))
    told = banks.ask("POST", "/api/ml/moderation", {"media": media})["banks"]
    assert (told["verdict"], told["copies"][0]["kind"]) == ("match", "sound"), "its sound is compared all the same"


@pytest.mark.slow
def test_an_entry_made_from_a_post_has_no_sound_of_a_video_that_cannot_be_seen(banks: BankDesk) -> None:
    video = av_files.video(seconds=8, samples=sounds.samples(FIRST, av_files.SAMPLES)).replace(b"avc1", b"none")
    post = posted(banks, video)
    banks.desk.run(*EVERYTHING)
    entry = banks.entry(banks.bank(), post_id=str(post))
    assert [part["place"] for part in entry["left_out"]] == [0]
    changed = banks.runtime.settings.banks.model_copy(update={"sexual_classifier": True})
    banks.runtime.settings = banks.runtime.settings.model_copy(update={"banks": changed})
    [unseen] = banks.ask("POST", "/api/ml/moderation", {"post_id": str(post)})["pictures_could_not_check"]
    assert (unseen["place"], unseen["code"]) == (0, "not_a_picture")
    assert {signal["kind"] for signal in entry["signals"]} == {"md5", "sha256"}


@pytest.mark.slow
def test_an_entry_made_from_a_post_knows_its_sound(banks: BankDesk) -> None:
    post = posted(banks, song("wav", FIRST))
    banks.desk.run(*EVERYTHING)
    banks.entry(banks.bank(), post_id=str(post))
    copy = posted(banks, song("mp3", sounds.cut(FIRST, 2, 9)))
    banks.desk.run(*EVERYTHING)
    assert banks.verdict(copy)["copies"][0]["kind"] == "sound"
