"""Checks content that is not stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from uuid import UUID

from postscope.backend.blob_files import as_file
from postscope.backend.blobs import BlobError
from postscope.backend.duplicates.asking import Asked, AskedMedium, Unreadable, asked_still, asked_video, picture_in
from postscope.backend.duplicates.comparing import find, places_of, searches
from postscope.backend.duplicates.matching import Matched
from postscope.backend.duplicates.reading import Verdict, groups_of
from postscope.backend.errors import Invalid
from postscope.backend.fetch_errors import FetchError
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage
from postscope.backend.tables import Upload
from postscope.indexing.copies.texts import text_print
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.sandbox.pool import SandboxDown
from postscope.indexing.sound_prints import SoundPrint


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        verdict: ``no_copy`` only where every part could be checked.
        copies: posts, the best first.
        groups: of those that are in one.
    """

    verdict: Verdict
    copies: dict[UUID, Matched]
    groups: dict[UUID, UUID]
    unreadable: tuple[Unreadable, ...]


def check(
    runtime: Runtime, text: str | None, images: Sequence[QueryImage], media: Sequence[QueryImage] = ()
) -> Checked:
    """Find posts that this content is a copy of.

    Args:
        runtime: of this process.
        text: may be without words.
        images: still pictures.
        media: of any kind; their positions go on where those of the images end.

    Raises:
        Invalid: an upload that is named does not exist.
    """
    found: list[AskedMedium] = []
    broken: list[Unreadable] = []
    given = [*((image, "images", n) for n, image in enumerate(images)), *((m, "media", n) for n, m in enumerate(media))]
    for position, (origin, field, place) in enumerate(given):
        try:
            with _file(runtime, origin, f"{field}.{place}.upload_id") as file:
                if field == "images":
                    found.append(_picture(runtime, file.read(), position))
                else:
                    medium, unread = _medium(runtime, file, position)
                    found += [] if medium is None else [medium]
                    broken += [] if unread is None else [unread]
        except FetchError as error:
            broken.append(Unreadable(position, error.code, error.reason))
        except MediaError as error:
            broken.append(Unreadable(position, error.code, error.reason))
        except BlobError as error:
            broken.append(Unreadable(position, "file_lost", f"its file cannot be read: {error}"))
        except SandboxDown as error:
            broken.append(Unreadable(position, "no_decoder", str(error)))
    asked = Asked(text_print(text or ""), tuple(found), tuple(broken))
    [search] = searches(runtime, [asked])
    with runtime.database.session() as session:
        places = places_of(session, [search])
        [matched] = find(runtime, session, [search], places, members=True)
        best = dict(sorted(matched.items(), key=lambda item: (-item[1].score, item[0])))
        groups = groups_of(session, list(best))
    verdict: Verdict = "copy" if best else "could_not_check" if broken else "no_copy"
    return Checked(verdict, best, groups, asked.unreadable)


def _medium(runtime: Runtime, file: BinaryIO, position: int) -> tuple[AskedMedium | None, Unreadable | None]:
    """What can be compared of it, and why the rest cannot."""
    data = file.read()
    info = runtime.asked_stills.inspect(data, max_bytes=runtime.settings.media.max_bytes)
    if info.kind == "image":
        return _picture(runtime, data, position), None
    opened = runtime.opener.open(file, info.kind, info.mime)
    if opened.problem is not None:
        return None, Unreadable(position, opened.problem.code, opened.problem.reason)
    sha256, sound = hashlib.sha256(data).hexdigest(), opened.sound if isinstance(opened.sound, SoundPrint) else None
    if not opened.shown.frames:
        why = opened.unseen
        unread = Unreadable(position, why.code, why.reason) if why is not None else None
        return AskedMedium(position, sha256, (), None, sound), unread
    pictures = []
    for _, jpeg in opened.shown.frames:
        with runtime.gate.query():
            name = hashlib.sha256(jpeg).hexdigest()
            pictures.append(picture_in(runtime, name, partial(bytes, jpeg), runtime.asked_stills))
    seconds = [second for second, _ in opened.shown.frames]
    return asked_video(position, sha256, tuple(pictures), seconds, opened.shown.duration, sound), None


def _picture(runtime: Runtime, data: bytes, position: int) -> AskedMedium:
    sha256 = hashlib.sha256(data).hexdigest()
    with runtime.gate.query():
        picture = picture_in(runtime, sha256, lambda: data, runtime.asked_stills)
    return asked_still(position, sha256, picture)


@contextmanager
def _file(runtime: Runtime, given: QueryImage, field: str) -> Iterator[BinaryIO]:
    if given.url is not None:
        with runtime.fetcher.fetch(given.url) as fetched, fetched.path.open("rb") as file:
            yield file
        return
    with runtime.database.session() as session:
        upload = session.get(Upload, given.upload_id)
    if upload is None:
        raise Invalid.of(field, "there is no such upload")
    with as_file(runtime.blobs, upload.sha256) as file:
        yield file
