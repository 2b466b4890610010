"""Posts and targets of one training."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Uuid, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from postscope.backend.errors import Conflict
from postscope.backend.heads.definitions import BUILT_IN
from postscope.backend.heads.features import load_features
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, Label, LabelSet, Post
from postscope.backend.tagging.nesting import path_to
from postscope.indexing.folds import copy_groups
from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.training import MIN_PER_LABEL

SETTLED = timedelta(hours=24)
"""A younger post may still gain likes: what it has now is not what it will have."""
MOST = 100_000
"""Posts that one training takes: the newest."""
COMPARED = 20_000
"""Posts up to which each is compared with each, so that near-copies are found too; beyond, copies are equal words."""
ROWS = 10_000
"""Judgements read from the database at a time."""
EVERY = "*"
"""The label of a judgement that says that a post has none of the labels that are not named."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one training learns from.

    Attributes:
        ids: of the posts, in order.
        posts: as heads see them.
        targets: as ``indexing.heads.training.train`` takes them.
        labels: names of the columns.
        hash: SHA-256 of ids and targets.
        left_out: labels that too few of the posts have, and how many have them.
    """

    ids: list[uuid.UUID]
    posts: PostFeatures
    targets: Floats
    labels: list[str]
    hash: bytes
    left_out: dict[str, int]


def lesson(runtime: Runtime, head: Head) -> Lesson:
    """Gather what a head learns from now.

    Raises:
        Conflict: ``no_labels``: there is nothing.
    """
    with runtime.database.session() as session:
        words, labels = _words(session, head, runtime.clock())
    ids, posts = load_features(runtime, list(words), head.fields)
    if not ids:
        raise Conflict(f"the head {head.name!r} has nothing to learn from yet", code="no_labels")
    ids, posts, labels, left_out = _without_rare(head, ids, posts, words, labels)
    if len(ids) <= COMPARED:
        posts = replace(posts, groups=copy_groups(posts.fused, list(posts.texts)))
    targets = _targets(head, [words[post_id] for post_id in ids], labels)
    digest = hashlib.sha256(b"".join(post_id.bytes for post_id in ids) + targets.tobytes() + "\n".join(labels).encode())
    return Lesson(ids, posts, targets, labels, digest.digest(), left_out)


def fingerprint(runtime: Runtime, head: Head) -> str:
    """A digest of what there is to learn from now, in which no vector is read: it changes where posts come or go, are
    edited, or are judged otherwise. That a post was indexed meanwhile does not change it.
    """
    with runtime.database.session() as session:
        words, _ = _words(session, head, runtime.clock())
        ids = sorted(words)
        edited = session.scalar(select(func.max(Post.updated_at)).where(Post.id == any_(literal(ids, ARRAY(Uuid)))))
    digest = hashlib.sha256(repr(edited).encode())
    for post_id in ids:
        digest.update(post_id.bytes + repr(sorted(words[post_id].items())).encode())
    return digest.hexdigest()


_Words = dict[uuid.UUID, dict[str, float]]


def _words(session: Session, head: Head, now: datetime) -> tuple[_Words, list[str]]:
    """What was said of each post that is in the window, and the labels that it can learn."""
    since = None if head.window_days is None else now - timedelta(days=head.window_days)
    if head.target == "engagement":
        return _engagement(session, now, since), [""]
    return _judged(session, head, since)


def _judged(session: Session, head: Head, since: datetime | None) -> tuple[_Words, list[str]]:
    query = (
        select(Label.post_id, Label.label, Label.value)
        .join(Post, Post.id == Label.post_id)
        .where(Label.set_id == head.set_id)
    )
    if since is not None:
        query = query.where(Post.created_at >= since)
    nested = is_nested(session, head)
    words: _Words = {}
    names: set[str] = set()
    newest = query.order_by(Label.at.desc(), Label.id.desc()).execution_options(yield_per=ROWS)
    for row in session.execute(newest):
        if row.post_id not in words and len(words) >= MOST:
            continue
        if head.task == "classes" and (row.value <= 0 or row.post_id in words):
            continue  # that it is not this one tells no class, and the newest word counts
        said = words.setdefault(row.post_id, {})
        for label in path_to(row.label) if nested and row.value > 0 and head.task == "tags" else (row.label,):
            said[label] = max(row.value, said.get(label, row.value))
            if label != EVERY and (head.task != "tags" or row.value == 1):
                names.add(label)
    if head.task == "number":
        return words, [""]
    # A built-in head keeps its order; a class that nobody was given yet cannot be learned.
    known = BUILT_IN[head.name].classes if head.name in BUILT_IN else ()
    return words, [name for name in known if name in names] or sorted(names)


def is_nested(session: Session, head: Head) -> bool:
    """Whether what people say is about a taxonomy, in which a label says those above it too."""
    return session.scalar(select(LabelSet.taxonomy_id).where(LabelSet.id == head.set_id)) is not None


def _without_rare(
    head: Head, ids: list[uuid.UUID], posts: PostFeatures, words: _Words, labels: list[str]
) -> tuple[list[uuid.UUID], PostFeatures, list[str], dict[str, int]]:
    """A label that hardly any post has cannot be learned, and is no reason to learn nothing: of classes its posts are
    left out with it. Where less than two labels (of tags one) would remain, all stay, and the training says why not."""
    if head.task == "number":
        return ids, posts, labels, {}
    has = {label: sum(words[post_id].get(label, 0) > 0 for post_id in ids) for label in labels}
    rare = {label: count for label, count in has.items() if count < MIN_PER_LABEL}
    if not rare or len(labels) - len(rare) < (2 if head.task == "classes" else 1):
        return ids, posts, labels, {}
    kept = [label for label in labels if label not in rare]
    if head.task == "tags":
        return ids, posts, kept, rare
    rows = [n for n, post_id in enumerate(ids) if next(iter(words[post_id])) not in rare]
    return [ids[n] for n in rows], posts.take(np.array(rows, dtype=np.int64)), kept, rare


def _engagement(session: Session, now: datetime, since: datetime | None) -> _Words:
    query = select(Post.id, Post.metrics).where(Post.created_at <= now - SETTLED, Post.metrics != {})
    if since is not None:
        query = query.where(Post.created_at >= since)
    words: _Words = {}
    for row in session.execute(query.order_by(Post.created_at.desc(), Post.id).limit(MOST)):
        counts = [row.metrics[name] for name in ("likes", "comments", "shares") if name in row.metrics]
        if counts:
            words[row.id] = {"": float(np.log1p(max(0.0, sum(map(float, counts)))))}
    return words


def _targets(head: Head, words: Sequence[dict[str, float]], labels: Sequence[str]) -> Floats:
    if head.task == "number":
        return np.array([word[""] for word in words], dtype=np.float64)
    if head.task == "classes":
        place = {label: n for n, label in enumerate(labels)}
        return np.array([place[next(iter(word))] for word in words], dtype=np.float64)
    # What is not named of a post that was judged is taken for looked at and absent.
    return np.array([[float(word.get(label, 0.0) > 0) for label in labels] for word in words], dtype=np.float64)
