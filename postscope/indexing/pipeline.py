"""One batch of posts to points. Read this first.

Text and images are encoded in one go each, centred by the space's stored means (so that the modality gap is gone),
and fused into the ``post`` vector. A part that is missing or broken contributes nothing; a broken one says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from PIL import Image

from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.gate import PriorityGate
from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.image import open_image
from postscope.indexing.media.parts import MediaKind
from postscope.indexing.normalise import normalise
from postscope.indexing.stores.base import FieldKind
from postscope.indexing.types import Payload, PayloadValue, Point, SparseVector, Vector, Vectors

PAYLOAD_FIELDS: Mapping[str, FieldKind] = {
    "source": "keyword",
    "author": "keyword",
    "language": "keyword",
    "created": "integer",
    "media": "keyword",
    "tags": "keyword",
    "metrics.likes": "float",
    "metrics.comments": "float",
    "metrics.shares": "float",
    "metrics.views": "float",
}
"""Indexed payload fields of a collection; free ``metadata`` is filtered without an index."""

IMAGE_TARGET = 320
"""Short side, in pixels, that a JPEG may be decoded down to: no model looks at more."""

TEXT_SLICE = 8
IMAGE_SLICE = 4
DECODED_AHEAD = 64


@dataclass(frozen=True, slots=True)
class MediumPart:
    """One medium of a post.

    Attributes:
        position: its place among the media.
        kind: image, video or audio.
        pictures: how to get at the bytes of each picture of it: an image is one, a video has its frames in the order
            of time, audio none. They become rows of ``media``, in this order; of a medium with one that cannot be read
            there is none.
    """

    position: int
    kind: MediaKind
    pictures: tuple[Callable[[], bytes], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of one post when it is to be indexed."""

    id: UUID
    text: str
    media: tuple[MediumPart, ...]
    payload: Payload


@dataclass(frozen=True, slots=True)
class PartFailure:
    """A part that could not be understood, and why."""

    position: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """A post's point, and the parts that are not in it."""

    point: Point
    failures: tuple[PartFailure, ...]


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each modality counts in the fused vector."""

    text: float = 1.0
    media: float = 1.0


class Pipeline:
    """Turns content into points of one space. Safe to call from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        calibration: SpaceCalibration,
        keywords: KeywordEncoder,
        *,
        weights: FusionWeights,
        max_pixels: int,
        gate: PriorityGate | None = None,
        decoders: int = 2,
    ) -> None:
        self._encoder = encoder
        self._calibration = calibration
        self._keywords = keywords
        self._weights = weights
        self._max_pixels = max_pixels
        self._gate = gate or PriorityGate()
        self._pool = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def close(self) -> None:
        """Stop the decoding threads."""
        self._pool.shutdown(cancel_futures=True)

    def index(self, batch: Sequence[Content]) -> list[Indexed]:
        """Points of a batch, in its order."""
        matched = [normalise(content.text) for content in batch]
        texts = self._texts(matched)
        media, failures = self._media(batch)
        return [
            Indexed(self._point(content, words, texts[i], media[i], failures[i]), tuple(failures[i]))
            for i, (content, words) in enumerate(zip(batch, matched, strict=True))
        ]

    def _decoded(self, batch: Sequence[Content]) -> Iterator[tuple[int, MediumPart, list[Future[Image.Image]]]]:
        """Every medium with its owner's place, decoded ahead of the encoder, but never more than a few pictures:
        a batch of videos has thousands."""
        ahead: deque[tuple[int, MediumPart, list[Future[Image.Image]]]] = deque()
        pictures = 0
        for owner, content in enumerate(batch):
            for part in content.media:
                ahead.append((owner, part, [self._pool.submit(self._decode, read) for read in part.pictures]))
                pictures += len(part.pictures)
                while pictures > DECODED_AHEAD and len(ahead) > 1:
                    pictures -= len(ahead[0][2])
                    yield ahead.popleft()
        yield from ahead

    def _decode(self, read: Callable[[], bytes]) -> Image.Image:
        return open_image(read(), max_pixels=self._max_pixels, target=IMAGE_TARGET)

    def _texts(self, texts: Sequence[str]) -> list[Vector | None]:
        # Sorted by length over the whole batch, so that a slice wastes no time on padding.
        order = sorted((i for i, words in enumerate(texts) if words), key=lambda i: len(texts[i]))
        vectors: list[Vector | None] = [None] * len(texts)
        for start in range(0, len(order), TEXT_SLICE):
            self._gate.pause_for_queries()
            chosen = order[start : start + TEXT_SLICE]
            encoded = self._calibration.centre_texts(self._encoder.encode_texts([texts[i] for i in chosen]))
            for i, vector in zip(chosen, encoded, strict=True):
                vectors[i] = vector
        return vectors

    def _media(self, batch: Sequence[Content]) -> tuple[list[Vectors | None], list[list[PartFailure]]]:
        failures: list[list[PartFailure]] = [[] for _ in batch]
        rows: list[list[Vector]] = [[] for _ in batch]
        waiting: list[tuple[int, Image.Image]] = []

        def flush(at_least: int) -> None:
            while len(waiting) >= at_least:
                self._gate.pause_for_queries()
                slice_, waiting[:] = waiting[:IMAGE_SLICE], waiting[IMAGE_SLICE:]
                encoded = self._calibration.centre_images(self._encoder.encode_images([image for _, image in slice_]))
                for (owner, _), vector in zip(slice_, encoded, strict=True):
                    rows[owner].append(vector)

        for owner, part, pictures in self._decoded(batch):
            try:
                waiting += [(owner, picture.result()) for picture in pictures]
            except MediaError as error:
                failures[owner].append(PartFailure(part.position, error.code, error.reason))
            flush(IMAGE_SLICE)
        flush(1)
        return [np.stack(found) if found else None for found in rows], failures

    def _point(
        self,
        content: Content,
        words: str,
        text: Vector | None,
        media: Vectors | None,
        failures: Sequence[PartFailure],
    ) -> Point:
        dense: dict[str, Vector] = {}
        if text is not None:
            dense["text"] = text
        fused = fuse(text, media, self._weights)
        if fused is not None:
            dense["post"] = fused
        sparse = self._keywords.document(words) if words else SparseVector((), ())
        payload = dict(content.payload)
        broken = {failure.position for failure in failures}
        kinds: list[PayloadValue] = [*sorted({part.kind for part in content.media if part.position not in broken})]
        if kinds:
            payload["media"] = kinds
        return Point(
            id=content.id,
            dense=dense,
            multi={} if media is None else {"media": media},
            sparse={"keywords": sparse} if sparse else {},
            payload=payload,
        )


def fuse(text: Vector | None, media: Vectors | None, weights: FusionWeights) -> Vector | None:
    """The ``post`` vector: the weighted mean of the parts that are there, of unit length; None without any part."""
    total: Vector | None = None
    if text is not None and weights.text > 0:
        total = weights.text * text
    if media is not None and weights.media > 0:
        mean = media.mean(axis=0)
        mean = weights.media * mean / max(float(np.linalg.norm(mean)), 1e-12)
        total = mean if total is None else total + mean
    if total is None:
        return None
    length = float(np.linalg.norm(total))
    # Two parts that point in opposite directions leave nothing to fuse.
    return None if length < 1e-6 else (total / length).astype(np.float32)
