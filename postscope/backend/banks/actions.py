"""Rules: what follows from a match. Each outcome happens once a match, however often the post is checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend import audit, webhooks
from postscope.backend.auth import Caller
from postscope.backend.banks import queueing
from postscope.backend.banks.catalogue import new_id, readable, save
from postscope.backend.banks.schema import SEVERITIES, RuleIn
from postscope.backend.errors import Invalid, NotFound
from postscope.backend.tables import ActionRule, ActionTaken, Bank, BankEntry, BankMatch, Post
from postscope.backend.webhooks import Event

"""The event that webhooks hear of a match."""


def reach(post: Post) -> float:
    """How many people a post has reached, as far as its metrics tell: its views, or likes, comments and shares
    together if those are more."""
    counted = sum(float(post.metrics.get(name, 0)) for name in ("likes", "comments", "shares"))
    return max(float(post.metrics.get("views", 0)), counted)


def take(session: Session, posts: Sequence[Post], *, now: datetime) -> int:
    """Apply all rules to the present matches of these posts.

    Returns:
        How many outcomes were new.
    """
    rules = list(session.scalars(select(ActionRule).where(ActionRule.enabled).order_by(ActionRule.id)))
    if not rules:
        return 0
    by_id = {post.id: post for post in posts}
    rows = session.execute(
        select(BankMatch, BankEntry.severity, Bank.name)
        .join(BankEntry, BankEntry.id == BankMatch.entry_id)
        .join(Bank, Bank.id == BankMatch.bank_id)
        .where(
            BankMatch.post_id.in_(by_id),
            BankMatch.current,
            BankMatch.suppressed_by.is_(None),
            BankMatch.decision.is_distinct_from("rejected"),
            Bank.harmless.is_(False),
        )
        .order_by(BankMatch.id)
    ).all()
    done = 0
    for match, severity, bank in rows:
        post = by_id[match.post_id]
        for rule in rules:
            if _applies(rule, match, severity, post):
                done += _follow(session, rule, _Case(match, severity, bank, post), now)
    return done


def create(session: Session, given: RuleIn, caller: Caller, *, now: datetime) -> ActionRule:
    """A new rule.

    Raises:
        Invalid: it names a bank that the caller may not see.
        Conflict: ``rule_exists``: there is one of this name.
    """
    for number, bank_id in enumerate(given.banks):
        try:
            readable(session, bank_id, caller)
        except NotFound as error:
            raise Invalid.of(f"banks.{number}", error.detail) from error
    told = given.model_dump(mode="python")
    rule = ActionRule(id=new_id(), created_by=caller.name, created_at=now, **told)
    save(session, rule, "rule")
    _record(session, rule.id, "action_rule.create", caller, given.model_dump(mode="json"), now)
    return rule


def every(session: Session) -> list[ActionRule]:
    """All rules, by name."""
    return list(session.scalars(select(ActionRule).order_by(ActionRule.name)))


def switch(session: Session, rule_id: UUID, enabled: bool, caller: Caller, *, now: datetime) -> ActionRule:
    """Let a rule work, or not.

    Raises:
        NotFound: there is none.
    """
    rule = _get(session, rule_id)
    rule.enabled = enabled
    _record(session, rule_id, "action_rule.switch", caller, {"enabled": enabled}, now)
    return rule


def remove(session: Session, rule_id: UUID, caller: Caller, *, now: datetime) -> None:
    """Remove a rule, and the tags that it gave.

    Raises:
        NotFound: there is none.
    """
    rule = _get(session, rule_id)
    name = rule.name
    session.delete(rule)
    _record(session, rule_id, "action_rule.remove", caller, {"name": name}, now)


class _Case:
    def __init__(self, match: BankMatch, severity: str, bank: str, post: Post) -> None:
        self.match, self.severity, self.bank, self.post = match, severity, bank, post

    def told(self) -> dict[str, Any]:
        match = self.match
        return {
            "post_id": str(self.post.id),
            "source": self.post.source,
            "external_id": self.post.external_id,
            "match_id": str(match.id),
            "bank_id": str(match.bank_id),
            "bank": self.bank,
            "entry_id": str(match.entry_id),
            "severity": self.severity,
            "tier": match.tier,
            "kind": match.kind,
            "score": round(match.score, 4),
            "reach": reach(self.post),
        }


def _applies(rule: ActionRule, match: BankMatch, severity: str, post: Post) -> bool:
    return (
        (not rule.banks or match.bank_id in rule.banks)
        and SEVERITIES.index(severity) >= SEVERITIES.index(rule.min_severity)
        and match.tier in rule.tiers
        and (not rule.kinds or match.kind in rule.kinds)
        and match.score >= rule.min_score
        and reach(post) >= rule.min_reach
    )


def _follow(session: Session, rule: ActionRule, case: _Case, now: datetime) -> int:
    """Every outcome of a rule that has not happened yet, in the audit log with what it was decided on."""
    rows = [
        {
            "match_id": case.match.id,
            "rule_id": rule.id,
            "outcome": number,
            "post_id": case.post.id,
            "action": outcome["do"],
            "tag": outcome.get("tag"),
            "at": now,
        }
        for number, outcome in enumerate(rule.outcomes)
    ]
    taken = session.scalars(
        insert(ActionTaken).values(rows).on_conflict_do_nothing().returning(ActionTaken.outcome)
    ).all()
    if not taken:
        return 0
    for number in sorted(taken):
        outcome = rule.outcomes[number]
        if outcome["do"] == "hold":
            queueing.hold(session, case.match, case.severity, f"rule {rule.name!r}", now=now)
        elif outcome["do"] == "webhook":
            webhooks.emit(
                session,
                Event.MODERATION_MATCH,
                {"rule": rule.name, **case.told()},
                key=f"{rule.id}:{case.match.id}:{number}",
                now=now,
            )
    audit.record(
        session,
        actor=f"rule:{rule.name}",
        action="action_rule.apply",
        subject=f"post:{case.post.id}",
        evidence={"outcomes": [rule.outcomes[number] for number in sorted(taken)], **case.told()},
        now=now,
    )
    return len(taken)


def _get(session: Session, rule_id: UUID) -> ActionRule:
    rule = session.get(ActionRule, rule_id)
    if rule is None:
        raise NotFound(f"there is no rule {rule_id}")
    return rule


def _record(
    session: Session, rule_id: UUID, action: str, caller: Caller, evidence: dict[str, Any], now: datetime
) -> None:
    audit.record(
        session, actor=caller.name, action=action, subject=f"action_rule:{rule_id}", evidence=evidence, now=now
    )  # fmt: skip
