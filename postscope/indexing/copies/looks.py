"""What is kept of a picture to tell copies of it for sure: local features, and a small grey picture.

Local features are ORB (Rublee et al. 2011) of the picture brought to at most 384 pixels, each a place and 256 bits. The
small picture is what two pictures are laid over each other with, once the features say how.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE: Final = 384
"""Longest side, in pixels, of the picture that features are found in."""
_LEAST_SIDE: Final = 320
"""Smaller pictures are enlarged to this: a patch of a feature takes 31 pixels."""
FEATURES: Final = 320
ASKED_FEATURES: Final = 640
_THIN: Final = 32
"""Pixels below which a side is too short for a feature, and for the pyramid that they are found in."""
_FOUND: Final = 2_000
_GRID: Final = 8
SMALL_SIDE: Final = 96
"""Longest side of the small grey picture."""

_HEADER: Final = struct.Struct("<BHHHBBB")
_VERSION: Final = 1
_PLACE_UNIT: Final = 128.0

Places = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Of one picture.

    Attributes:
        width: of the picture that the places are in, in pixels.
        height: of it.
        places: shape (n, 2), x and y of each feature.
        features: shape (n, 32), 256 bits each.
        small: shape (height, width), grey, the same picture with at most 96 pixels a side.
        colour: 0 for a grey picture to 255, the mean difference between its colours.
    """

    width: int
    height: int
    places: Places
    features: Bytes
    small: Bytes
    colour: int

    def pack(self) -> bytes:
        """At most 21 kB, usually 15."""
        rows, columns = self.small.shape
        head = _HEADER.pack(_VERSION, self.width, self.height, len(self.places), columns, rows, self.colour)
        places = np.clip(self.places * _PLACE_UNIT, 0, 65_535).astype("<u2")
        return b"".join((head, places.tobytes(), self.features.tobytes(), self.small.tobytes()))

    def less(self, features: int = FEATURES) -> Look:
        """With the first so many features, which are spread over the whole picture."""
        return replace(self, places=self.places[:features], features=self.features[:features])


def unpack(data: bytes) -> Look:
    """What ``pack`` gave.

    Raises:
        ValueError: it is something else.
    """
    if len(data) < _HEADER.size:
        raise ValueError("no look: too short")
    version, width, height, count, columns, rows, colour = _HEADER.unpack_from(data)
    places_end = _HEADER.size + 4 * count
    features_end = places_end + 32 * count
    if version != _VERSION or len(data) != features_end + columns * rows:
        raise ValueError("no look of this version")
    places = np.frombuffer(data, "<u2", 2 * count, _HEADER.size).reshape(count, 2).astype(np.float32) / _PLACE_UNIT
    features = np.frombuffer(data, np.uint8, 32 * count, places_end).reshape(count, 32)
    small = np.frombuffer(data, np.uint8, columns * rows, features_end).reshape(rows, columns)
    return Look(width, height, places, features, small, colour)


def look_at(image: Image.Image, *, features: int = FEATURES) -> Look:
    """Of a picture of any size and mode.

    Args:
        image: the picture.
        features: at most as many; the look of a picture that is only asked about can afford more than one that is
            kept.
    """
    import cv2

    rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    colour = int(min(255.0, 4.0 * float(np.ptp(rgb[::4, ::4].astype(np.int16), axis=2).mean())))
    picture = _fitted(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    height, width = picture.shape
    finder: Any = cv2.ORB.create(nfeatures=_FOUND, fastThreshold=7, edgeThreshold=15, patchSize=31)
    found = finder.detect(picture, None) if min(width, height) >= _THIN else ()
    points = _spread(list(found), width, height, features)
    for rank, point in enumerate(points):
        point.class_id = rank  # ORB gives them back by their size
    points, described = finder.compute(picture, points)
    if described is None:
        points, described = [], np.empty((0, 32), np.uint8)
    order = np.argsort([point.class_id for point in points]).astype(int)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return Look(width, height, places[order], described[order], _small(picture), colour)


def _spread(points: list[Any], width: int, height: int, most: int) -> list[Any]:
    """The strongest of each field of a grid in turn: the letters of a caption would else take every place."""
    fields: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for point in sorted(points, key=lambda point: (-point.response, point.pt)):
        x, y = point.pt
        fields[int(_GRID * x / width), int(_GRID * y / height)].append(point)
    # The first of the ranks are spread as well as all of them.
    ranked = [(rank, -point.response, point) for field in fields.values() for rank, point in enumerate(field)]
    ranked.sort(key=lambda item: item[:2])
    return [point for _, _, point in ranked[:most]]


def mirrored(image: Image.Image) -> Image.Image:
    """Left for right: features of a picture say nothing of its mirror image, so that is looked at too."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _fitted(grey: Bytes) -> Bytes:
    import cv2

    height, width = grey.shape
    longest = max(height, width)
    wanted = min(SIDE, max(longest, _LEAST_SIDE))
    if wanted == longest:
        return grey
    size = (max(1, round(width * wanted / longest)), max(1, round(height * wanted / longest)))
    how = cv2.INTER_AREA if wanted < longest else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def _small(picture: Bytes) -> Bytes:
    import cv2

    height, width = picture.shape
    scale = SMALL_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
