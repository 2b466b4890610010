"""Which labels posts have: probabilities against thresholds, block by block, in bounded memory.

Of a million posts and a thousand labels almost every pair says no. A label needs a logit of its own that is high
enough, whatever the others and the background are: pairs that fail this are passed over after one comparison, and
only posts with a pair that is left are looked at closely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vectors
from postscope.indexing.zero_shot import (
    Floats,
    LabelSpace,
    PostBatch,
    Temper,
    background_logits,
    post_logits,
    probabilities,
)

BLOCK_CELLS = 1 << 20
"""Logits computed at a time: 4 MiB, which stay in the cache between the product and the comparison."""
SLACK = 1e-4
"""Logits by which the first comparison is too generous, so that rounding loses no label."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Labels that posts have, ordered by post, then label. All shape (k,)."""

    post: npt.NDArray[np.intp]
    label: npt.NDArray[np.intp]
    score: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Labeller:
    """A taxonomy that is ready to be asked. Safe to use from several threads.

    Attributes:
        space: of its labels.
        thresholds: shape (labels,), in (0, 1]: the probability from which on a post has the label.
        parents: of each label the place of its parent, -1 at the root; parents come before children.
        exclusive: one label at most (and its parents). Only labels without children compete.
        open: "none of these" is an answer.
        temper: what makes the logits honest.
    """

    space: LabelSpace
    thresholds: Floats
    parents: npt.NDArray[np.intp]
    exclusive: bool = False
    open: bool = True
    temper: Temper = field(default_factory=Temper)

    def logits(self, posts: PostBatch) -> Floats:
        """Tempered, (n, labels), before the labels compete."""
        return self.temper.apply(post_logits(self.space.parts, posts), posts.kinds())

    def probabilities(self, posts: PostBatch) -> Floats:
        """Of every label, (n, labels). A parent is at least as probable as its children."""
        return self.from_logits(self.logits(posts), background_logits(self.space, posts))

    def from_logits(self, logits: Floats, background: Floats) -> Floats:
        """The same, from tempered logits (n, labels) and the background's (n,)."""
        if self.exclusive:
            logits = np.where(self.leaves, logits, -np.inf).astype(np.float32)
        found = probabilities(logits, background, exclusive=self.exclusive, open=self.open)
        for child in range(self.space.count - 1, -1, -1):
            if (parent := self.parents[child]) >= 0:
                if self.exclusive:
                    found[:, parent] += found[:, child]
                else:
                    np.maximum(found[:, parent], found[:, child], out=found[:, parent])
        return found

    def eligible(self, scores: Floats) -> Floats:
        """Probabilities (n, labels) that may become labels; in an exclusive set the best leaf's and its parents'."""
        if not self.exclusive:
            return scores
        kept = np.zeros_like(scores)
        rows = np.arange(len(scores))
        label = np.where(self.leaves, scores, -1.0).argmax(axis=1)
        while len(rows):
            kept[rows, label] = scores[rows, label]
            above = self.parents[label]
            rows, label = rows[above >= 0], above[above >= 0]
        return kept

    def decide(self, scores: Floats, thresholds: Floats) -> npt.NDArray[np.bool_]:
        """Which labels posts have, (n, labels), by these probabilities; as ``give``, for samples that fit memory."""
        passing = self.eligible(scores)
        found: npt.NDArray[np.bool_] = (passing >= thresholds) & (passing > 0)
        if self.exclusive:
            found &= self.leaves
        for child in range(self.space.count - 1, -1, -1):
            if (parent := self.parents[child]) >= 0:
                found[:, parent] |= found[:, child]
        return found

    @property
    def leaves(self) -> npt.NDArray[np.bool_]:
        """Shape (labels,): has no children."""
        found = np.ones(self.space.count, bool)
        found[self.parents[self.parents >= 0]] = False
        return found

    def give(self, posts: PostBatch) -> Given:
        """The labels that these posts have."""
        parts = [
            self._give(_rows(posts, start, start + size), start)
            for size in [max(1, BLOCK_CELLS // max(1, self.space.count))]
            for start in range(0, posts.count, size)
        ]
        return with_parents(_joined(parts), self.parents)

    def _give(self, posts: PostBatch, offset: int) -> Given:
        logits = post_logits(self.space.parts, posts)
        likely = self._likely(logits, posts)
        if self.exclusive:
            likely &= self.leaves
        flat = np.flatnonzero(likely)
        row, label = np.divmod(flat, self.space.count)
        rows, place = np.unique(row, return_inverse=True)
        if not len(rows):
            return Given(row, label, np.zeros(0, np.float32))
        chosen = _chosen(posts, rows)
        if self.exclusive:
            row, label, score = self._best(self.temper.apply(logits[rows], chosen.kinds()), chosen)
            return Given(rows[row] + offset, label, score)
        against = background_logits(self.space, chosen)
        close = self.temper.apply(logits[row, label][:, np.newaxis], chosen.kinds()[place])[:, 0]
        score = probabilities(close[:, np.newaxis], against[place], exclusive=False)[:, 0]
        kept = score >= self.thresholds[label]
        return Given(row[kept] + offset, label[kept], score[kept])

    def _likely(self, logits: Floats, posts: PostBatch) -> npt.NDArray[np.bool_]:
        """Shape (n, labels): pairs that may pass; a closed set has no least logit, so all of it may."""
        if self.exclusive and not self.open:
            return np.isfinite(logits)
        with np.errstate(divide="ignore"):
            needed = np.log(self.thresholds) - np.log1p(-self.thresholds) - SLACK
        kinds = posts.kinds()
        if not self.temper.scale:
            return logits >= needed.astype(np.float32)
        found = np.zeros(logits.shape, bool)
        for kind in np.unique(kinds):
            scale, shift = self.temper.scale.get(kind, 1.0), self.temper.shift.get(kind, 0.0)
            where = kinds == kind
            cut = ((needed - shift) / scale).astype(np.float32)
            found[where] = logits[where] >= cut if not where.all() else logits >= cut
        return found

    def _best(self, logits: Floats, posts: PostBatch) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
        logits = np.where(self.leaves, logits, -np.inf).astype(np.float32)
        found = probabilities(logits, background_logits(self.space, posts), exclusive=True, open=self.open)
        best = found.argmax(axis=1)
        score = found[np.arange(len(found)), best]
        kept = np.flatnonzero((score >= self.thresholds[best]) & (score > 0))
        return kept, best[kept], score[kept]


def with_parents(given: Given, parents: npt.NDArray[np.intp]) -> Given:
    """A label says its parents too, each as probable as the most probable of what says it."""
    posts, labels, scores = [given.post], [given.label], [given.score]
    while len(posts[-1]):
        above = parents[labels[-1]]
        has = above >= 0
        posts.append(posts[-1][has])
        labels.append(above[has])
        scores.append(scores[-1][has])
    post, label, score = np.concatenate(posts), np.concatenate(labels), np.concatenate(scores)
    order = np.lexsort((-score, label, post))
    post, label, score = post[order], label[order], score[order]
    first = np.ones(len(post), bool)
    first[1:] = (post[1:] != post[:-1]) | (label[1:] != label[:-1])
    return Given(post[first], label[first], score[first])


def capped(given: Given, most: int) -> tuple[Given, int]:
    """At most ``most`` labels a post, the most probable ones; and how many posts had more."""
    if not len(given.post):
        return given, 0
    order = np.lexsort((given.label, -given.score, given.post))
    post = given.post[order]
    first = np.flatnonzero(np.r_[True, post[1:] != post[:-1]])
    rank = np.arange(len(post)) - np.repeat(first, np.diff(np.r_[first, len(post)]))
    kept = np.sort(order[rank < most])
    return Given(given.post[kept], given.label[kept], given.score[kept]), int((rank == most).sum())


def _joined(parts: Sequence[Given]) -> Given:
    if not parts:
        return Given(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32))
    return Given(
        np.concatenate([part.post for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def _rows(posts: PostBatch, start: int, end: int) -> PostBatch:
    """Posts from ``start`` up to ``end``, without copying their vectors."""
    first, last = np.searchsorted(posts.text_of, (start, end))
    begin, stop = np.searchsorted(posts.media_of, (start, end))
    return PostBatch(
        min(end, posts.count) - start,
        posts.texts[first:last],
        posts.text_of[first:last] - start,
        posts.media[begin:stop],
        posts.media_of[begin:stop] - start,
    )


def _chosen(posts: PostBatch, rows: npt.NDArray[np.intp]) -> PostBatch:
    """Only these posts (rising), in their order."""
    if len(rows) == posts.count:
        return posts
    place = np.full(posts.count, -1, np.intp)
    place[rows] = np.arange(len(rows))
    texts, media = place[posts.text_of] >= 0, place[posts.media_of] >= 0
    return PostBatch(
        len(rows),
        _kept(posts.texts, texts),
        place[posts.text_of[texts]],
        _kept(posts.media, media),
        place[posts.media_of[media]],
    )


def _kept(rows: Vectors, where: npt.NDArray[np.bool_]) -> Vectors:
    found: Vectors = rows[where]
    return found
