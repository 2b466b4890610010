"""What is told of the banks' verdicts: on a post, on content that is not kept, on the hits of a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.auth import Caller, Role
from postscope.backend.banks.judging import Judged, Verdict
from postscope.backend.banks.probing import told_of
from postscope.backend.errors import NotFound
from postscope.backend.searching.answers import HitModeration, SearchAnswer
from postscope.backend.tables import ActionTaken, Bank, BankEntry, BankMatch, Post, PostCheck, ReviewItem


class UncheckedOut(BaseModel):
    """A part that nothing could be said of, and why."""

    part: Literal["text", "media", "banks"] = Field(description="banks: entries that are still being read")
    place: int | None = Field(description="position of the medium; null for the text", examples=[0])
    code: str = Field(examples=["truncated"])
    reason: str = Field(examples=["the file ends before its content does"])


class MatchOut(BaseModel):
    """A match with a bank that the caller may see."""

    id: UUID | None = Field(description="null for content that is not kept")
    bank_id: UUID
    bank: str = Field(examples=["known spam"])
    harmless: bool = Field(description="the bank holds what is known to be harmless")
    entry_id: UUID
    severity: str | None = Field(examples=["high"])
    kind: str = Field(description="of the hash that matched; vector of a look-alike", examples=["pdq"])
    score: float = Field(description="0 to 1; 1 is the same", examples=[0.92])
    distance: float = Field(description="bits apart for pdq and shingles, else 1 - score", examples=[10])
    part: Literal["text", "media"]
    place: int | None
    evidence: dict[str, Any]
    suppressed_by: UUID | None = Field(description="an entry of a harmless bank that is as near or nearer")
    decision: Literal["confirmed", "rejected"] | None


class ModerationOut(BaseModel):
    """What the banks say. ``could_not_check`` is not ``no_match``: ``unchecked`` says what could not be looked at.

    ``copies`` are the same content as something known; ``look_alikes`` are near in meaning or look, never a copy.
    """

    post_id: UUID | None
    verdict: Literal["match", "no_match", "could_not_check"]
    current: bool = Field(description="it is of the post as it is now")
    checked_at: datetime | None
    unchecked: list[UncheckedOut]
    copies: list[MatchOut]
    look_alikes: list[MatchOut]
    look_alike_verdict: Literal["match", "no_match", "could_not_check"] = Field(
        description="of the look-alikes alone; it never changes the verdict"
    )
    look_alikes_unchecked: int = Field(
        description="entries that no look-alikes could be looked for of: their vectors are being made for a new model"
    )
    withheld: int = Field(description="matches in banks that the caller may not see")
    tags: list[str] = Field(description="put on the post by rules", examples=[["known-harm"]])
    held: bool = Field(description="it waits for a moderator")


def of_post(session: Session, post_id: UUID, caller: Caller) -> ModerationOut:
    """The kept verdict of a post. One that was not checked yet could not be checked, and says so.

    Raises:
        NotFound: there is no such post.
    """
    post = session.get(Post, post_id)
    if post is None:
        raise NotFound(f"there is no post {post_id}")
    check = session.get(PostCheck, post_id)
    rows = session.execute(
        select(BankMatch, Bank, BankEntry.severity)
        .join(Bank, Bank.id == BankMatch.bank_id)
        .join(BankEntry, BankEntry.id == BankMatch.entry_id)
        .where(BankMatch.post_id == post_id, BankMatch.current)
        .order_by(BankMatch.score.desc(), BankMatch.id)
    ).all()
    seen = [row for row in rows if caller.may(map(Role, row[1].readers))]
    told = [(row[0].tier, _kept_match(*row)) for row in seen]
    late = {"part": "text", "place": None, "code": "not_checked", "reason": "the post has not been checked yet"}
    return ModerationOut(
        post_id=post_id,
        verdict=check.verdict if check else "could_not_check",
        look_alike_verdict=_look_alike_verdict(
            (row[0].tier for row in rows if not row[1].harmless and row[0].suppressed_by is None),
            complete=check is not None and not check.unlooked and not check.unchecked,
        ),
        look_alikes_unchecked=check.unlooked if check else 0,
        current=check is not None and check.version == post.version,
        checked_at=check.checked_at if check else None,
        unchecked=[UncheckedOut.model_validate(item) for item in (check.unchecked if check else [late])],
        copies=[match for tier, match in told if tier == "copy"],
        look_alikes=[match for tier, match in told if tier == "look_alike"],
        withheld=len(rows) - len(seen),
        tags=sorted(_tags(session, [post_id])[post_id]),
        held=bool(_held(session, [post_id])),
    )


def of_content(session: Session, judged: Judged, caller: Caller, *, now: datetime) -> ModerationOut:
    """A verdict on content that is not kept."""
    severities = {
        row.id: row.severity
        for row in session.execute(
            select(BankEntry.id, BankEntry.severity).where(
                BankEntry.id.in_([match.found.entry for match in judged.matches])
            )
        )
    }
    seen = [match for match in judged.matches if caller.may(map(Role, match.bank.readers))]
    told = [
        (
            match.found.tier,
            MatchOut(
                id=None,
                bank_id=match.bank.id,
                bank=match.bank.name,
                harmless=match.bank.harmless,
                entry_id=match.found.entry,
                severity=severities.get(match.found.entry),
                kind=match.found.kind,
                score=round(match.found.score, 4),
                distance=round(match.found.distance, 4),
                part=match.found.part,
                place=match.found.place,
                evidence=dict(match.found.evidence),
                suppressed_by=match.suppressed_by,
                decision=None,
            ),
        )
        for match in seen
    ]
    return ModerationOut(
        post_id=None,
        verdict=judged.verdict,
        look_alike_verdict=_look_alike_verdict(
            (one.found.tier for one in judged.matches if not one.bank.harmless and one.suppressed_by is None),
            complete=not judged.unlooked and not judged.checkable.unchecked,
        ),
        look_alikes_unchecked=judged.unlooked,
        current=True,
        checked_at=now,
        unchecked=[UncheckedOut.model_validate(item) for item in told_of(judged.checkable.unchecked)],
        copies=[match for tier, match in told if tier == "copy"],
        look_alikes=[match for tier, match in told if tier == "look_alike"],
        withheld=len(judged.matches) - len(seen),
        tags=[],
        held=False,
    )


def of_hits(session: Session, ids: Sequence[UUID], caller: Caller) -> Mapping[UUID, HitModeration]:
    """Verdicts on the posts of one page of a search, in a few queries."""
    checks = {row.post_id: row.verdict for row in session.scalars(select(PostCheck).where(PostCheck.post_id.in_(ids)))}
    banks: dict[UUID, set[str]] = defaultdict(set)
    rows = session.execute(
        select(BankMatch.post_id, Bank.name, Bank.readers)
        .join(Bank, Bank.id == BankMatch.bank_id)
        .where(
            BankMatch.post_id.in_(ids),
            BankMatch.current,
            BankMatch.tier == "copy",
            BankMatch.suppressed_by.is_(None),
            Bank.harmless.is_(False),
        )
    )
    for row in rows:
        if caller.may(map(Role, row.readers)):
            banks[row.post_id].add(row.name)
    tags, held = _tags(session, ids), _held(session, ids)
    return {
        post_id: HitModeration(
            verdict=checks.get(post_id),
            banks=sorted(banks[post_id]),
            held=post_id in held,
            tags=sorted(tags[post_id]),
        )
        for post_id in ids
    }


def _look_alike_verdict(tiers: Iterable[str], *, complete: bool) -> Verdict:
    """Of the matches that count, those in banks that the caller may not see among them, as for the verdict.

    Args:
        tiers: of these matches.
        complete: every part of the content was compared with every entry.
    """
    if "look_alike" in tiers:
        return "match"
    return "no_match" if complete else "could_not_check"


def with_verdicts(session: Session, answer: SearchAnswer, caller: Caller) -> SearchAnswer:
    """A search's answer with the verdict on each of its hits."""
    told = of_hits(session, [hit.id for hit in answer.hits], caller)
    return answer.model_copy(
        update={"hits": [hit.model_copy(update={"moderation": told[hit.id]}) for hit in answer.hits]}
    )


def _kept_match(match: BankMatch, bank: Bank, severity: str) -> MatchOut:
    return MatchOut(
        id=match.id,
        bank_id=bank.id,
        bank=bank.name,
        harmless=bank.harmless,
        entry_id=match.entry_id,
        severity=severity,
        kind=match.kind,
        score=round(match.score, 4),
        distance=round(match.distance, 4),
        part=match.part,
        place=match.place,
        evidence=match.evidence,
        suppressed_by=match.suppressed_by,
        decision=match.decision,
    )


def _tags(session: Session, ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Tags that rules have put on posts, as long as the match that they follow from holds."""
    found: dict[UUID, set[str]] = defaultdict(set)
    rows = session.execute(
        select(ActionTaken.post_id, ActionTaken.tag)
        .join(BankMatch, BankMatch.id == ActionTaken.match_id)
        .where(
            ActionTaken.post_id.in_(ids),
            ActionTaken.tag.is_not(None),
            BankMatch.current,
            BankMatch.suppressed_by.is_(None),
            BankMatch.decision.is_distinct_from("rejected"),
        )
    )
    for row in rows:
        found[row.post_id].add(row.tag)
    return found


def _held(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    return {
        post_id
        for post_id in session.scalars(
            select(ReviewItem.post_id).where(
                ReviewItem.post_id.in_(ids), ReviewItem.kind == "hold", ReviewItem.state == "open"
            )
        )
        if post_id is not None
    }
