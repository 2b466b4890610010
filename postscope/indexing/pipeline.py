"""One batch of posts to points. Read this first.

Texts and images are encoded in one go each, centred by the space's stored means (so that the modality gap is gone),
and fused into the ``post`` vector. The text of a post is what its author wrote, what is said in its media and what is
written in its pictures. A part that is missing or broken contributes nothing; a broken one says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import numpy as np
from PIL import Image

from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.fusion import FusionWeights, as_one, fuse
from postscope.indexing.gate import PriorityGate
from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.parts import MediaKind
from postscope.indexing.media.stills import Stills
from postscope.indexing.recent import RecentVectors
from postscope.indexing.stores.base import FieldKind
from postscope.indexing.text_parts import join, text_parts
from postscope.indexing.types import Payload, PayloadValue, Point, Vector, Vectors

PAYLOAD_FIELDS: Mapping[str, FieldKind] = {
    "source": "keyword",
    "author": "keyword",
    "language": "keyword",
    "created": "integer",
    "media": "keyword",
    "tags": "keyword",
    "labels": "keyword",
    "topics": "keyword",
    "metrics.likes": "float",
    "metrics.comments": "float",
    "metrics.shares": "float",
    "metrics.views": "float",
}
"""Indexed payload fields of a collection; free ``metadata`` is filtered without an index."""

IMAGE_TARGET = 320
"""Short side, in pixels, that a JPEG may be decoded down to: no model looks at more."""

RECIPE = 2
"""Raised when other vectors are made of the same content with the same encoder; each point names the one that it was
made by. 2: all frames of a video count as one picture in the fused vector."""

TEXT_SLICE, CALM_TEXT_SLICE = 8, 64
IMAGE_SLICE, CALM_IMAGE_SLICE = 4, 8
"""What is encoded while a query may come, and while nobody has asked for a while."""
FLOOD_SLICE = 1
"""Pictures of videos that are encoded before texts are looked for: one by one they take no longer."""
DECODING_PAUSE = 0.02
"""Seconds that texts wait for a picture that is being decoded."""
DECODED_AHEAD = 64
RECENT = 4_096
"""Vectors of texts, and as many of pictures, that are kept for what comes again: 6 MB each at 384 dimensions."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: a name that stands for its bytes, such as their hash, and how to get at them."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class MediumPart:
    """One medium of a post.

    Attributes:
        position: its place among the media.
        kind: image, video or audio.
        pictures: of it: an image is one, a video has its frames in the order of time, audio none. They become rows of
            ``media``, in this order; of a medium with one that cannot be read there is none.
    """

    position: int
    kind: MediaKind
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of one post when it is to be indexed.

    Attributes:
        text: what its author wrote.
        spoken: what is said in its media, a line a stretch of speech.
        written: what is written in its pictures, line by line.
    """

    id: UUID
    text: str
    media: tuple[MediumPart, ...]
    payload: Payload
    spoken: str = ""
    written: str = ""


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


_Waiting: TypeAlias = "tuple[str, Future[Image.Image] | Vector]"
"""A picture's name, and itself as soon as it is decoded, or the vector that it has from before."""


class Pipeline:
    """Turns content into points of one space. Safe to call from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        calibration: SpaceCalibration,
        keywords: KeywordEncoder,
        *,
        weights: FusionWeights,
        stills: Stills,
        gate: PriorityGate | None = None,
        decoders: int = 2,
    ) -> None:
        self._encoder = encoder
        self._calibration = calibration
        self._keywords = keywords
        self._weights = weights
        self._stills = stills
        self._gate = gate or PriorityGate()
        self._recent_texts = RecentVectors(RECENT)
        self._recent_pictures = RecentVectors(RECENT)
        self._pool = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def close(self) -> None:
        """Stop the decoding threads."""
        self._pool.shutdown(cancel_futures=True)

    def index(self, batch: Sequence[Content], *, between: Callable[[], object] | None = None) -> list[Indexed]:
        """Points of a batch, in its order.

        Args:
            between: called before each slice of pictures but the first, and again and again while one is waited for, so
                that what is in more of a hurry than a long video can be done in between; it may index another batch.
        """
        parts = [text_parts(content.text, content.spoken, content.written, self._weights.texts) for content in batch]
        texts = self._texts([chunk for some in parts for part in some for chunk in part.chunks])
        media, failures = self._media(batch, between)
        return [
            Indexed(self._point(content, join(parts[i], texts), media[i], failures[i]), tuple(failures[i]))
            for i, content in enumerate(batch)
        ]

    def encode_texts(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Centred vectors of normalised texts, each as a document of its own; for a query, which waits for nobody."""
        return self._texts(texts, for_query=True)

    def _decoded(self, batch: Sequence[Content]) -> Iterator[tuple[int, MediumPart, list[_Waiting]]]:
        """Every medium with its owner's place, decoded ahead of the encoder, but never more than a few pictures:
        a batch of videos has thousands."""
        ahead: deque[tuple[int, MediumPart, list[_Waiting]]] = deque()
        pictures = 0
        for owner, content in enumerate(batch):
            for part in content.media:
                ahead.append((owner, part, [self._begin(picture) for picture in part.pictures]))
                pictures += len(part.pictures)
                while pictures > DECODED_AHEAD and len(ahead) > 1:
                    pictures -= len(ahead[0][2])
                    yield ahead.popleft()
        yield from ahead

    def _begin(self, picture: Picture) -> _Waiting:
        known = self._recent_pictures.get(picture.name)
        return picture.name, self._pool.submit(self._decode, picture.read) if known is None else known

    def fused(self, text: Vector | None, media: Vectors | None) -> Vector | None:
        """The ``post`` vector of centred parts, with the weights of this space; see ``fuse``."""
        return fuse(text, media, self._weights)

    def _decode(self, read: Callable[[], bytes]) -> Image.Image:
        return self._stills.open(read(), target=IMAGE_TARGET)

    def _texts(self, texts: Sequence[str], *, for_query: bool = False) -> dict[str, Vector]:
        def encode(chosen: Sequence[str]) -> list[Vector]:
            if not for_query:
                self._gate.pause_for_queries()
            return list(self._calibration.centre_texts(self._encoder.encode_texts(chosen)))

        # Sorted by length over the whole batch, so that a slice wastes no time on padding.
        return self._recent_texts.all_of(
            sorted(texts, key=len), encode, slice_of=self._gate.slice_of(TEXT_SLICE, CALM_TEXT_SLICE)
        )

    def _media(
        self, batch: Sequence[Content], between: Callable[[], object] | None
    ) -> tuple[list[list[Vectors]], list[list[PartFailure]]]:
        """Vectors of the media of each post, an array (pictures, dimension) a medium, and what could not be read."""
        failures: list[list[PartFailure]] = [[] for _ in batch]
        rows: list[list[list[Vector | None]]] = [[] for _ in batch]
        waiting: list[tuple[list[Vector | None], int, str, Image.Image]] = []
        begun = False
        # Where texts may come in between they are waited for no longer than queries are.
        size = FLOOD_SLICE if between is not None else self._gate.slice_of(IMAGE_SLICE, CALM_IMAGE_SLICE)

        def flush(at_least: int) -> None:
            nonlocal begun
            while len(waiting) >= at_least:
                self._gate.pause_for_queries()
                if between is not None and begun:
                    between()
                begun = True
                slice_, waiting[:] = waiting[:size], waiting[size:]
                encoded = self._calibration.centre_images(self._encoder.encode_images([image for *_, image in slice_]))
                for (medium, row, name, _), vector in zip(slice_, encoded, strict=True):
                    medium[row] = vector
                    self._recent_pictures.put(name, vector)

        for owner, part, pictures in self._decoded(batch):
            try:
                ready = [
                    (name, _result(found, between) if isinstance(found, Future) else found) for name, found in pictures
                ]
            except MediaError as error:
                failures[owner].append(PartFailure(part.position, error.code, error.reason))
                continue
            medium: list[Vector | None] = []
            for name, found in ready:
                if isinstance(found, Image.Image):
                    waiting.append((medium, len(medium), name, found))
                medium.append(None if isinstance(found, Image.Image) else found)
            if medium:
                rows[owner].append(medium)
            flush(size)
        flush(1)
        stacked = [[np.stack([row for row in medium if row is not None]) for medium in found] for found in rows]
        return stacked, failures

    def _point(
        self,
        content: Content,
        text: Vector | None,
        media: Sequence[Vectors],
        failures: Sequence[PartFailure],
    ) -> Point:
        dense: dict[str, Vector] = {}
        if text is not None:
            dense["text"] = text
        fused = fuse(text, np.stack([as_one(medium) for medium in media]) if media else None, self._weights)
        if fused is not None:
            dense["post"] = fused
        sparse = self._keywords.document_of((content.text, content.spoken, content.written))
        payload = {**content.payload, "recipe": RECIPE}
        broken = {failure.position for failure in failures}
        kinds: list[PayloadValue] = [*sorted({part.kind for part in content.media if part.position not in broken})]
        if kinds:
            payload["media"] = kinds
        return Point(
            id=content.id,
            dense=dense,
            multi={"media": np.concatenate(media)} if media else {},
            sparse={"keywords": sparse} if sparse else {},
            payload=payload,
        )


def _result(decoding: Future[Image.Image], between: Callable[[], object] | None) -> Image.Image:
    """A picture as soon as it is decoded; meanwhile, what is in more of a hurry: a video has dozens to wait for."""
    while between is not None and not wait([decoding], timeout=DECODING_PAUSE).done:
        between()
    return decoding.result()
