"""Writes what a discovery found: one transaction, all of it or nothing."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import uuid_utils
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.tables import Topic, TopicLineage
from postscope.backend.topics import keeping, languages, staging
from postscope.backend.topics.matching import Matched, match_layer
from postscope.backend.work import Stage
from postscope.indexing.topics.identity import Event
from postscope.indexing.topics.job import Found, Job, Result
from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.topics.names import WORDLESS, KeywordNamer

LOCK: Final = 0x746F7069
"""Of all that changes which topics there are: the bytes of "topi"."""
SAME_WORDS: Final = 0.5
"""Share of its five first keywords that a topic must lose before the machine renames it."""
KEPT_KINDS: Final = ("watch", "split")
"""Topics that people made; like pinned ones they live until people end them."""
ALONE: Final = 2
"""A theme has this many topics or more."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What is to be written.

    Attributes:
        run_id: of the run.
        space: of the vectors.
        job: the posts.
        result: what was found about them.
        read_at: when the posts were read; what was said of a post since stays.
        filtered: the run left posts of its window out, so that a topic it did not see may still live.
    """

    run_id: uuid.UUID
    space: str
    job: Job
    result: Result
    read_at: datetime
    filtered: bool


@dataclass(slots=True)
class Applied:
    """What was written.

    Attributes:
        counts: for people.
        unnamed: topics whose name is the machine's and due, for a ``TopicNamer``.
    """

    counts: dict[str, Any] = field(default_factory=dict)
    unnamed: list[uuid.UUID] = field(default_factory=list)


def apply(session: Session, found: Discovery, *, now: datetime) -> Applied:
    """Write it into this session's transaction: topics, members, lineage, map."""
    lock(session)
    applied = Applied()
    ids = found.job.ids()
    staging.stage_found(session, ids, found.result)
    matched: dict[str, Matched] = {}
    topics: dict[str, list[Topic | None]] = {}
    for layer in ("theme", "topic", "subtopic"):
        matched[layer] = match_layer(session, layer, found.result.centres[layer], space=found.space)
        topics[layer] = _write_layer(session, layer, found, ids, matched[layer], topics, applied, now)
    staging.stage_topics(session, topics["topic"], topics["subtopic"])
    held = keeping.hold(session, found.job, found.result, matched["topic"], space=found.space, kept=is_kept)
    staging.write_members(session, found.run_id, read_at=found.read_at, now=now)
    staging.write_layout(session, found.run_id)
    if not found.filtered:  # else what its posts have in common may be the filter's
        languages.keep(session, found.space, found.job.language_names(), found.result.apart, run_id=found.run_id)
    told = {
        layer: _record(session, found, matched[layer], topics[layer], held, now)
        for layer in ("theme", "topic", "subtopic")
    }
    staging.write_times(session)
    stranded = staging.stranded(session)
    work.add(session, Stage.ENRICH, stranded, now=now, request_id=None)
    applied.counts = {**staging.totals(session), **_counts(topics, told["topic"])}
    return applied


def lock(session: Session) -> None:
    """Let nobody else change topics until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def is_kept(topic: Topic) -> bool:
    """Whether only a person may end it."""
    return topic.pinned or topic.kind in KEPT_KINDS


def _write_layer(
    session: Session,
    layer: str,
    found: Discovery,
    ids: list[uuid.UUID],
    matched: Matched,
    written: dict[str, list[Topic | None]],
    applied: Applied,
    now: datetime,
) -> list[Topic | None]:
    """The topic of each found cluster; None for a theme of only one topic."""
    above = {"topic": "theme", "subtopic": "topic"}.get(layer)
    told, centres = found.result.found[layer], found.result.centres[layer]
    children = [one.parent for one in found.result.found["topic"]]
    topics: list[Topic | None] = []
    for number, one in enumerate(told):
        if layer == "theme" and children.count(number) < ALONE:
            topics.append(None)
            continue
        topic = matched.folded.get(number) or matched.topic_of[number]
        if number not in matched.folded:
            topic = topic or _new(layer, found, now)
            parent = written[above][one.parent] if above and one.parent is not None else None
            if _update(topic, one, centres[number], parent, found, ids, now):
                applied.unnamed.append(topic.id)
            session.add(topic)
        topics.append(topic)
    session.flush()
    return topics


def _new(layer: str, found: Discovery, now: datetime) -> Topic:
    return Topic(
        id=uuid.UUID(str(uuid_utils.uuid7())), layer=layer, kind="discovered", state="active", name="",
        keywords=[], summary={}, hidden=False, pinned=False, absorbs=False, created_at=now, space=found.space,
    )  # fmt: skip


def _update(
    topic: Topic,
    one: Found,
    centre: np.ndarray[Any, np.dtype[np.float32]],
    parent: Topic | None,
    found: Discovery,
    ids: list[uuid.UUID],
    now: datetime,
) -> bool:
    """Bring a topic up to what was found; whether its name is the machine's and due."""
    topic.parent_id = parent.id if parent else None
    topic.run_id, topic.updated_at = found.run_id, now
    if topic.kind == "watch":  # what it looks for is what a person said
        return False
    topic.space, topic.centroid = found.space, centre.astype(np.float32).tobytes()
    topic.reach, topic.floor = one.reach, one.floor
    before = {word["word"] for word in topic.keywords[:5]}
    after = {word["word"] for word in one.keywords[:5]}
    topic.keywords = one.keywords
    topic.summary = {**topic.summary, "post_ids": [str(ids[place]) for place in one.examples]}
    unsaid = topic.name in ("", WORDLESS) or (not before and bool(after))
    due = unsaid or len(before & after) < SAME_WORDS * len(before)
    if topic.named_by is None and due:
        topic.name = KeywordNamer().name([Keyword(**word) for word in one.keywords], []).name
    return due


def _record(
    session: Session,
    found: Discovery,
    matched: Matched,
    topics: list[Topic | None],
    held: set[uuid.UUID],
    now: datetime,
) -> Counter[str]:
    """The lineage of one layer, and the states that follow from it; how many of each kind it tells of."""
    ending = {
        place
        for place, topic in enumerate(matched.topics)
        if topic not in topics and _dies(topic, place, found, matched, held)
    }
    told_otherwise = {event.old for event in matched.events if event.kind == "merge" and _new_of(event, topics)}
    rows: list[dict[str, Any]] = []
    for event in matched.events:
        old = matched.topics[event.old] if event.old is not None else None
        new, kind = _new_of(event, topics), _kind(event, matched, topics)
        if kind in ("death", "merge") and event.old not in ending:
            continue
        if kind is None or (kind == "death" and event.old in told_otherwise):
            continue
        if old is not None and new is old:
            old.state = "active"
        rows.append(
            {
                "at": now,
                "run_id": found.run_id,
                "kind": kind,
                "from_id": old.id if old else None,
                "to_id": new.id if new else None,
                "overlap": event.overlap,
                "similarity": event.similarity,
            }
        )
    for place in ending:
        matched.topics[place].state, matched.topics[place].updated_at = "dead", now
    session.flush()
    if rows:
        session.execute(insert(TopicLineage), rows)
    return Counter(row["kind"] for row in rows)


def _new_of(event: Event, topics: list[Topic | None]) -> Topic | None:
    return topics[event.new] if event.new is not None else None


def _kind(event: Event, matched: Matched, topics: list[Topic | None]) -> str | None:
    """What the lineage calls it; None where it tells nothing: a theme of only one topic is none."""
    if event.new is not None and topics[event.new] is None:
        return "death" if event.kind == "continue" else None
    if event.kind == "continue" and event.old is not None and matched.topics[event.old].state == "dead":
        return "revive"
    return event.kind


def _dies(topic: Topic, place: int, found: Discovery, matched: Matched, held: set[uuid.UUID]) -> bool:
    if topic.state == "dead" or is_kept(topic) or topic.id in held or topic.created_at > found.read_at:
        return False
    return not found.filtered or bool(matched.sizes[place] > 0)


def _counts(topics: dict[str, list[Topic | None]], told: Counter[str]) -> dict[str, int]:
    """The topics of each layer that were found, and what the lineage tells of those of the middle one."""
    found = {f"{layer}s": len({topic.id for topic in topics[layer] if topic}) for layer in topics}
    return {
        **found,
        "born": told["birth"],
        "continued": told["continue"] + told["revive"],
        "merged": told["merge"],
        "split": told["split"],
        "ended": told["death"],
    }
