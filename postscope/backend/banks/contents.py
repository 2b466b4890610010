"""What files show, and the vectors of it; the same whenever the vectors of an entry are made."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from PIL import Image

from postscope.backend.fingerprinting import making
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.sandbox.pool import SandboxDown
from postscope.indexing.media.understand import NoPrint
from postscope.indexing.normalise import normalise
from postscope.indexing.sound_prints import SoundPrint
from postscope.indexing.types import Vectors


class NotShown(Exception):
    """A file that nothing can be seen or heard in, and why: a code for machines, and a sentence for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Shown:
    """What is in a file: one picture, frames with their seconds, a sound.

    Attributes:
        unseen: why there are no frames of a video, which is then known by its sound alone.
    """

    images: Sequence[Image.Image]
    seconds: Sequence[float] = ()
    sound: SoundPrint | None = None
    unseen: NoPrint | None = None

    @property
    def moving(self) -> bool:
        """Whether it is a video or an animation."""
        return bool(self.seconds)


def open_content(runtime: Runtime, data: bytes) -> Shown:
    """The picture in a file, or the frames and the sound of a video, which is taken apart in a process of its own.

    Raises:
        NotShown: it cannot be decoded, or has neither pictures nor a sound that it can be told by.
    """
    media, stills = runtime.settings.media, runtime.asked_stills
    try:
        info = stills.inspect(data, max_bytes=media.max_bytes)
        if info.kind == "image":
            return Shown([making.decode(data, stills)])
        with tempfile.TemporaryFile(prefix="medium-") as file:
            file.write(data)
            file.flush()
            file.seek(0)
            opened = runtime.opener.open(cast(BinaryIO, file), info.kind, info.mime)
        if opened.problem is not None:
            raise NotShown(opened.problem.code, opened.problem.reason)
        frames = opened.shown.frames
        images = [making.decode(jpeg, stills) for _, jpeg in frames]
        sound = opened.sound if isinstance(opened.sound, SoundPrint) else None
        return Shown(images, [second for second, _ in frames], sound, opened.unseen)
    except MediaError as error:
        raise NotShown(error.code, error.reason) from error
    except SandboxDown as error:
        raise NotShown("no_decoder", f"it cannot be decoded here: {error}") from error


def text_vectors(model: SpaceModel, texts: Sequence[str]) -> Vectors:
    """Vectors of texts as those of posts are: centred, of unit length."""
    return model.calibration.centre_texts(model.encoder.encode_texts([normalise(text) for text in texts]))


def image_vectors(model: SpaceModel, images: Sequence[Image.Image]) -> Vectors:
    """Vectors of pictures as those of posts are: centred, of unit length."""
    return model.calibration.centre_images(model.encoder.encode_images(images))
