"""What a taxonomy looks like when it comes in, and why it may be refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from postscope.backend.errors import FieldProblem, Invalid
from postscope.indexing.normalise import normalise, storable

MAX_LABELS: Final = 5_000
MAX_DEPTH: Final = 8
MAX_PROMPTS: Final = 50
MAX_EXAMPLES: Final = 200
DEFAULT_THRESHOLD: Final = 0.5
MIN_THRESHOLD: Final = 0.01

_TEMPLATES: Final = ("{}", "a photo of {}", "a post about {}")


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _says_something(value: str) -> str:
    if not normalise(value).strip():
        raise ValueError("is empty")
    return value


def _one_name(value: str) -> str:
    if "/" in value:
        raise ValueError("must not contain a slash: it stands between a label and its children")
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValueError("must not contain control characters")
    return unicodedata.normalize("NFC", value)


NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
NAME_RULE: Final = "must have 1 to 64 small letters, digits, '-' or '_', a letter or digit first"
TaxonomyName = Annotated[str, StringConstraints(pattern=NAME)]
LabelName = Annotated[
    str,
    BeforeValidator(_storable),
    StringConstraints(min_length=1, max_length=100, strip_whitespace=True),
    AfterValidator(_says_something),
    AfterValidator(_one_name),
]
Words = Annotated[
    str,
    BeforeValidator(_storable),
    StringConstraints(max_length=2_000, strip_whitespace=True),
    AfterValidator(_says_something),
]
Description = Annotated[str, BeforeValidator(_storable), StringConstraints(max_length=2_000, strip_whitespace=True)]
Threshold = Annotated[float, Field(ge=MIN_THRESHOLD, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExampleIn(_Model):
    """A post, an uploaded image or a text that a label is said of, or not."""

    text: Words | None = None
    post_id: UUID | None = None
    upload_id: UUID | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(value is not None for value in (self.text, self.post_id, self.upload_id)) != 1:
            raise ValueError("give exactly one of text, post_id and upload_id")
        return self


Examples = Annotated[list[ExampleIn], Field(max_length=MAX_EXAMPLES)]


class LabelIn(_Model):
    """A label, with labels within it if wanted. Without prompts its name and description speak for it."""

    name: LabelName = Field(examples=["football"])
    description: Description = ""
    prompts: Annotated[list[Words], Field(max_length=MAX_PROMPTS)] = Field(
        [], description="in any language", examples=[["a football match", "ein Fußballspiel"]]
    )
    positive: Examples = Field([], description="it is said of these")
    negative: Examples = Field([], description="it is not said of these, though they look like it")
    threshold: Threshold | None = Field(None, description="the probability from which on a post has it; default 0.5")
    labels: list[LabelIn] = Field([], description="within this one; whoever has one of them has this one too")


class TaxonomyIn(_Model):
    """The content of one version of a taxonomy."""

    description: Description = ""
    exclusive: bool = Field(False, description="a post has one label at most; labels without children compete")
    open: bool = Field(True, description='"none of these" is an answer; only an exclusive taxonomy may be closed')
    background: Annotated[list[Words], Field(max_length=MAX_PROMPTS)] = Field(
        [], description="prompts of what is none of the labels", examples=[["an advertisement"]]
    )
    labels: Annotated[list[LabelIn], Field(min_length=1)]

    @field_validator("open")
    @classmethod
    def _closed_is_exclusive(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and not info.data.get("exclusive", False):
            raise ValueError("false needs exclusive: true")
        return value


@dataclass(frozen=True, slots=True)
class FlatLabel:
    """A label with its place. ``field`` is where it was given, ``parent`` the place of its parent or -1."""

    path: str
    field: str
    parent: int
    definition: LabelIn


def flatten(definition: TaxonomyIn) -> list[FlatLabel]:
    """All labels, parents before their children.

    Raises:
        Invalid: there are too many, they nest too deeply, or two of one parent have the same name.
    """
    found: list[FlatLabel] = []
    problems: list[FieldProblem] = []
    _walk(definition.labels, "labels", "", -1, found, problems)
    if len(found) > MAX_LABELS:
        problems.insert(0, FieldProblem("labels", f"has {len(found)} labels, at most {MAX_LABELS} are possible"))
    if problems:
        raise invalid(problems)
    return found


def _walk(
    labels: Sequence[LabelIn],
    field: str,
    above: str,
    parent: int,
    found: list[FlatLabel],
    problems: list[FieldProblem],
) -> None:
    if labels and above.count("/") >= MAX_DEPTH:
        problems.append(FieldProblem(field, f"is nested deeper than {MAX_DEPTH} levels"))
        return
    seen: dict[str, str] = {}
    for n, label in enumerate(labels):
        here = f"{field}.{n}"
        key = label.name.casefold()
        if key in seen:
            problems.append(FieldProblem(f"{here}.name", f"is the name of {seen[key]} too"))
            continue
        seen[key] = here
        found.append(FlatLabel(above + label.name, here, parent, label))
        _walk(label.labels, f"{here}.labels", f"{above}{label.name}/", len(found) - 1, found, problems)


def invalid(problems: Sequence[FieldProblem]) -> Invalid:
    """Several fields are wrong; the first ones are named in the message."""
    shown = "; ".join(f"{problem.field}: {problem.reason}" for problem in problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return Invalid(shown + more, problems=problems[:100])


def default_prompts(path: str, description: str) -> Iterator[str]:
    """What speaks for a label without prompts: its name in a few sentences, and its description."""
    name = path.rsplit("/", 1)[-1]
    for template in _TEMPLATES:
        yield template.format(name)
    if description:
        yield description
