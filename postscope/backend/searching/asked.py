"""What a search asks for, as vectors and words: all that is needed to rank, and to rank deeper later."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import numpy as np

from postscope.backend.searching.requests import SearchRequest
from postscope.indexing.calibration import Part, QueryKind, SpaceCalibration
from postscope.indexing.types import Filter, Vector

What = Literal["text", "image", "post"]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A centred unit vector (dim,) to compare with parts of posts.

    Attributes:
        vector: it.
        kind: of what it was made from.
        parts: to compare it with.
        same_as: the part that is content of its own kind: images of an image, texts of a post's text. None for what
            was typed: a query is not the text that answers it.
    """

    vector: Vector
    kind: QueryKind
    parts: tuple[Part, ...]
    same_as: Part | None

    def to_json(self) -> dict[str, Any]:
        """For a page that is kept."""
        encoded = base64.b64encode(self.vector.astype("<f4").tobytes()).decode()
        return {"vector": encoded, "kind": self.kind, "parts": list(self.parts), "same_as": self.same_as}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Probe:
        """What ``to_json`` gave."""
        vector = np.frombuffer(base64.b64decode(data["vector"]), dtype="<f4").astype(np.float32)
        return cls(vector, data["kind"], tuple(data["parts"]), data["same_as"])


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One thing that was asked for.

    Attributes:
        what: it was.
        weight: of its rankings.
        words: to be found exactly; None where words do not count.
        probes: to be compared by meaning; none where meaning does not count.
    """

    what: What
    weight: float
    words: str | None
    probes: tuple[Probe, ...]

    def to_json(self) -> dict[str, Any]:
        """For a page that is kept."""
        probes = [probe.to_json() for probe in self.probes]
        return {"what": self.what, "weight": self.weight, "words": self.words, "probes": probes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Asked:
        """What ``to_json`` gave."""
        probes = tuple(Probe.from_json(probe) for probe in data["probes"])
        return cls(data["what"], data["weight"], data["words"], probes)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A request whose parts were resolved.

    Attributes:
        request: as it came.
        positive: what hits are like.
        negative: what they are not like.
        filter: which posts may be hits; the posts asked with may not.
        min_score: of a hit.
        collection: of the space that the vectors belong to; they mean nothing in another.
        calibration: of that space.
    """

    request: SearchRequest
    positive: tuple[Asked, ...]
    negative: tuple[Asked, ...]
    filter: Filter | None
    min_score: float
    collection: str
    calibration: SpaceCalibration


def own_posts(request: SearchRequest) -> tuple[UUID, ...]:
    """The posts that were searched with: they are like themselves, which nobody needs to be told."""
    return tuple(part.post_id for _, part in request.positives() if part.post_id is not None)
