"""What may be asked of timelines and trends: which posts, over which window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from postscope.backend.errors import Invalid
from postscope.backend.post_schema import Language, Name
from postscope.backend.tagging.names import LabelRef
from postscope.indexing.buckets import Buckets, BucketSize, comfortable, cut, zone_of
from postscope.indexing.normalise import storable

DEFAULT_WINDOW = timedelta(days=7)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must carry a time zone, such as 2026-03-02T09:30:00Z")
    if not EARLIEST <= value <= LATEST:
        raise ValueError("must be between the years 1900 and 2200")
    return value.astimezone(UTC)


def _zone(value: str) -> str:
    zone_of(value)
    return value


Time = Annotated[datetime, AfterValidator(_aware)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_zone)]
Words = Annotated[
    str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=500, strip_whitespace=True)
]
Format = Literal["json", "csv", "parquet"]
Mood = Literal["negative", "neutral", "positive"]
Compare = Literal["previous", "week", "year", "none"]


class PostFilter(BaseModel):
    """Which posts. All that are given must hold; of several values of one field any will do."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: Annotated[list[Name], Field(max_length=50)] = Field([], description="any of these")
    language: Annotated[list[Language], Field(max_length=50)] = Field(
        [], description="any of these; where none was given with a post, as its text tells"
    )
    tag: Annotated[list[Name], Field(max_length=50)] = Field(
        [], description="any of these tags or hashtags, with or without #"
    )
    label: Annotated[list[LabelRef], Field(max_length=50)] = Field(
        [], description="any of these labels of taxonomies: taxonomy/label, or taxonomy@2/label of a version"
    )
    author: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None, description="the name as it was given with the posts"
    )
    author_hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")] | None = Field(
        None, description="the author as answers show them"
    )
    q: (
        Annotated[
            str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=500, strip_whitespace=True)
        ]
        | None
    ) = Field(None, description="every one of these words is in the text; a phrase in double quotes as a whole")
    topic_id: UUID | None = Field(None, description="posts of this topic; of what it was merged into, if it was")
    outlier: bool | None = Field(None, description="true: looked at and found to be of no topic; false: of a topic")
    mood: Mood | None = Field(None, description="how the post sounds most")
    since: Time | None = Field(None, alias="from", description="from <= created_at", examples=["2026-03-01T00:00:00Z"])
    to: Time | None = Field(None, description="created_at < to", examples=["2026-03-08T00:00:00Z"])

    def url(self, **changes: Any) -> str:
        """Where the posts behind a number are: this filter, changed, as a link."""
        said = self.model_dump(exclude_none=True, exclude_defaults=True, by_alias=True, mode="json")
        known = PostFilter.model_fields
        names = {name: field.alias or name for name, field in known.items()}
        said = {key: value for key, value in said.items() if key in names.values()}
        for name, value in changes.items():
            said[names[name]] = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        return "/v1/posts?" + urlencode({k: v for k, v in said.items() if v is not None}, doseq=True)

    def window(self, now: datetime, default: timedelta = DEFAULT_WINDOW) -> tuple[datetime, datetime]:
        """The window asked for; open ends are filled in so that it ends now.

        Raises:
            Invalid: it is empty or reversed.
        """
        to = self.to or (now if self.since is None or self.since < now else self.since + default)
        since = self.since or to - default
        if since >= to:
            raise Invalid.of("from", "must be before to")
        return since, to


class TimelineQuery(PostFilter):
    """A timeline: which posts, in which buckets, beside which other period."""

    bucket: BucketSize | None = Field(None, description="by default one that gives at most 120 of them")
    tz: Zone = Field("UTC", description="IANA time zone whose calendar cuts the buckets", examples=["Europe/Berlin"])
    compare: Compare = Field(
        "previous", description="the window before, or the same one a week or 52 weeks ago, on the clocks of the zone"
    )
    format: Format | None = Field(None, description="json, csv or parquet; by default what Accept asks for")

    @property
    def zone(self) -> ZoneInfo:
        """Of ``tz``."""
        return zone_of(self.tz)

    def buckets(self, now: datetime) -> tuple[Buckets, BucketSize]:
        """The buckets of the window.

        Raises:
            Invalid: the window is reversed, or there would be too many.
        """
        since, to = self.window(now)
        size = self.bucket or comfortable(since, to)
        try:
            return cut(since, to, size, self.zone), size
        except ValueError as error:
            raise Invalid.of("bucket", str(error)) from error
