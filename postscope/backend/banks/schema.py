"""Banks, entries and rules as they are asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    field_validator,
    model_validator,
)

from postscope.backend.auth import Role
from postscope.backend.times import UtcTime
from postscope.indexing.known.signals import check_thresholds
from postscope.indexing.normalise import storable

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")

MAX_TEXT: Final = 100_000
MAX_VPDQ: Final = 2_000_000
_READERS: Final = (Role.MODERATOR,)

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$")
]
Note = Annotated[str, StringConstraints(max_length=5_000)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^\S+$")]
Thresholds = dict[Annotated[str, StringConstraints(max_length=20)], FiniteFloat]
_THRESHOLDS_HELP: Final = (
    "by kind: pdq (bits apart at most), vpdq (share of frames at least), text (resemblance at least), look_alike "
    "(relevance at least); a kind that is not named takes the default"
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Thresholds(_Model):
    thresholds: Annotated[Thresholds, Field(max_length=10)] = Field({}, description=_THRESHOLDS_HELP)

    @field_validator("thresholds")
    @classmethod
    def _sound(cls, given: dict[str, float] | None) -> dict[str, float] | None:
        for kind, reason in check_thresholds(given or {}):
            raise ValueError(f"{kind}: {reason}")
        return given


class BankIn(_Model):
    """A new bank."""

    name: Name
    description: Note = ""
    harmless: bool = Field(False, description="entries are known to be harmless: they suppress matches")
    enabled: bool = True
    readers: Annotated[list[Role], Field(max_length=10)] = Field(
        list(_READERS), description="roles that see the bank and its matches, beside admin"
    )
    writers: Annotated[list[Role], Field(max_length=10)] = Field(
        list(_READERS), description="roles that change it, beside admin"
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "known spam", "description": "reported twice or more"}]}
    )


class BankChangeIn(_Model):
    """What is to change of a bank; what is not named stays."""

    name: Name | None = None
    description: Note | None = None
    enabled: bool | None = None
    readers: Annotated[list[Role], Field(max_length=10)] | None = None
    writers: Annotated[list[Role], Field(max_length=10)] | None = None


class HashIn(_Model):
    """One hash that is known without its content."""

    kind: Literal["pdq", "vpdq", "md5", "sha256", "text", "text_hash"]
    value: Annotated[str, StringConstraints(min_length=1, max_length=MAX_VPDQ)] = Field(
        description="hexadecimal; of a vpdq the JSON list of threatexchange; of a text the text itself"
    )


class EntryIn(_Thresholds):
    """A new entry: made from a post, from an upload, or from hashes alone."""

    post_id: UUID | None = None
    upload_id: UUID | None = None
    hashes: Annotated[list[HashIn], Field(max_length=100)] = []
    severity: Severity = "medium"
    source: Annotated[str, StringConstraints(max_length=500)] = ""
    note: Note = ""
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    enabled: bool = True
    expires_at: UtcTime | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"post_id": "0198f3a0-3f5e-7c11-9d43-0d4bb1b0a001", "severity": "high", "note": "scam of March"},
                {"hashes": [{"kind": "md5", "value": "cab08b36195edb1a1231d2d09fa450e0"}], "source": "partner list"},
            ]
        }
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum((self.post_id is not None, self.upload_id is not None, bool(self.hashes))) != 1:
            raise ValueError("give exactly one of post_id, upload_id and hashes")
        return self


class EntryChangeIn(_Thresholds):
    """What is to change of an entry; what is not named stays. ``quarantined`` can only be lifted."""

    severity: Severity | None = None
    source: Annotated[str, StringConstraints(max_length=500)] | None = None
    note: Note | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    enabled: bool | None = None
    expires_at: UtcTime | None = None
    quarantined: Literal[False] | None = None
    thresholds: Annotated[Thresholds, Field(max_length=10)] | None = Field(  # type: ignore[assignment]
        None, description=_THRESHOLDS_HELP
    )


class RetroIn(_Thresholds):
    """Which entries to check against history; none: all of the bank."""

    entries: Annotated[list[UUID], Field(max_length=1_000)] = []
    dry_run: bool = Field(True, description="only count, with examples; false applies it")

    model_config = ConfigDict(json_schema_extra={"examples": [{"dry_run": True, "thresholds": {"pdq": 24}}]})


class OutcomeIn(_Model):
    """One thing that a rule does: put a tag on the post, hold it for review, or tell the webhooks."""

    do: Literal["tag", "hold", "webhook"]
    tag: Tag | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.do == "tag") != (self.tag is not None):
            raise ValueError("tag: needed for do 'tag', and for no other")
        return self


class RuleIn(_Model):
    """What follows from a match. A condition that is left out holds always."""

    name: Name
    banks: Annotated[list[UUID], Field(max_length=100)] = Field([], description="matches in these; none: in any")
    min_severity: Severity = "low"
    tiers: Annotated[list[Literal["copy", "look_alike"]], Field(min_length=1, max_length=2)] = ["copy"]
    kinds: Annotated[
        list[Literal["pdq", "vpdq", "md5", "sha256", "text", "shingles", "look", "sound", "vector"]],
        Field(max_length=9),
    ] = Field([], description="of the hash that matched; none: any")
    min_score: Annotated[FiniteFloat, Field(ge=0, le=1)] = 0.0
    min_reach: Annotated[FiniteFloat, Field(ge=0)] = Field(
        0.0, description="of the post: its views, or likes, comments and shares together if those are more"
    )
    outcomes: Annotated[list[OutcomeIn], Field(min_length=1, max_length=10)]
    enabled: bool = True

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "hold severe copies",
                    "min_severity": "high",
                    "outcomes": [{"do": "hold"}, {"do": "tag", "tag": "known-harm"}, {"do": "webhook"}],
                }
            ]
        }
    )


def changes_of(model: BaseModel) -> dict[str, Any]:
    """The fields that were named, as they are kept; a text as PostgreSQL can hold it."""
    told = model.model_dump(mode="python", exclude_unset=True)
    return {name: storable(value) if isinstance(value, str) else value for name, value in told.items()}


def expired(expires_at: datetime | None, now: datetime) -> bool:
    """Whether an entry has run out."""
    return expires_at is not None and expires_at <= now
