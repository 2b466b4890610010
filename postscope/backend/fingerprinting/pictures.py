"""Pictures as they are asked about. Making one takes some 40 ms, and the stages need it one after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from postscope.indexing.copies.images import AskedImage, asked_image
from postscope.indexing.copies.scenes import SceneCodes, SceneReader

_KEPT: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What copies of a picture are found by (``codes``) and told by (``asked``)."""

    asked: AskedImage
    codes: SceneCodes


def picture_of(reader: SceneReader, image: Image.Image) -> Picture:
    """Of a decoded picture."""
    return Picture(asked_image(image), reader.codes(image))


class Pictures:
    """The pictures that were last made, by the SHA-256 of their files; some 60 kB each. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()

    def get(self, sha256: str, make: Callable[[], Picture]) -> Picture:
        """The picture of this file; what ``make`` raises is not remembered."""
        with self._lock:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
                return self._kept[sha256]
        made = make()
        with self._lock:
            self._kept[sha256] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made
