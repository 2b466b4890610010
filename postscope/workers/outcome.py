"""What became of one claimed row."""

from __future__ import annotations

from dataclasses import dataclass

from postscope.backend.work import Claim, Stage


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it failed; what is not retryable is given up at once."""

    code: str
    reason: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """Done where there is no error. ``follow``: the stages that this one has made work for."""

    claim: Claim
    error: Failure | None = None
    follow: tuple[Stage, ...] = ()

    @classmethod
    def failed(cls, claim: Claim, code: str, reason: str, *, retryable: bool = True) -> Outcome:
        """A failure with its reason."""
        return cls(claim, Failure(code, reason, retryable))
