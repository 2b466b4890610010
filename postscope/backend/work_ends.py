"""How a claim on the work table ends: done, failed, handed back, or postponed. Each holds only while the claim does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.setting_groups import WorkSettings
from postscope.backend.work import Claim

REASON_LIMIT: Final = 2_000


def finish(session: Session, claims: Iterable[Claim], *, now: datetime) -> list[Claim]:
    """Close what is done.

    Returns:
        The claims that were ours no more because the lease had run out: what they wrote may have come too late, so
        the caller asks for the work again. A row asked for again meanwhile goes back to waiting by itself.
    """
    held = list(claims)
    if not held:
        return []
    params = {
        "ids": [claim.id for claim in held],
        "tokens": [claim.token for claim in held],
        "generations": [claim.generation for claim in held],
        "now": now,
    }
    settled = set(session.scalars(_FINISH, params))
    settled |= set(session.scalars(_ASK_AGAIN, params)) if len(settled) < len(held) else set()
    return [claim for claim in held if claim.id not in settled]


_FINISH = text(
    """
    DELETE FROM work
    USING unnest(CAST(:ids AS bigint[]), CAST(:tokens AS uuid[]), CAST(:generations AS int[]))
        AS held(id, token, generation)
    WHERE work.id = held.id AND work.lease_token = held.token AND work.generation = held.generation
    RETURNING work.id
    """
)
_ASK_AGAIN = text(
    """
    UPDATE work SET state = 'waiting', attempts = 0, suspect = false, run_after = :now, lease_until = NULL,
        lease_token = NULL
    FROM unnest(CAST(:ids AS bigint[]), CAST(:tokens AS uuid[])) AS held(id, token)
    WHERE work.id = held.id AND work.lease_token = held.token
    RETURNING work.id
    """
)


def fail(
    session: Session,
    held: Claim,
    *,
    code: str,
    reason: str,
    now: datetime,
    settings: WorkSettings,
    retryable: bool = True,
) -> bool:
    """Note a failure: tried again after a growing pause, or kept as failed after the last attempt.

    Returns:
        Whether it was given up.
    """
    given_up = not retryable or held.attempts >= settings.max_attempts
    pause = min(settings.retry_cap_seconds, settings.retry_base_seconds * 2 ** (held.attempts - 1))
    session.execute(
        text(
            """
            UPDATE work SET lease_until = NULL, lease_token = NULL, suspect = false,
                state = CASE WHEN generation = :generation AND :given_up THEN 'failed' ELSE 'waiting' END,
                attempts = CASE WHEN generation = :generation THEN attempts ELSE 0 END,
                run_after = :run_after, error_code = :code, error = :reason
            WHERE id = :id AND lease_token = :token
            """
        ),
        {
            "id": held.id,
            "token": held.token,
            "generation": held.generation,
            "given_up": given_up,
            "run_after": now + timedelta(seconds=pause),
            "code": code,
            "reason": reason[:REASON_LIMIT],
        },
    )
    return given_up


def release(session: Session, claims: Iterable[Claim], *, now: datetime) -> None:
    """Hand unfinished work back without counting the attempt: an orderly stop is no failure."""
    session.execute(
        text(
            "UPDATE work SET state = 'waiting', attempts = greatest(attempts - 1, 0), run_after = :now, "
            "lease_until = NULL, lease_token = NULL WHERE lease_token = ANY(CAST(:tokens AS uuid[]))"
        ),
        {"tokens": list({held.token for held in claims}), "now": now},
    )


def postpone(session: Session, claims: Iterable[Claim], *, code: str, reason: str, until: datetime) -> None:
    """Hand work back because a part that all of it needs is down: the posts are not to blame, no attempt counts."""
    session.execute(
        text(
            "UPDATE work SET state = 'waiting', attempts = greatest(attempts - 1, 0), run_after = :until, "
            "lease_until = NULL, lease_token = NULL, error_code = :code, error = :reason "
            "WHERE lease_token = ANY(CAST(:tokens AS uuid[]))"
        ),
        {
            "tokens": list({held.token for held in claims}),
            "until": until,
            "code": code,
            "reason": reason[:REASON_LIMIT],
        },
    )
