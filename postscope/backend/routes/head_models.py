"""What the calls about heads take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from postscope.backend.heads.judging import Judgement
from postscope.backend.heads.predicting import Said
from postscope.backend.tables import HeadVersion

MAX_JUDGEMENTS = 10_000

Name = Annotated[str, StringConstraints(min_length=1, max_length=63)]
Days = Annotated[float, Field(gt=0, le=36_500)] | None
WINDOW = "how far back posts are learned from"
RETRAIN = "trained again when its newest version is as old, at the next look at all heads"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HeadIn(_Model):
    """What a head is to learn."""

    name: Name = Field(examples=["complaints"])
    task: Literal["tags", "classes", "number"]
    label_set: Name | None = Field(None, description="judgements to learn from; by default a set of its own")
    target: Literal["engagement"] | None = Field(None, description="learn from the posts' own metrics instead")
    fields: Annotated[list[str], Field(max_length=50)] = Field(
        [], description="source, language, time, length, media, metadata.NAME or metadata.*", examples=[["source"]]
    )
    window_days: Days = Field(None, description=WINDOW)
    retrain_days: Days = Field(None, description=RETRAIN)


class ScheduleIn(_Model):
    """What is to change; what is not named stays."""

    window_days: Days = Field(None, description=f"{WINDOW}; null: all")
    retrain_days: Days = Field(None, description=f"{RETRAIN}; null: never by time")

    @model_validator(mode="after")
    def _something(self) -> ScheduleIn:
        if not self.model_fields_set:
            raise ValueError("give window_days, retrain_days or both")
        return self


class WaitOut(BaseModel):
    """Why a head that is due is not trained again by itself yet. What a person asks for is run at once."""

    cause: Literal["schedule", "drift", "space"] = Field(description="what the last such training was for")
    because: Literal["failed", "cancelled", "unchanged"] = Field(
        description="how it ended; unchanged: nothing new to learn, and it is tried again as soon as there is"
    )
    until: datetime
    reason: str | None = Field(examples=["the head 'complaints' has nothing to learn from yet"])
    run_id: UUID


class HeadOut(BaseModel):
    """A head and its versions in use."""

    name: str = Field(examples=["complaints"])
    task: Literal["tags", "classes", "number"]
    target: str | None
    fields: list[str] = Field(examples=[["source", "language"]])
    window_days: float | None
    retrain_days: float | None
    created_by: str = Field(examples=["first admin"])
    created_at: datetime
    live: int | None = Field(description="number of the live version")
    shadow: int | None
    stale: bool = Field(description="the live version belongs to a space that is not live: it is trained again")
    waits: WaitOut | None = Field(description="what holds back trainings by time, after drift and for a new space")


class HeadList(BaseModel):
    """By name."""

    heads: list[HeadOut]


class VersionOut(BaseModel):
    """One training of a head; ``report`` has its measures on the newest posts, which it was not taught."""

    number: int
    state: Literal["candidate", "shadow", "live", "retired"]
    space_id: str = Field(examples=["bundled-0123456789ab"])
    data_hash: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    code_version: str = Field(examples=["0.1.0"])
    cause: Literal["asked", "schedule", "drift", "space"]
    window_from: datetime | None
    window_to: datetime | None
    posts: int
    report: dict[str, Any]
    share: float = Field(description="of posts that see this version in an A/B trial")
    served: int
    actor: str = Field(examples=["first admin"])
    created_at: datetime
    live_since: datetime | None
    live_until: datetime | None

    @classmethod
    def of(cls, version: HeadVersion) -> VersionOut:
        """As the API shows it."""
        shown = {name: getattr(version, name) for name in cls.model_fields if name != "data_hash"}
        return cls.model_validate(shown | {"data_hash": version.data_hash.hex()})


class VersionList(BaseModel):
    """The newest first."""

    versions: list[VersionOut]


class JudgementIn(_Model):
    """What somebody says of a post, which is named by its id or by source and external id."""

    post_id: UUID | None = None
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    label: Annotated[str, StringConstraints(max_length=200)] = Field("", examples=["positive"])
    value: float = Field(1.0, description="of tags 1 or 0; of a number the number")

    @model_validator(mode="after")
    def _named(self) -> JudgementIn:
        if (self.post_id is None) == (self.source is None or self.external_id is None):
            raise ValueError("give post_id, or source and external_id")
        return self

    def judgement(self) -> Judgement:
        """For the domain."""
        identity = (self.source, self.external_id) if self.source and self.external_id else None
        return Judgement(self.post_id, identity, self.label, self.value)


class JudgementsIn(_Model):
    """All are kept, or none."""

    judgements: Annotated[list[JudgementIn], Field(min_length=1, max_length=MAX_JUDGEMENTS)]
    correction: bool = Field(False, description="somebody saw what the head says, and says otherwise or agrees")


class JudgementsTaken(BaseModel):
    """How many were kept, of how many posts."""

    judgements: int
    posts: int


class TrainIn(_Model):
    """``promote``: the new version goes live by itself if it is better than the live one, or there is none."""

    promote: bool = True


class ShadowIn(_Model):
    """``share`` of the posts see the shadow's word instead of the live one's (A/B)."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.0


class ComparisonOut(BaseModel):
    """A version beside the live one, on posts that it was not taught."""

    better: bool
    reason: str = Field(examples=["0.8120 against 0.7904 on 240 held-out posts"])
    posts: int
    objective: float | None
    live_objective: float | None
    live_was_taught: int = Field(description="of these posts; it flatters the live version")
    against: int | None = Field(description="number of the live version")


class PredictAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[Said]


class DriftOut(BaseModel):
    """How far what was seen then is from what was learned from; index of 0.1: some change, 0.25: much."""

    at: datetime
    posts: int = Field(description="of the newest 2,000 that it scored, those that it was not taught", examples=[120])
    embedding: float | None = Field(description="null while posts are fewer than 200", examples=[None, 0.07])
    score: float | None = Field(description="null where embedding is", examples=[None, 0.11])
    judged: int = Field(description="labels that were shown and that people confirmed or corrected", examples=[48])
    precision: float | None = Field(
        description="share of judged that was right; null of fewer than 30", examples=[0.55]
    )
    drifted: bool = Field(description="whether embedding or score is further off than chance explains")


class DriftList(BaseModel):
    """The oldest first."""

    measurements: list[DriftOut]
