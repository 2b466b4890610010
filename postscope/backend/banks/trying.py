"""What a dry run has seen: how many posts would match, how far from the entries, and which for example."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from postscope.backend.banks.history import Hit, Resembling
from postscope.indexing.known.index import KnownIndex
from postscope.indexing.known.matching import Found

EXAMPLES: Final = 20
_STEPS: Final = 20
"""Relevances are told in so many steps from 0 to 1."""


@dataclass(slots=True)
class Tried:
    """The count of a dry run; it grows with what is found, not with what is looked through.

    Attributes:
        copies: of each post that would match, the entries that it is a copy of.
        alike: posts that look like an entry that they are no copy of.
        by_distance: of PDQ and shingles, how many pairs of fingerprint and entry at each distance in bits, also beyond
            the thresholds, so that another one can be chosen.
        by_relevance: of texts and media, how many pairs of post and entry from each relevance up to the next, in steps
            of a twentieth, from the least that may be set.
        examples: a few of the posts, the nearest first.
        alike_examples: a few of those that look alike, the most alike first.
    """

    copies: dict[UUID, set[UUID]] = field(default_factory=dict)
    alike: set[UUID] = field(default_factory=set)
    by_distance: dict[str, dict[int, int]] = field(default_factory=dict)
    by_relevance: dict[str, dict[int, int]] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    alike_examples: list[dict[str, Any]] = field(default_factory=list)

    def note_hits(self, hits: Sequence[Hit]) -> None:
        """Take the distances of a batch into the count."""
        for hit in hits:
            if hit.row.kind in ("pdq", "shingles"):
                counts = self.by_distance.setdefault(hit.row.kind, {})
                counts[hit.bits] = counts.get(hit.bits, 0) + 1

    def note_copies(self, found: Mapping[UUID, Sequence[Found]]) -> None:
        """Take what was confirmed of a batch into the count; a post that was there before is not counted again."""
        for post_id, matches in found.items():
            if post_id not in self.copies:
                best = matches[0]
                told = _told(post_id, best.entry, best.kind, best.part, best.score) | {
                    "distance": round(best.distance, 4)
                }
                self.examples = sorted([*self.examples, told], key=_best_first)[:EXAMPLES]
            self.copies.setdefault(post_id, set()).update(match.entry for match in matches)

    def note_alike(self, index: KnownIndex, found: Sequence[Resembling], now: float) -> None:
        """Take the look-alikes of a batch of posts into the count; after the copies, since a copy is no look-alike."""
        best: dict[UUID, dict[str, Any]] = {}
        for one in found:
            entry, _ = index.entry(one.place)
            if entry in self.copies.get(one.post_id, ()) or not index.alive(one.place, now):
                continue
            counts = self.by_relevance.setdefault(one.part, {})
            step = math.floor(one.score * _STEPS)
            counts[step] = counts.get(step, 0) + 1
            known = best.get(one.post_id)
            if one.score >= index.threshold(one.place, "look_alike") and (known is None or known["score"] < one.score):
                best[one.post_id] = _told(one.post_id, entry, "vector", one.part, one.score)
        self.alike |= best.keys()
        self.alike_examples = sorted([*self.alike_examples, *best.values()], key=_best_first)[:EXAMPLES]

    def result(self) -> dict[str, Any]:
        """As the run shows it."""
        return {
            "posts": len(self.copies),
            "by_distance": {
                kind: {str(bits): count for bits, count in sorted(counts.items())}
                for kind, counts in sorted(self.by_distance.items())
            },
            "examples": self.examples,
            "look_alikes": len(self.alike),
            "by_relevance": {
                part: {f"{step / _STEPS:.2f}": count for step, count in sorted(counts.items())}
                for part, counts in sorted(self.by_relevance.items())
            },
            "look_alike_examples": self.alike_examples,
        }


def _told(post_id: UUID, entry: UUID, kind: str, part: str, score: float) -> dict[str, Any]:
    return {
        "post_id": str(post_id), "entry_id": str(entry), "kind": kind, "part": part, "score": round(score, 4)
    }  # fmt: skip


def _best_first(example: Mapping[str, Any]) -> tuple[float, str]:
    return -float(example["score"]), str(example["post_id"])
