"""The understand stage: takes the media of a post apart into frames and words, one medium after the other.

Each medium is committed by itself, so that a worker that dies loses at most one; the post is indexed again when
something has come to light.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from postscope.backend.blob_files import as_file
from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.loose_blobs import loosen_blobs
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media
from postscope.backend.understanding import copy_twin, keep, unjoined, waiting_media
from postscope.backend.work import Claim, Stage
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.inspect import ANIMATED
from postscope.indexing.media.parts import MediaKind, PartReport
from postscope.indexing.media.understand import Understood
from postscope.workers.outcome import Outcome

LEAST_SECONDS = 5.0
"""With less time left for the post, the next medium is not begun."""


def understand(runtime: Runtime, claims: Sequence[Claim]) -> list[Outcome]:
    """Take the media of these posts apart."""
    return [_understand_post(runtime, held) for held in claims]


def _understand_post(runtime: Runtime, held: Claim) -> Outcome:
    ends = time.monotonic() + runtime.settings.media.understand_seconds
    with runtime.database.session() as session:
        waiting = waiting_media(session, held.post_id)
    for medium in waiting:
        with runtime.database.session() as session:
            known = copy_twin(session, medium, now=runtime.clock())
        if not known:
            found = _understand(runtime, medium, ends - time.monotonic())
            _tell_languages(runtime, found)
            frames = _put_frames(runtime, found)
            with runtime.database.session() as session:
                keep(session, medium.id, found, frames, now=runtime.clock())
    with runtime.database.session() as session:
        again = unjoined(session, held.post_id)
    return Outcome(held, follow=(Stage.INDEX,) if again else ())


def _understand(runtime: Runtime, medium: Media, seconds: float) -> Understood:
    kind = cast(MediaKind, medium.kind)
    if seconds < LEAST_SECONDS:
        return _nothing(kind, "too_slow", "the time for the media of this post was over before it")
    try:
        with as_file(runtime.blobs, medium.sha256 or "") as file:
            mime = medium.mime or ""
            return runtime.understander.understand(file, _kind(runtime, medium, file), mime, seconds=seconds)
    except (BlobMissing, BlobCorrupt) as error:
        return _nothing(kind, "blob_missing", f"the stored file cannot be read: {error}")


def _tell_languages(runtime: Runtime, found: Understood) -> None:
    """Of what is written, the language; of what is said, where the model that hears it told the language, how sure the
    text itself makes it."""
    for place, text in enumerate(found.written):
        told = runtime.languages.detect(text.text)
        found.written[place] = replace(text, language=told.code, language_confidence=told.confidence)
    for place, said in enumerate(found.spoken):
        told = runtime.languages.detect(said.text)
        sure = told.confidence if told.code == said.language else None
        found.spoken[place] = replace(said, language_confidence=sure)


def _kind(runtime: Runtime, medium: Media, file: BinaryIO) -> MediaKind:
    """Animations that came in before they were told from still pictures are told now."""
    if medium.kind == "image" and medium.mime in ANIMATED:
        with contextlib.suppress(MediaError):
            return runtime.stills.inspect(file.read()).kind
    return cast(MediaKind, medium.kind)


def _put_frames(runtime: Runtime, found: Understood) -> list[str]:
    """Names of the blobs; noted as loose before, so that nothing is left behind, whatever happens."""
    names = [hashlib.sha256(jpeg).hexdigest() for _, jpeg in found.frames]
    if names:
        with runtime.database.session() as session:
            loosen_blobs(session, names, now=runtime.clock())
    return [runtime.blobs.put(jpeg) for _, jpeg in found.frames]


def _nothing(kind: MediaKind, code: str, reason: str) -> Understood:
    part: PartReport = PartReport(
        "words" if kind == "image" else "frames" if kind == "video" else "speech", "failed", code, reason
    )
    return Understood(kind, reports=[part])
