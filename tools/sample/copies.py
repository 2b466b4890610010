"""Give written posts an author, a source and a time, and make near-copies of some of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stories import Story, Written

LAST_MOMENT = datetime(2026, 3, 22, 23, 59, tzinfo=UTC)
_SHORTEST_COPIED = 30
"""Nobody reposts "ok"."""
_FORUM_LENGTH = 150


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that lacks only its figures.

    ``key`` is its place in the texts, and seeds all that is random in it.
    """

    key: str
    source: str
    author: str
    created_at: datetime
    language: str | None
    text: str | None
    images: tuple[str, ...]
    copy_of: Draft | None = None


def _read_authors() -> dict[str, list[str]]:
    lines = Path(__file__).with_name("authors.txt").read_text(encoding="utf-8").splitlines()
    return {group: names.split() for group, _, names in (line.partition(": ") for line in lines)}


_AUTHORS = _read_authors()
_EVERYBODY = sorted(name for group, names in _AUTHORS.items() if group != "newswire" for name in names)


def originals(story: Story) -> list[Draft]:
    """The posts as written, in order of time within each phase."""
    times = _times(story)
    return [draft(f"{story.id}:{i}", post, times[i]) for i, post in enumerate(story.posts)]


def _times(story: Story) -> list[datetime]:
    times: list[datetime] = []
    for phase in dict.fromkeys(post.phase for post in story.posts):
        rng = random.Random(f"times:{story.id}:{phase[0]}")
        seconds = (phase[1] - phase[0]).total_seconds()
        count = sum(post.phase == phase for post in story.posts)
        moments = [phase[0] + timedelta(seconds=int(rng.uniform(0, seconds))) for _ in range(count)]
        times += moments if story.any_order else sorted(moments)
    return times


def draft(key: str, post: Written, moment: datetime) -> Draft:
    """A written post with what chance gives it."""
    rng = random.Random(f"draft:{key}")
    source = post.source or _source(post, rng)
    group = source if source == "newswire" else post.language
    author = rng.choice(_AUTHORS[group] if group else _EVERYBODY)
    return Draft(key, source, author, moment, post.language, post.text, post.images)


def _source(post: Written, rng: random.Random) -> str:
    if post.images:
        return "photogrid" if post.text is None or rng.random() < 0.6 else "chirper"
    if len(post.text or "") > _FORUM_LENGTH and rng.random() < 0.4:
        return "forum"
    return "chirper"


def near_copies(story: Story, drafts: list[Draft]) -> list[Draft]:
    """``story.copies`` reposts, each of another post and by another person, edited as people edit."""
    rng = random.Random(f"copies:{story.id}")
    worth = [draft for draft in drafts if draft.source != "forum" and len(draft.text or "") >= _SHORTEST_COPIED]
    chosen = rng.sample(worth, min(story.copies, len(worth)))
    chosen += rng.choices(worth, k=story.copies - len(chosen))
    return [_copy(story, draft, number) for number, draft in enumerate(chosen)]


def _copy(story: Story, draft: Draft, number: int) -> Draft:
    key = f"{story.id}:copy:{number}"
    rng = random.Random(f"copy:{key}")
    later = draft.created_at + timedelta(minutes=3 + rng.lognormvariate(3.6, 1.2))
    people = [name for name in _AUTHORS[draft.language or "en"] if name != draft.author] or _EVERYBODY
    edit = _EDITS[number % len(_EDITS)]
    return replace(
        draft,
        key=key,
        source="chirper" if draft.source == "newswire" else draft.source,
        author=rng.choice(people),
        created_at=min(later.replace(microsecond=0), LAST_MOMENT),
        text=edit(draft, story, rng),
        copy_of=draft,
    )


def _repost(draft: Draft, _story: Story, _rng: random.Random) -> str:
    return f"RT @{draft.author}: {draft.text}"


def _hashtags(draft: Draft, story: Story, _rng: random.Random) -> str:
    return f"{draft.text} #{story.id} #{story.keywords[1].replace(' ', '')}"


def _link(draft: Draft, _story: Story, rng: random.Random) -> str:
    return f"{draft.text} https://s.example/{rng.randrange(16**6):06x}"


def _punctuation(draft: Draft, _story: Story, _rng: random.Random) -> str:
    return (draft.text or "").rstrip(".!?。！") + "!!!"


def _credit(draft: Draft, _story: Story, _rng: random.Random) -> str:
    return f"{draft.text} (via @{draft.author}) 👀"


def _cut(draft: Draft, _story: Story, _rng: random.Random) -> str:
    text = draft.text or ""
    return text[: int(len(text) * 0.8)].rstrip() + "…"


_EDITS: tuple[Callable[[Draft, Story, random.Random], str], ...] = (
    _repost, _hashtags, _link, _punctuation, _credit, _cut,
)  # fmt: skip
