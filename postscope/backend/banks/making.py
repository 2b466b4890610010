"""Content that is not in the banks yet: to make an entry of, or to ask the banks about without keeping it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
from PIL import Image
from sqlalchemy import select

from postscope.backend.banks import contents, entries
from postscope.backend.banks.contents import image_vectors, text_vectors
from postscope.backend.banks.entries import Content, NewSignal
from postscope.backend.banks.probing import Checkable, Unchecked, media_probe, text_probe
from postscope.backend.banks.schema import EntryIn
from postscope.backend.blobs import BlobError
from postscope.backend.errors import Conflict, Invalid
from postscope.backend.fetch_errors import FetchError
from postscope.backend.fingerprinting import keeping, making
from postscope.backend.fingerprinting.pictures import picture_of
from postscope.backend.models import SpaceModel
from postscope.backend.posts import get_post
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow, Upload
from postscope.indexing.fingerprints import PDQ_QUALITY
from postscope.indexing.known.matching import Probe
from postscope.indexing.known.signals import Frame, pack_frames
from postscope.indexing.media.errors import MediaError
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors


@dataclass(frozen=True, slots=True)
class GivenMedium:
    """A medium that came with a question: its bytes, or why they are not there."""

    data: bytes | None
    problem: Unchecked | None = None


def entry_content(runtime: Runtime, given: EntryIn) -> Content:
    """The hashes and vectors of a new entry.

    Raises:
        NotFound: there is no such post.
        Conflict: ``not_fingerprinted``: the post was not looked at yet, or has changed since.
        Invalid: there is no such upload, its file cannot be read, a video can only be heard, or a hash is none; names
            the field.
    """
    if given.post_id is not None:
        return _of_post(runtime, given.post_id)
    if given.upload_id is not None:
        return _of_upload(runtime, given.upload_id)
    content = entries.of_hashes(given.hashes)
    texts = [signal.text for signal in content.signals if signal.text is not None]
    if not texts:
        return content
    return Content(content.signals, *_in_space(runtime.live, texts=texts))


def checkable(runtime: Runtime, model: SpaceModel, text: str | None, media: Sequence[GivenMedium]) -> Checkable:
    """Content that is not kept, as the banks are asked about it; what cannot be read is said."""
    probes: list[Probe] = []
    unchecked: list[Unchecked] = []
    if text is not None and normalise(text):
        with runtime.gate.query():
            vectors = text_vectors(model, [text])
        probe = text_probe(making.of_text(text), vectors)
        probes += [] if probe is None else [probe]
    for place, medium in enumerate(media):
        if medium.data is None:
            unchecked += [] if medium.problem is None else [medium.problem]
            continue
        try:
            shown = contents.open_content(runtime, medium.data)
        except contents.NotShown as error:
            probes.append(media_probe(place, making.of_file(medium.data)))
            unchecked.append(Unchecked("media", place, error.code, error.reason))
        else:
            with runtime.gate.query():
                probes.append(_shown_probe(runtime, model, place, medium.data, shown))
            if shown.unseen is not None:
                unchecked.append(Unchecked("media", place, shown.unseen.code, shown.unseen.reason))
    return Checkable(tuple(probes), tuple(unchecked))


def _shown_probe(runtime: Runtime, model: SpaceModel, place: int, data: bytes, shown: contents.Shown) -> Probe:
    hashes = making.of_file(data)
    vectors = image_vectors(model, shown.images) if shown.images else None
    if not shown.images or shown.moving:
        for number, image in enumerate(shown.images):
            hashes += making.of_image(image, frame=number)
        return replace(media_probe(place, hashes, vectors), sound=shown.sound)
    [image] = shown.images
    return media_probe(place, [*hashes, *making.of_image(image)], vectors, picture_of(runtime.scenes, image))


def given_upload(runtime: Runtime, upload_id: UUID, field: str) -> GivenMedium:
    """The file of an upload.

    Raises:
        Invalid: there is no such upload.
    """
    return GivenMedium(upload_bytes(runtime, upload_id, field))


def given_url(runtime: Runtime, url: str, place: int) -> GivenMedium:
    """The file at a URL, or why it cannot be had."""
    try:
        with runtime.fetcher.fetch(url) as fetched:
            return GivenMedium(Path(fetched.path).read_bytes())
    except FetchError as error:
        return GivenMedium(None, Unchecked("media", place, error.code, error.reason))


def upload_bytes(runtime: Runtime, upload_id: UUID, field: str) -> bytes:
    """The bytes of an upload.

    Raises:
        Invalid: there is none, or its file cannot be read.
    """
    with runtime.database.session() as session:
        upload = session.get(Upload, upload_id)
    if upload is None:
        raise Invalid.of(field, "there is no such upload")
    try:
        return runtime.blobs.get(upload.sha256)
    except BlobError as error:
        raise Invalid.of(field, f"its file cannot be read: {error}") from error


def _in_space(
    model: SpaceModel, *, texts: Sequence[str] = (), images: Sequence[Image.Image] = ()
) -> tuple[str, dict[str, Vectors]]:
    vectors: dict[str, Vectors] = {}
    if texts:
        vectors["text"] = text_vectors(model, texts)
    if images:
        vectors["media"] = image_vectors(model, images)
    return model.encoder.space.id, vectors


def _of_upload(runtime: Runtime, upload_id: UUID) -> Content:
    data = upload_bytes(runtime, upload_id, "upload_id")
    signals = _file_signals(data, 0)
    try:
        shown = contents.open_content(runtime, data)
    except contents.NotShown as error:
        raise Invalid.of("upload_id", f"its file cannot be read: {error}") from error
    if shown.unseen is not None:
        raise Invalid.of(
            "upload_id",
            f"of this video nothing but the sound can be read: {shown.unseen.reason}. An entry of it would match every "
            "video with that sound; to look for the sound, upload it as a sound",
        )
    if shown.moving:
        signals.append(NewSignal("vpdq", pack_frames(_frames(shown)), None, 0))
    elif shown.images:
        signals += _picture_signals(runtime, shown.images[0], 0)
    if shown.sound is not None:
        signals += [NewSignal(made.kind, made.value, None, 0) for made in making.of_sound(shown.sound)]  # type: ignore[arg-type]
    return Content(signals, *_in_space(runtime.live, images=shown.images))


def _frames(shown: contents.Shown) -> list[Frame]:
    """PDQs of a video's frames."""
    return [
        Frame(made.value, made.quality, second)
        for second, image in zip(shown.seconds, shown.images, strict=True)
        for made in making.of_image(image)
    ]


def _of_post(runtime: Runtime, post_id: UUID) -> Content:
    with runtime.database.session() as session:
        post, media = get_post(session, post_id)
        rows = list(
            session.scalars(
                select(FingerprintRow).where(FingerprintRow.post_id == post_id).order_by(FingerprintRow.seq)
            )
        )
        known = keeping.known(session, [post_id]).get(post_id)
        failures = {failure.media_id: failure for failure in keeping.failures(session, [post_id]).get(post_id, ())}
    if known != keeping.content_key(post, media):
        raise Conflict("the post has no fingerprints of its present content yet; see its status",
                       code="not_fingerprinted")  # fmt: skip
    signals: list[NewSignal] = [
        NewSignal("text" if row.kind == "text" else "shingles", row.value, post.text if row.kind == "text" else None)
        for row in rows
        if row.media_id is None and row.kind in ("text", "shingles")
    ]
    for medium in media:
        own = [row for row in rows if row.media_id == medium.id]
        # of a video that cannot be seen not its sound: it would match every video with that sound
        unseen = medium.id in failures and medium.kind == "video"
        kinds = ("sha256", "md5") if unseen else ("sha256", "md5", "sound", "sound_track")
        signals += [
            NewSignal(row.kind, row.value, None, medium.position)  # type: ignore[arg-type]
            for row in own
            if row.kind in kinds
        ]
        frames = [
            Frame(row.value, row.quality, row.seconds or 0.0)
            for row in own
            if row.kind == "pdq" and row.frame is not None
        ]
        if frames:
            signals.append(NewSignal("vpdq", pack_frames(frames), None, medium.position))
        elif any(row.kind == "pdq" for row in own) and medium.sha256 is not None:
            signals += _picture_signals_of(runtime, medium.sha256, medium.position)
    model = runtime.live
    stored = runtime.store.retrieve(model.collection, [post_id])
    vectors: dict[str, Vectors] = {}
    if stored and "text" in stored[0].dense:
        vectors["text"] = np.asarray(stored[0].dense["text"], np.float32)[None]
    if stored and "media" in stored[0].multi:
        vectors["media"] = stored[0].multi["media"]
    left_out = [
        Unchecked("media", medium.position, failures[medium.id].code, failures[medium.id].reason)
        for medium in media
        if medium.id in failures
    ]
    return Content(signals, model.encoder.space.id, vectors, left_out)


def _picture_signals_of(runtime: Runtime, sha256: str, place: int) -> list[NewSignal]:
    try:
        image = making.decode(runtime.blobs.get(sha256), runtime.asked_stills)
    except (BlobError, MediaError) as error:
        raise Conflict(f"medium {place}: its file cannot be read any more: {error}", code="file_lost") from error
    return _picture_signals(runtime, image, place)


def _file_signals(data: bytes, place: int) -> list[NewSignal]:
    return [NewSignal(made.kind, made.value, None, place) for made in making.of_file(data)]  # type: ignore[arg-type]


def _picture_signals(runtime: Runtime, image: Image.Image, place: int) -> list[NewSignal]:
    """PDQ of the picture as it is and as whoever turns or mirrors it makes it; and what edited copies are told by."""
    picture = picture_of(runtime.scenes, image)
    turned = dict.fromkeys(picture.asked.turned) if picture.asked.quality >= PDQ_QUALITY else {}
    return [
        *(NewSignal("pdq", value, None, place, turn) for turn, value in enumerate(turned)),
        *(NewSignal("scene", code, None, place) for code in picture.codes.kept),
        NewSignal("look", picture.asked.look.less().pack(), None, place),
    ]
