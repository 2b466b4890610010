"""A head named ``moderation`` beside the verdict of the banks: its labels are told, and change nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from postscope.backend.auth import Role
from postscope.backend.tables import HeadVersion
from postscope.workers import head_training
from postscope.workers.head_training import train_head
from postscope.workers.long_runs import work_runs
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import SCAM, BankDesk, banks
from tests.workers.conftest import Desk
from tests.workers.test_heads import judgements, write

__all__ = ["banks"]

HEAD = "/v1/heads/moderation"
SAD = "the awful terrible train"


def train(banks: BankDesk, desk: Desk, task: str) -> dict[UUID, str]:
    """A head that was taught feelings, which serve as well as harms here."""
    feelings = write(desk, 90)
    banks.ask("POST", "/v1/heads", {"name": "moderation", "task": task}, role=Role.ANALYST, status=201)
    banks.ask("POST", f"{HEAD}/judgements", judgements(feelings), role=Role.ANALYST)
    banks.ask("POST", f"{HEAD}/train", role=Role.ANALYST, status=202)
    work_runs(banks.runtime, runners={head_training.KIND: train_head})
    return feelings


def moderate(banks: BankDesk, **content: Any) -> Any:
    return banks.ask("POST", "/api/ml/moderation", content)


@pytest.mark.parametrize("task", ["tags", "classes"])
def test_a_trained_head_speaks_of_posts_and_of_content_that_is_not_kept(banks: BankDesk, desk: Desk, task: str) -> None:
    assert moderate(banks, text=SAD)["trained"] == [], "nothing is trained"
    feelings = train(banks, desk, task)
    sad = next(post_id for post_id, feeling in feelings.items() if feeling == "negative")
    for content in ({"text": SAD}, {"post_id": str(sad)}):
        told = moderate(banks, **content)
        assert {tag["tag"] for tag in told["trained"]} == {"negative", "neutral", "positive"}
        assert [tag["tag"] for tag in told["trained"] if tag["given"]] == ["negative"]
        assert told["trained"][0]["tag"] == "negative", "the most likely first"
        assert all((tag["head"], tag["version"]) == ("moderation", 1) for tag in told["trained"])
        assert all(0 <= tag["score"] <= 1 for tag in told["trained"])
        assert len(told["tags"]) == 6, "the other tags stay"
        assert told["banks"]["verdict"] != "match"
    (version,) = banks.ask("GET", HEAD, role=Role.ANALYST)["versions"]
    assert version["served"] == 2


def test_its_word_changes_no_verdict_and_is_of_what_was_seen(
    banks: BankDesk, desk: Desk, truncated_jpeg: bytes
) -> None:
    train(banks, desk, "tags")
    banks.text_entry(banks.bank())
    assert moderate(banks, text=SCAM)["banks"]["verdict"] == "match"
    told = moderate(banks, text=SAD)
    assert (told["banks"]["verdict"], told["trained"][0]["given"]) == ("no_match", True)
    assert len(moderate(banks, images=[{"upload_id": banks.upload(picture(1))}])["trained"]) == 3
    broken = moderate(banks, images=[{"upload_id": banks.upload(truncated_jpeg)}])
    assert (broken["trained"], broken["tags"]) == ([], []), "nothing was seen"
    waiting = banks.post("not indexed yet", run=False)
    assert moderate(banks, post_id=str(waiting))["trained"] == []
    banks.ask("POST", "/api/ml/moderation", {"post_id": str(uuid4())}, status=404)


def test_a_head_that_is_not_live_or_of_another_space_says_nothing(banks: BankDesk, desk: Desk) -> None:
    train(banks, desk, "classes")
    with banks.runtime.database.session() as session:
        session.query(HeadVersion).one().space_id = "another"
    assert moderate(banks, text=SAD)["trained"] == []
    with banks.runtime.database.session() as session:
        session.query(HeadVersion).one().space_id = banks.runtime.live.encoder.space.id
    assert moderate(banks, text=SAD)["trained"]
    banks.ask("POST", f"{HEAD}/versions/1/retire", role=Role.ANALYST)
    assert moderate(banks, text=SAD)["trained"] == []
