"""Read the storylines as they were written: one file each under ``texts/``.

A file begins with ``key: value`` lines. Then come posts, one a line: the language (``--`` for none), perhaps
a source after a slash, perhaps images in brackets, and the text. A line ``@ start > end`` says when the posts
below it were written, in the order in which they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TEXTS = Path(__file__).with_name("texts")

_PHASE = re.compile(r"@ (\S+ \S+) > (\S+ \S+)")
_POST = re.compile(
    r"(?P<language>[a-z]{2}|--)(?:/(?P<source>[a-z]+))?(?: \[(?P<images>[a-z0-9,-]+)\])?(?: (?P<text>.+))?"
)

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Written:
    """One post as written: no author, figures or exact time yet."""

    language: str | None
    source: str | None
    images: tuple[str, ...]
    text: str | None
    phase: Window


@dataclass(frozen=True, slots=True)
class Story:
    """A storyline and its posts. ``burst`` is None where posts come steadily.

    ``copies`` is how many near-copies are made of the posts; with ``any_order`` the order of lines means
    nothing.
    """

    id: str
    title: str
    description: str
    keywords: tuple[str, ...]
    burst: Window | None
    copies: int
    any_order: bool
    posts: tuple[Written, ...]


def read_stories() -> list[Story]:
    """Every storyline, ordered by id.

    Raises:
        ValueError: a line is neither a head, nor a phase, nor a post; the message names file and line.
    """
    return [_read_story(path) for path in sorted(TEXTS.glob("*.txt"))]


def _read_story(path: Path) -> Story:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    burst = fields["burst"]
    return Story(
        id=path.stem,
        title=fields["title"],
        description=fields["description"],
        keywords=tuple(fields["keywords"].split(", ")),
        burst=None if burst == "none" else _window(f"@ {burst}"),
        copies=int(fields.get("copies", "0")),
        any_order=fields.get("order") == "any",
        posts=tuple(_read_posts(path.name, body)),
    )


def _read_posts(file: str, body: str) -> list[Written]:
    posts: list[Written] = []
    phase: Window | None = None
    for line in filter(None, body.splitlines()):
        if line.startswith("@"):
            phase = _window(line)
            continue
        match = _POST.fullmatch(line)
        if match is None or phase is None:
            raise ValueError(f"{file}: neither a phase nor a post within one: {line!r}")
        language = match["language"]
        images = tuple(match["images"].split(",")) if match["images"] else ()
        posts.append(Written(None if language == "--" else language, match["source"], images, match["text"], phase))
    return posts


def _window(line: str) -> Window:
    match = _PHASE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a time window: {line!r}")
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in match.groups())
    return start, end
