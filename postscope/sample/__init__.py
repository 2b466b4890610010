"""The sample that ships with the package: posts, images and queries written for it. See its ``README.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

QueryKind = Literal["text", "image"]


@dataclass(frozen=True, slots=True)
class Burst:
    """When most of a storyline's posts were written: ``start <= created_at <= end``, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Storyline:
    """What a group of posts is about. A post names it as ``metadata.storyline``.

    ``burst`` is None where posts come steadily over the three weeks.
    """

    id: str
    title: str
    description: str
    languages: tuple[str, ...]
    burst: Burst | None
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleQuery:
    """A query and what answers it.

    ``storyline`` is None if nothing in the sample answers. With ``kind`` "image" the answer is a picture, and
    ``concept`` (None where there is no answer) is that of the right rows of ``read_image_labels()``.
    """

    text: str
    language: str
    kind: QueryKind
    storyline: str | None
    concept: str | None


@dataclass(frozen=True, slots=True)
class ImageLabel:
    """What an image shows.

    ``file`` and ``near_copy_of`` are relative to ``sample_dir()``; the latter is None for an original.
    """

    file: str
    storyline: str
    concept: str
    near_copy_of: str | None


def sample_dir() -> Path:
    """The folder with ``posts.jsonl`` and ``images/``, which the media of the posts are relative to.

    Raises:
        FileNotFoundError: the package is not installed as plain files (from a zip archive, say).
    """
    folder = files(__name__)
    if not isinstance(folder, Path):
        raise FileNotFoundError(f"the sample is not a folder on disk but {folder}")
    return folder


def read_storylines() -> tuple[Storyline, ...]:
    """Every storyline, ordered by id."""
    rows = json.loads((sample_dir() / "storylines.json").read_text(encoding="utf-8"))
    return tuple(_storyline(row) for row in rows)


def read_queries() -> tuple[SampleQuery, ...]:
    """The labelled queries, in the order in which they were written."""
    return tuple(
        SampleQuery(
            text=row["text"],
            language=row["language"],
            kind=cast("QueryKind", row["kind"]),
            storyline=row["storyline"],
            concept=row.get("concept"),
        )
        for row in _read_lines("queries.jsonl")
    )


def read_image_labels() -> tuple[ImageLabel, ...]:
    """One label an image, ordered by file."""
    return tuple(ImageLabel(**row) for row in _read_lines("image_labels.jsonl"))


def _storyline(row: Mapping[str, Any]) -> Storyline:
    return Storyline(
        id=row["id"],
        title=row["title"],
        description=row["description"],
        languages=tuple(row["languages"]),
        burst=_burst(row["burst"]),
        keywords=tuple(row["keywords"]),
    )


def _burst(edges: Mapping[str, str] | None) -> Burst | None:
    if edges is None:
        return None
    return Burst(datetime.fromisoformat(edges["start"]), datetime.fromisoformat(edges["end"]))


def _read_lines(name: str) -> list[dict[str, Any]]:
    with (sample_dir() / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
