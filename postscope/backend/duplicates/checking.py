"""Checks content that is not stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postscope.backend.blobs import BlobError
from postscope.backend.duplicates.asking import Asked, AskedMedium, Unreadable, picture_in
from postscope.backend.duplicates.assigning import matches_of
from postscope.backend.duplicates.matching import Matched
from postscope.backend.duplicates.reading import Verdict, groups_of
from postscope.backend.errors import Invalid
from postscope.backend.fetch_errors import FetchError
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage
from postscope.backend.tables import Upload
from postscope.indexing.copies.texts import text_print
from postscope.indexing.media.errors import MediaError


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


def check(runtime: Runtime, text: str | None, images: Sequence[QueryImage]) -> Checked:
    """Find posts that this content is a copy of.

    Raises:
        Invalid: an upload that is named does not exist.
    """
    media: list[AskedMedium] = []
    broken: list[Unreadable] = []
    for position, image in enumerate(images):
        try:
            media.append(_medium(runtime, image, position))
        except FetchError as error:
            broken.append(Unreadable(position, error.code, error.reason))
        except MediaError as error:
            broken.append(Unreadable(position, error.code, error.reason))
        except BlobError as error:
            broken.append(Unreadable(position, "file_lost", f"its file cannot be read: {error}"))
    asked = Asked(text_print(text or ""), tuple(media), tuple(broken))
    with runtime.database.session() as session:
        matched = matches_of(runtime, session, asked, members=True)
        best = dict(sorted(matched.items(), key=lambda item: (-item[1].score, item[0])))
        groups = groups_of(session, list(best))
    verdict: Verdict = "copy" if best else "could_not_check" if broken else "no_copy"
    return Checked(verdict, best, groups, asked.unreadable)


def _medium(runtime: Runtime, image: QueryImage, position: int) -> AskedMedium:
    data = _bytes(runtime, image, position)
    sha256 = hashlib.sha256(data).hexdigest()
    with runtime.gate.query():
        picture = picture_in(runtime, sha256, lambda: data)
    return AskedMedium(position, sha256, (picture,))


def _bytes(runtime: Runtime, image: QueryImage, position: int) -> bytes:
    if image.url is not None:
        with runtime.fetcher.fetch(image.url) as fetched:
            return fetched.path.read_bytes()
    with runtime.database.session() as session:
        upload = session.get(Upload, image.upload_id)
    if upload is None:
        raise Invalid.of(f"images.{position}.upload_id", "there is no such upload")
    return runtime.blobs.get(upload.sha256)
