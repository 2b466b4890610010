"""Look-alikes of entries in history: tried, swept, killed half-way, switched off in the middle, not to be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from postscope.backend.auth import Role
from postscope.backend.banks import changes
from postscope.backend.runs import LEASE_SECONDS, reclaim
from postscope.backend.tables import BankMatch, BankVector
from postscope.indexing.types import Vectors
from postscope.sample import sample_dir
from postscope.workers import bank_retro
from postscope.workers.long_runs import work_runs
from tests.conftest import SetClock
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import ALL, BankDesk, banks
from tests.workers.small_encoder import SmallEncoder, vectors

__all__ = ["banks"]

ABOUT = ("puppies", "a litter of eight is looking for a warm home this spring")
OTHERS = [
    "puppies need a good walk in the morning whatever the weather outside may be",
    "puppies chew on shoes, on cables and now and then on the sofa as well",
    "puppies sleep for eighteen hours a day, says the vet of our little village",
    "puppies learn faster with a treat than with any loud word, my aunt insists",
]
FAR = [f"ferry number {n} to the island leaves late again and nobody knows quite why" for n in range(4)]


class TopicalEncoder(SmallEncoder):
    """What a text is about is its first word: other texts with the same look alike, and are no copies."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        super().encode_texts(texts)
        return vectors([text.split()[0].encode() for text in texts])


@pytest.fixture
def encoder() -> SmallEncoder:
    return TopicalEncoder()


@pytest.fixture
def few_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_retro, "POSTS", 2)


def history(banks: BankDesk) -> tuple[list[str], list[str]]:
    """Posts that are here before any bank: those about puppies, between others."""
    texts = [text for pair in zip(OTHERS, FAR, strict=True) for text in pair]
    ids = [str(post) for post in banks.desk.texts(*texts)]
    banks.desk.run(*ALL)
    return ids[::2], ids[1::2]


def entry(banks: BankDesk, **more: Any) -> tuple[str, str]:
    bank = banks.bank()
    return bank, banks.text_entry(bank, " ".join(ABOUT), **more)["id"]


def start(banks: BankDesk, bank: str, **what: Any) -> str:
    return str(banks.ask("POST", f"/v1/banks/{bank}/retro", what, status=202)["id"])


def swept(banks: BankDesk, bank: str, **what: Any) -> Any:
    run = start(banks, bank, **what)
    assert work_runs(banks.runtime) == 1
    done = banks.ask("GET", f"/v1/runs/{run}")
    assert done["state"] == "done", done
    return done["result"]


def alike(banks: BankDesk, ids: Sequence[str]) -> list[str]:
    return [post for post in ids if banks.verdict(UUID(post))["look_alikes"]]


def test_a_dry_run_counts_look_alikes_and_changes_nothing(banks: BankDesk, few_posts: None) -> None:
    near, far = history(banks)
    bank, known = entry(banks)
    result = swept(banks, bank)
    assert (result["posts"], result["look_alikes"], result["compared"]) == (0, 4, 8)
    assert result["by_relevance"] == {"text": {"0.95": 4}}
    assert {one["post_id"] for one in result["look_alike_examples"]} == set(near)
    assert {one["entry_id"] for one in result["look_alike_examples"]} == {known}
    assert result["look_alike_examples"][0]["score"] > 0.99
    assert result["could_not_check"] == {"posts": {}, "candidates": {}, "entries_without_vectors": 0}
    assert alike(banks, near + far) == []


def test_look_alikes_of_history_are_found_and_are_no_copies(banks: BankDesk, few_posts: None) -> None:
    near, far = history(banks)
    bank, _ = entry(banks)
    result = swept(banks, bank, dry_run=False)
    assert (result["checked_again"], result["new_matches"]) == (4, 4)
    assert alike(banks, near + far) == near
    told = banks.verdict(UUID(near[0]))
    assert (told["verdict"], told["copies"], told["look_alike_verdict"]) == ("no_match", [], "match")
    hidden = banks.verdict(UUID(near[0]), Role.ANALYST)
    assert (hidden["look_alikes"], hidden["withheld"], hidden["look_alike_verdict"]) == ([], 1, "match")
    assert swept(banks, bank, dry_run=False)["new_matches"] == 0


def test_a_copy_is_counted_as_a_copy_alone(banks: BankDesk) -> None:
    copy = str(banks.post(" ".join(ABOUT) + " !!"))
    banks.post(OTHERS[0])
    bank, _ = entry(banks)
    result = swept(banks, bank)
    assert (result["posts"], result["look_alikes"]) == (1, 1)
    assert [one["post_id"] for one in result["examples"]] == [copy]
    assert copy not in {one["post_id"] for one in result["look_alike_examples"]}


def test_a_threshold_for_look_alikes_can_be_tried(banks: BankDesk) -> None:
    near, _ = history(banks)
    bank, known = entry(banks, thresholds={"look_alike": 1.0})
    assert swept(banks, bank)["look_alikes"] == 0
    assert swept(banks, bank, thresholds={"look_alike": 0.9})["look_alikes"] == 4
    assert swept(banks, bank, dry_run=False)["new_matches"] == 0
    banks.ask("PATCH", f"/v1/banks/entries/{known}", {"thresholds": {"look_alike": 0.9}})
    assert swept(banks, bank, dry_run=False)["new_matches"] == 4, "a widened entry finds what it did not before"
    banks.ask("PATCH", f"/v1/banks/entries/{known}", {"thresholds": {"look_alike": 1.0}})
    swept(banks, bank, dry_run=False)
    assert alike(banks, near) == [], "a narrowed one lets go"


def test_a_killed_sweep_goes_on_among_the_vectors(
    banks: BankDesk, clock: SetClock, few_posts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = history(banks)
    bank, _ = entry(banks)
    run = start(banks, bank, dry_run=False)
    asked: list[list[str]] = []

    class Killed(BaseException):
        """As a worker dies: nothing is handed back."""

    def dying(*args: Any, **more: Any) -> Any:
        asked.append([str(post) for post in args[3]])
        if len(asked) == 3:
            raise Killed
        return resembling(*args, **more)

    resembling = bank_retro.history.resembling
    with monkeypatch.context() as patched:
        patched.setattr(bank_retro.history, "resembling", dying)
        patched.setattr("postscope.workers.long_runs._settle", lambda *_: None)
        with pytest.raises(Killed):
            work_runs(banks.runtime)
    assert alike(banks, near) == near[:2]
    clock.forward(seconds=LEASE_SECONDS + 1)
    with banks.runtime.database.session() as session:
        assert reclaim(session, now=clock()) == 1
    lost, asked[:] = asked[2], []
    read: list[Any] = []

    def noting(*args: Any, **more: Any) -> Any:
        asked.append([str(post) for post in args[3]])
        return resembling(*args, **more)

    def reading(*args: Any) -> Any:
        rows = fingerprints(*args)
        read.extend(rows)
        return rows

    fingerprints = bank_retro.history.read
    monkeypatch.setattr(bank_retro.history, "resembling", noting)
    monkeypatch.setattr(bank_retro.history, "read", reading)
    work_runs(banks.runtime)
    assert asked[0] == lost, "it goes on with the batch that was lost, and with no earlier one"
    assert read == [], "the fingerprints were through already"
    done = banks.ask("GET", f"/v1/runs/{run}")
    assert (done["state"], done["result"]["new_matches"]) == ("done", 4)
    assert alike(banks, near) == near
    with banks.runtime.database.session() as session:
        assert session.query(BankMatch).count() == 4


def test_an_entry_switched_off_among_the_vectors_finds_nothing_more(
    banks: BankDesk, few_posts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = history(banks)
    bank, known = entry(banks)
    start(banks, bank, dry_run=False)
    resembling, batches = bank_retro.history.resembling, []

    def then_off(*args: Any, **more: Any) -> Any:
        batches.append(resembling(*args, **more))
        if len(batches) == 2:
            banks.ask("PATCH", f"/v1/banks/entries/{known}", {"enabled": False})
        return batches[-1]

    monkeypatch.setattr(bank_retro.history, "resembling", then_off)
    work_runs(banks.runtime)
    assert len(batches) == 2
    assert alike(banks, near) == []


def test_what_cannot_be_told_is_said(banks: BankDesk, truncated_jpeg: bytes) -> None:
    history(banks)
    banks.post(OTHERS[0] + " once more", uploads=[banks.upload(truncated_jpeg)])
    late = str(banks.post("puppies that nobody has looked at yet, they came just now", run=False))
    bank, known = entry(banks)
    told = swept(banks, bank)["could_not_check"]
    assert told["posts"] == {"not_indexed": 1}, "no word of pictures: it is a text"
    assert (told["candidates"], told["entries_without_vectors"]) == ({}, 0)
    picture_bank = banks.bank("pictures")
    banks.entry(picture_bank, upload_id=banks.upload(picture(3)))
    reasons = swept(banks, picture_bank)["could_not_check"]["posts"]
    assert reasons.pop("not_indexed") == 1
    assert sum(reasons.values()) == 1, reasons
    banks.desk.run(*ALL)
    assert alike(banks, [late]) == [late], "it was checked when its turn came"
    with banks.runtime.database.session() as session:
        session.query(BankVector).filter_by(entry_id=UUID(known)).update({"space": "an earlier one"})
    with banks.runtime.database.session() as session:
        changes.note(session, [UUID(known)], now=banks.runtime.clock())
    result = swept(banks, bank)
    assert (result["look_alikes"], result["compared"]) == (0, 0)
    assert result["could_not_check"]["entries_without_vectors"] == 1


def test_a_dry_run_tells_edited_pictures_as_the_sweep_does(banks: BankDesk) -> None:
    image = Image.open(sorted((sample_dir() / "images").glob("*"))[3]).convert("RGB")
    captioned = Image.new("RGB", (image.width, image.height + 80), "white")
    captioned.paste(image, (0, 80))
    edited = str(banks.post(uploads=[banks.upload(captioned)]))
    banks.post(uploads=[banks.upload(picture(5))])
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(image))
    tried = swept(banks, bank)
    assert (tried["posts"], [one["post_id"] for one in tried["examples"]]) == (1, [edited])
    assert tried["examples"][0]["kind"] == "look"
    assert swept(banks, bank, dry_run=False)["new_matches"] == 1
    assert banks.verdict(UUID(edited))["verdict"] == "match"
