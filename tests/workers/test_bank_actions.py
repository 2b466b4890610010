"""What follows from a match: rules, the review queue, decisions, quarantine; each once, each in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from postscope.backend import webhooks, work
from postscope.backend.auth import Role
from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import BankSettings
from postscope.backend.tables import ActionTaken, WebhookDelivery
from postscope.backend.work import Stage
from tests.conftest import SetClock
from tests.workers.bank_desk import SCAM, BankDesk, banks
from tests.workers.conftest import OpenRuntime

__all__ = ["banks"]

OUTCOMES = [{"do": "hold"}, {"do": "tag", "tag": "known-harm"}, {"do": "webhook"}]


@pytest.fixture
def runtime(open_runtime: OpenRuntime) -> Runtime:
    """Entries flood early."""
    opened = open_runtime()
    banks = BankSettings(flood_matches=4, flood_decisions=2, flood_precision=0.5)
    opened.settings = opened.settings.model_copy(update={"banks": banks})
    return opened


def rule(at: BankDesk, *, status: int = 201, **what: Any) -> Any:
    return at.ask("POST", "/v1/moderation/rules", {"name": "r", "outcomes": OUTCOMES, **what}, status=status)


def listen(banks: BankDesk) -> None:
    with banks.runtime.database.session() as session:
        webhooks.create(
            session, banks.runtime.fetcher, "https://93.184.216.34/hook", ["*"], actor="test",
            now=banks.runtime.clock(),
        )  # fmt: skip


def sent(banks: BankDesk) -> list[tuple[str, dict[str, Any]]]:
    with banks.runtime.database.session() as session:
        rows = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
        return [(row.event, row.payload) for row in rows]


def check_again(banks: BankDesk, post: Any) -> None:
    with banks.runtime.database.session() as session:
        work.add(session, Stage.ENRICH, [post], now=banks.runtime.clock(), request_id=None)
    banks.desk.run(Stage.ENRICH)


def queue(banks: BankDesk, query: str = "") -> list[Any]:
    return list(banks.ask("GET", f"/v1/moderation/queue{query}")["items"])


def test_a_match_is_tagged_held_and_told_once_however_often_it_is_checked(banks: BankDesk) -> None:
    listen(banks)
    rule(banks)
    entry = banks.text_entry(banks.bank(), severity="high")
    post = banks.post(SCAM, metrics={"views": 900})
    check_again(banks, post)
    check_again(banks, post)
    found = banks.verdict(post)
    assert (found["tags"], found["held"]) == (["known-harm"], True)
    [item] = queue(banks)
    assert (item["kind"], item["severity"], item["entry_id"]) == ("hold", "high", entry["id"])
    [(event, told)] = sent(banks)
    assert event == "moderation.match"
    assert told["post_id"] == str(post)
    assert banks.audit().count("action_rule.apply") == 1
    with banks.runtime.database.session() as session:
        assert session.scalar(select(func.count()).select_from(ActionTaken)) == 3


@pytest.mark.parametrize(
    ("condition", "follows"),
    [
        ({"min_severity": "high"}, True),
        ({"min_severity": "critical"}, False),
        ({"kinds": ["text"]}, True),
        ({"kinds": ["pdq", "md5"]}, False),
        ({"tiers": ["look_alike"]}, False),
        ({"min_score": 1.0}, True),
        ({"min_reach": 500}, True),
        ({"min_reach": 501}, False),
        ({"enabled": False}, False),
    ],
)
def test_every_condition_of_a_rule_counts(banks: BankDesk, condition: dict[str, Any], follows: bool) -> None:
    rule(banks, **condition)
    banks.text_entry(banks.bank(), severity="high")
    assert banks.verdict(banks.post(SCAM, metrics={"likes": 200, "shares": 300}))["held"] is follows


def test_a_rule_speaks_of_its_banks_alone_and_nothing_follows_from_what_is_suppressed(banks: BankDesk) -> None:
    first, second = banks.bank("first"), banks.bank("second")
    rule(banks, banks=[first])
    banks.text_entry(second)
    assert not banks.verdict(banks.post(SCAM))["held"]
    banks.text_entry(first)
    assert banks.verdict(banks.post(f"{SCAM}!"))["held"]
    banks.text_entry(banks.bank("fine", harmless=True))
    assert not banks.verdict(banks.post(f"{SCAM}!!"))["held"]


def test_bad_rules_are_refused_and_good_ones_can_be_switched_off(banks: BankDesk) -> None:
    for wrong in ({"outcomes": []}, {"outcomes": [{"do": "tag"}]}, {"outcomes": [{"do": "shout"}]}, {"min_score": 2},
                  {"banks": ["0198f3a0-3f5e-7c11-9d43-0d4bb1b0a001"]}):  # fmt: skip
        rule(banks, status=422, **wrong)
    made = rule(banks)
    assert rule(banks, status=409)["code"] == "rule_exists"
    banks.ask("POST", "/v1/moderation/rules", {}, role=Role.ANALYST, status=403)
    banks.ask("PATCH", f"/v1/moderation/rules/{made['id']}", {"enabled": False})
    assert [known["enabled"] for known in banks.ask("GET", "/v1/moderation/rules")["rules"]] == [False]
    banks.ask("DELETE", f"/v1/moderation/rules/{made['id']}", status=204)
    banks.ask("DELETE", f"/v1/moderation/rules/{made['id']}", status=404)
    assert banks.audit() == ["action_rule.remove", "action_rule.switch", "action_rule.create"]


def test_a_review_is_claimed_by_one_and_decided_once(banks: BankDesk, clock: SetClock) -> None:
    rule(banks)
    entry = banks.text_entry(banks.bank())
    post = banks.post(SCAM)
    [item] = queue(banks)
    path = f"/v1/moderation/queue/{item['id']}"
    assert banks.ask("POST", f"{path}/claim")["claimed_by"] == "moderator"
    banks.ask("POST", f"{path}/claim")
    other = banks.ask("POST", f"{path}/claim", role=Role.ADMIN, status=409)
    assert other["code"] == "review_claimed"
    assert banks.ask("POST", f"{path}/decide", {"decision": "confirm"}, role=Role.ADMIN, status=409)
    clock.forward(hours=1)
    banks.ask("POST", f"{path}/claim", role=Role.ADMIN)
    banks.ask("POST", f"{path}/decide", {"decision": "reject", "note": "satire"}, role=Role.ADMIN)
    assert banks.ask("POST", f"{path}/decide", {"decision": "confirm"}, status=409)["code"] == "review_decided"
    assert queue(banks) == []
    assert [done["decision"] for done in queue(banks, "?state=decided")] == ["reject"]
    found = banks.verdict(post)
    assert (found["copies"][0]["decision"], found["held"], found["tags"]) == ("rejected", False, [])
    hygiene = banks.ask("GET", f"/v1/banks/entries/{entry['id']}")["hygiene"]
    assert hygiene == {"matches": 1, "confirmed": 0, "rejected": 1, "precision": 0.0}
    assert {"review.decide", "bank_match.decide"} <= set(banks.audit())


def test_what_cannot_be_checked_can_only_be_dismissed(banks: BankDesk, truncated_jpeg: bytes) -> None:
    banks.post("some words", uploads=[banks.upload(truncated_jpeg)])
    [item] = queue(banks)
    path = f"/v1/moderation/queue/{item['id']}/decide"
    assert banks.ask("POST", path, {"decision": "confirm"}, status=422)["errors"][0]["field"] == "decision"
    assert banks.ask("POST", path, {"decision": "dismiss"})["state"] == "decided"


def test_precision_outlives_the_post_that_was_removed_for_it(banks: BankDesk) -> None:
    bank = banks.bank()
    entry = banks.text_entry(bank)
    post = banks.post(SCAM)
    [match] = banks.verdict(post)["copies"]
    path = f"/v1/moderation/matches/{match['id']}/decision"
    banks.ask("POST", path, {"decision": "rejected"})
    assert banks.ask("POST", path, {"decision": "confirmed"})["precision"] == 1.0
    banks.desk.delete(post)
    told = banks.ask("GET", f"/v1/banks/entries/{entry['id']}")["hygiene"]
    assert (told["matches"], told["confirmed"], told["precision"]) == (0, 1, 1.0)
    assert banks.ask("GET", f"/v1/banks/{bank}")["hygiene"]["confirmed"] == 1


def test_an_entry_that_floods_is_quarantined_with_a_notice_until_a_person_lifts_it(banks: BankDesk) -> None:
    listen(banks)
    bank = banks.bank()
    entry = banks.text_entry(bank)
    path = f"/v1/banks/entries/{entry['id']}"
    posts = [banks.post(f"{SCAM}{'.' * n}") for n in range(5)]
    assert banks.ask("GET", path)["quarantined_at"] is None, "many matches alone are no fault"
    for post in posts[:2]:
        [match] = banks.verdict(post)["copies"]
        banks.ask("POST", f"/v1/moderation/matches/{match['id']}/decision", {"decision": "rejected"})
    found = banks.ask("GET", path)
    assert found["quarantined_at"] is not None
    assert "0 of 2 decided confirmed" in found["quarantine_reason"]
    assert banks.verdict(banks.post(f"{SCAM}?"))["verdict"] == "no_match"
    [item] = queue(banks, "?kind=quarantine")
    assert item["entry_id"] == entry["id"]
    assert [event for event, _ in sent(banks)] == ["bank_entry.quarantined"]
    assert "bank_entry.quarantine" in banks.audit()
    banks.ask("PATCH", path, {"quarantined": False})
    assert banks.verdict(banks.post(f"{SCAM}!?"))["verdict"] == "match"


def test_confirmed_matches_never_quarantine(banks: BankDesk) -> None:
    entry = banks.text_entry(banks.bank())
    posts = [banks.post(f"{SCAM}{'.' * n}") for n in range(5)]
    for post in posts:
        [match] = banks.verdict(post)["copies"]
        banks.ask("POST", f"/v1/moderation/matches/{match['id']}/decision", {"decision": "confirmed"})
    assert banks.ask("GET", f"/v1/banks/entries/{entry['id']}")["quarantined_at"] is None


def test_a_match_in_a_bank_that_is_hidden_cannot_be_judged_or_seen_in_the_queue(banks: BankDesk) -> None:
    rule(banks)
    hidden = banks.ask(
        "POST", "/v1/banks", {"name": "hidden", "readers": [], "writers": []}, role=Role.ADMIN, status=201
    )
    body = {"hashes": [{"kind": "text", "value": SCAM}]}
    banks.ask("POST", f"/v1/banks/{hidden['id']}/entries", body, role=Role.ADMIN, status=201)
    post = banks.post(SCAM)
    assert queue(banks) == []
    assert len(banks.ask("GET", "/v1/moderation/queue", role=Role.ADMIN)["items"]) == 1
    [match] = banks.verdict(post, Role.ADMIN)["copies"]
    banks.ask("POST", f"/v1/moderation/matches/{match['id']}/decision", {"decision": "rejected"}, status=404)


def test_a_whole_audit_log_of_moderation_is_intact(banks: BankDesk) -> None:
    rule(banks)
    banks.text_entry(banks.bank())
    banks.post(SCAM)
    told = banks.ask("GET", "/v1/audit/verify", role=Role.ADMIN)
    assert told["intact"]
    assert told["entries"] == 4
