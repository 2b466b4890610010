"""Make ``posts.jsonl``, ``storylines.json`` and ``queries.jsonl`` from the texts beside this file.

Usage: ``python tools/sample/make_posts.py``. Everything that is not written by hand (authors, exact times,
figures, near-copies) comes from generators seeded by the post's own place, so an edit stays local.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copies import Draft, draft, near_copies, originals
from figures import application, external_id, metrics, region
from stories import Story, Written, read_stories

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "postscope" / "sample"

_MEDIA_POST = re.compile(
    r"(?P<storyline>[a-z]+) (?P<when>\S+ \S+) (?P<language>[a-z]{2}|--) \[(?P<files>[a-z0-9.,-]+)\](?: (?P<text>.+))?"
)
_HASHTAG = re.compile(r"#(\w+)")
_QUERY = re.compile(
    r"(?P<language>[a-z]{2}) (?P<kind>text|image) (?P<storyline>[a-z]+|-)"
    r"(?: (?P<concept>[a-z ]+))?: (?P<text>.+)"
)


def _row(draft: Draft, story: Story) -> dict[str, Any]:
    rng = random.Random(f"row:{draft.key}")
    row: dict[str, Any] = {
        "source": draft.source,
        "external_id": external_id(draft),
        "author": draft.author,
        "created_at": draft.created_at.isoformat().replace("+00:00", "Z"),
    }
    # Clients tell that a post has no text in three ways: no field, null, and an empty string.
    if draft.text is not None or (absence := rng.randrange(3)) == 0:
        row["text"] = draft.text
    elif absence == 1:
        row["text"] = ""
    if draft.language:
        row["language"] = draft.language
    row["metrics"] = metrics(draft, bursting=_in_burst(draft, story), rng=rng)
    row["metadata"] = {"storyline": story.id, "region": region(draft, rng), "app": application(draft, rng)}
    if draft.copy_of is not None:
        row["metadata"]["copy_of"] = external_id(draft.copy_of)
    tags = sorted({tag.lower() for tag in _HASHTAG.findall(draft.text or "") if not tag.isdigit()})
    if tags:
        row["tags"] = tags
    if draft.images:
        row["media"] = [{"file": f"media/{name}" if "." in name else f"images/{name}.webp"} for name in draft.images]
    return row


def _in_burst(draft: Draft, story: Story) -> bool:
    return story.burst is not None and story.burst[0] <= draft.created_at <= story.burst[1]


def _storyline(story: Story, rows: list[dict[str, Any]]) -> dict[str, Any]:
    burst = story.burst and {"start": story.burst[0].isoformat(), "end": story.burst[1].isoformat()}
    languages = sorted({row["language"] for row in rows if "language" in row})
    return {
        "id": story.id,
        "title": story.title,
        "description": story.description,
        "languages": languages,
        "burst": burst,
        "keywords": story.keywords,
    }


def _queries() -> list[dict[str, str | None]]:
    queries: list[dict[str, str | None]] = []
    for line in (HERE / "queries.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        match = _QUERY.fullmatch(line)
        if match is None:
            raise ValueError(f"queries.txt: not a query: {line!r}")
        storyline = None if match["storyline"] == "-" else match["storyline"]
        query = {
            "text": match["text"],
            "language": match["language"],
            "storyline": storyline,
            "kind": match["kind"],
        }
        queries.append(query | ({"concept": match["concept"]} if match["concept"] else {}))
    return queries


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _media_posts() -> dict[str, list[Draft]]:
    """Posts with the files that ``make_media.py`` makes, by storyline."""
    found: dict[str, list[Draft]] = defaultdict(list)
    for number, line in enumerate((HERE / "media.txt").read_text(encoding="utf-8").splitlines()):
        if line.startswith("#"):
            continue
        match = _MEDIA_POST.fullmatch(line)
        if match is None:
            raise ValueError(f"media.txt: not a post: {line!r}")
        when = datetime.fromisoformat(match["when"]).replace(tzinfo=UTC)
        language = None if match["language"] == "--" else match["language"]
        post = Written(language, None, tuple(match["files"].split(",")), match["text"], (when, when))
        found[match["storyline"]].append(draft(f"media:{number}", post, when))
    return found


def main() -> None:
    """Write the three files."""
    posts: list[dict[str, Any]] = []
    with_media = _media_posts()
    storylines = []
    for story in read_stories():
        drafts = originals(story)
        rows = [_row(made, story) for made in [*drafts, *near_copies(story, drafts), *with_media[story.id]]]
        storylines.append(_storyline(story, rows))
        posts += rows
    posts.sort(key=lambda row: (row["created_at"], row["external_id"]))
    _write_lines(SAMPLE / "posts.jsonl", posts)
    _write_lines(SAMPLE / "queries.jsonl", _queries())
    text = json.dumps(storylines, ensure_ascii=False, indent=2)
    (SAMPLE / "storylines.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
