"""The texts of a post: what its author wrote, what is said in its media, what is written in its pictures.

Each is encoded alone and the vectors are averaged. In one string the longest part drowns the others: with a sentence
by the author and three that are spoken, the one string found posts by the author's sentence a fifth worse than the
average did (``tests/benchmarks/bench_fusion.py`` measures it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vector

CHUNK: Final = 1_000
"""Characters that are encoded at once: text models read some 500 tokens and ignore the rest."""
MAX_CHUNKS: Final = 8
"""Of one part; of a longer one, chunks at even distances from its beginning to its end."""


@dataclass(frozen=True, slots=True)
class TextWeights:
    """How much each text counts in the ``text`` vector; a text that a post does not have counts nothing."""

    own: float = 1.0
    spoken: float = 1.0
    written: float = 1.0


@dataclass(frozen=True, slots=True)
class TextPart:
    """One text of a post, cut to what is encoded."""

    weight: float
    chunks: tuple[str, ...]


def text_parts(own: str, spoken: str, written: str, weights: TextWeights) -> list[TextPart]:
    """The texts that are there and count, normalised. The author's own is never cut; the model does that."""
    whole = normalise(own)
    parts = [TextPart(weights.own, (whole,) if whole else ())]
    parts += [TextPart(weights.spoken, chunks(spoken)), TextPart(weights.written, chunks(written))]
    return [part for part in parts if part.weight > 0 and part.chunks]


def chunks(text: str) -> tuple[str, ...]:
    """Consecutive lines put together up to ``CHUNK`` characters, normalised; longer lines are cut between words."""
    found: list[str] = []
    for line in filter(None, map(normalise, text.split("\n"))):
        for piece in _pieces(line):
            if found and len(found[-1]) + 1 + len(piece) <= CHUNK:
                found[-1] = f"{found[-1]} {piece}"
            else:
                found.append(piece)
    if len(found) > MAX_CHUNKS:
        places = np.linspace(0, len(found) - 1, MAX_CHUNKS).round().astype(int).tolist()
        found = [found[place] for place in places]
    return tuple(found)


def _pieces(line: str) -> list[str]:
    pieces: list[str] = []
    while len(line) > CHUNK:
        cut = line.rfind(" ", 1, CHUNK + 1)
        cut = CHUNK if cut < 1 else cut
        pieces.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
    return [*pieces, line] if line else pieces


def join(parts: Sequence[TextPart], vectors: Mapping[str, Vector]) -> Vector | None:
    """The ``text`` vector: the weighted mean of the parts, each the mean of its chunks; None without any part."""
    if len(parts) == 1 and len(parts[0].chunks) == 1:
        return vectors[parts[0].chunks[0]]
    total: Vector | None = None
    for part in parts:
        mean = np.mean([vectors[chunk] for chunk in part.chunks], axis=0)
        weighted = part.weight * mean / max(float(np.linalg.norm(mean)), 1e-12)
        total = weighted if total is None else total + weighted
    if total is None:
        return None
    length = float(np.linalg.norm(total))
    # Texts that point in opposite directions leave nothing to average: then the first one stands for all.
    return vectors[parts[0].chunks[0]] if length < 1e-6 else (total / length).astype(np.float32)
