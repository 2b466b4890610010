"""Pictures shown to a classifier that ships its weights, and why it could say nothing of some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Literal

from PIL import Image
from pydantic import BaseModel, Field

from postscope.backend.blobs import BlobError
from postscope.backend.fingerprinting.making import decode
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media
from postscope.indexing.content_classifier import ClassifierMissing, ContentClassifier
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.sandbox.pool import SandboxDown

Reader = Callable[[], bytes]


class PictureOpinion(BaseModel):
    """What a classifier with weights of its own says of one picture."""

    classifier: str = Field(examples=["open_nsfw"])
    label: Literal["sexual"] = "sexual"
    place: int = Field(description="of the picture among the media")
    score: float = Field(examples=[0.03])
    threshold: float = Field(examples=[0.8])
    given: bool


class PictureUnseen(BaseModel):
    """A medium that the classifier could say nothing of, and why."""

    place: int = Field(description="of the medium", examples=[0])
    code: str = Field(examples=["no_decoder"])
    reason: str = Field(examples=["it cannot be decoded here"])


Said = tuple[list[PictureOpinion], list[PictureUnseen]]


def look(runtime: Runtime, files: Iterable[tuple[int, Reader]], unseen: Sequence[PictureUnseen] = ()) -> Said:
    """What the classifier says of media, and of which it could say nothing; neither where it is switched off.

    Whatever is broken here (a file, the process that decodes, the classifier) is said and takes nothing else away.

    Args:
        runtime: of this process.
        files: the place of each medium, and what reads its file.
        unseen: media that have no file.
    """
    if not runtime.settings.banks.sexual_classifier:
        return [], []
    images: list[tuple[int, Image.Image]] = []
    broken = list(unseen)
    for place, read in files:
        try:
            images.append((place, decode(read(), runtime.asked_stills)))
        except MediaError as error:
            broken.append(PictureUnseen(place=place, code=error.code, reason=error.reason))
        except BlobError as error:
            broken.append(PictureUnseen(place=place, code="file_lost", reason=f"the file cannot be read: {error}"))
        except SandboxDown as error:
            broken.append(PictureUnseen(place=place, code="no_decoder", reason=f"it cannot be decoded here: {error}"))
    try:
        opinions = _classify(runtime.content_classifier, images) if images else []
    except ClassifierMissing as error:
        opinions = []
        broken += [PictureUnseen(place=place, code="classifier_missing", reason=str(error)) for place, _ in images]
    return opinions, sorted(broken, key=lambda one: one.place)


def of_kept(runtime: Runtime, media: Sequence[Media]) -> Said:
    """Of the media of a post; as ``look``."""
    stills = [medium for medium in media if medium.sha256 is not None and (medium.mime or "").startswith("image/")]
    unseen = [_unseen(medium) for medium in media if medium not in stills]
    return look(runtime, _kept(runtime, stills), unseen)


def _unseen(medium: Media) -> PictureUnseen:
    if medium.sha256 is not None:  # videos may be large: they are not even read
        return PictureUnseen(place=medium.position, code="not_a_picture", reason="only still pictures are shown to it")
    code, reason = medium.error_code or medium.state, medium.error or "its file is not here"
    return PictureUnseen(place=medium.position, code=code, reason=reason)


def _kept(runtime: Runtime, media: Sequence[Media]) -> Iterator[tuple[int, Reader]]:
    for medium in media:
        yield medium.position, partial(runtime.blobs.get, medium.sha256 or "")


def _classify(classifier: ContentClassifier, images: Sequence[tuple[int, Image.Image]]) -> list[PictureOpinion]:
    said = classifier.classify([image for _, image in images])
    return [
        PictureOpinion(
            classifier=classifier.name,
            place=place,
            score=round(opinion.score, 4),
            threshold=opinion.threshold,
            given=opinion.score >= opinion.threshold,
        )
        for (place, _), opinion in zip(images, said, strict=True)
    ]
