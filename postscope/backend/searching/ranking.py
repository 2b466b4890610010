"""Ranked lists to one ranking: what is a hit, what it scores, and which comes first.

- A **score** is the best relevance that any list gives a post: of its text or an image by meaning (calibrated,
  so they compare), or of its words. ``min_score`` cuts every list; a post that no list keeps is no hit.
- The **order** is by weighted reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): a post gains
  weight / (60 + rank) from each list that keeps it. Raw scores never meet. With one list, its order stays.
- **Negatives**: a post at least as relevant to a negative as to what was asked for is no hit. Any other has score
  and order multiplied by 1 - its relevance to the negative, and must still reach ``min_score``.
- Equal posts are ordered by score, then id, so that the same question has the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

RRF_K = 60
EXACT_WEIGHT = 20.0
"""Weight of the words where a hashtag, handle or code is all that was asked for: in lists of up to 1,000 every
post that has it comes before any that is merely close (20 / 1,060 > 1 / 61)."""

MatchedPart = Literal["text", "media", "keywords"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How relevant one part of a post is to the ``asked``-th thing that was asked for."""

    asked: int
    part: MatchedPart
    score: float


@dataclass(frozen=True, slots=True)
class RankedList:
    """Posts, best first, each with its evidence (at least one).

    Attributes:
        weight: of this list among the others.
        posts: in order.
        complete: no post beyond the end of the list could be a hit.
        depth: how many were asked for.
    """

    weight: float
    posts: Mapping[UUID, tuple[Evidence, ...]]
    complete: bool
    depth: int = 0

    def reaches(self, depth: int) -> bool:
        """Whether to ask for so many would bring nothing new."""
        return self.complete or self.depth >= depth


@dataclass(frozen=True, slots=True)
class Ranked:
    """A hit: its score in [0, 1] and what was found, best first."""

    id: UUID
    score: float
    evidence: tuple[Evidence, ...]

    def to_json(self) -> dict[str, Any]:
        """For a page that is kept."""
        return {
            "id": str(self.id),
            "score": self.score,
            "evidence": [[found.asked, found.part, found.score] for found in self.evidence],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Ranked:
        """What ``to_json`` gave."""
        return cls(UUID(data["id"]), data["score"], tuple(Evidence(*found) for found in data["evidence"]))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits in order.

    Attributes:
        hits: best first.
        complete: there are no others.
        best_refused: the best score of a post that is no hit; None where there was no other.
    """

    hits: tuple[Ranked, ...]
    complete: bool
    best_refused: float | None


def best(evidence: Sequence[Evidence]) -> float:
    """The score that evidence makes."""
    return evidence[0].score if len(evidence) == 1 else max(found.score for found in evidence)


def fuse(lists: Sequence[RankedList], min_score: float, negative: Mapping[UUID, float]) -> Ranking:
    """See the module. ``negative``: the relevance to what hits should not be like; a missing one is 0."""
    gains: dict[UUID, float] = defaultdict(float)
    found: dict[UUID, list[Evidence]] = defaultdict(list)
    refused: dict[UUID, float] = {}
    for ranked in lists:
        rank = 0
        for id, evidence in ranked.posts.items():
            score = best(evidence)
            if score < min_score:
                refused[id] = max(refused.get(id, 0.0), score)
                continue
            rank += 1
            gains[id] += ranked.weight / (RRF_K + rank)
            found[id] += [item for item in evidence if item.score >= min_score]
    hits = []
    for id, kept in found.items():
        against, relevance = negative.get(id, 0.0), best(kept)
        outweighed = against > 0.0 and against >= relevance
        score = relevance * (1.0 - against)
        if outweighed or score < min_score:
            refused[id] = 0.0 if outweighed else score
            continue
        gains[id] *= 1.0 - against
        hits.append(Ranked(id, score, tuple(sorted(kept, key=lambda item: -item.score))))
    hits.sort(key=lambda hit: (-gains[hit.id], -hit.score, hit.id))
    named = {hit.id for hit in hits}
    below = [score for id, score in refused.items() if id not in named]
    return Ranking(tuple(hits), all(ranked.complete for ranked in lists), max(below, default=None))


def behind(shown: tuple[Ranked, ...], ranking: Ranking) -> Ranking:
    """``shown`` first, then what else was ranked."""
    known = {hit.id for hit in shown}
    return replace(ranking, hits=shown + tuple(hit for hit in ranking.hits if hit.id not in known))


def best_of_groups(ranking: Ranking, groups: Mapping[UUID, str | None], size: int) -> Ranking:
    """At most ``size`` hits of each group; a post without a group stands for itself, one that is gone drops out."""
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for hit in ranking.hits:
        if hit.id not in groups:
            continue
        group = groups[hit.id]
        if group is not None:
            seen[group] += 1
            if seen[group] > size:
                continue
        kept.append(hit)
    return replace(ranking, hits=tuple(kept))
