"""Content as it is asked about: of a post, or of what somebody gives us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.fingerprinting import keeping, making
from postscope.backend.fingerprinting.pictures import Picture, picture_of
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow, Media, MediaFrame, Post
from postscope.indexing.copies import sounds
from postscope.indexing.copies.frames import Frames, asked_frames
from postscope.indexing.copies.texts import TextPrint, text_print
from postscope.indexing.copies.verdicts import Part
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.stills import Stills
from postscope.indexing.sound_prints import SoundPrint, unpack


@dataclass(frozen=True, slots=True, eq=False)
class AskedMedium:
    """One medium: a picture, the frames of a video, or a sound.

    Attributes:
        position: its place among the media that were given.
        sha256: of its file.
        pictures: one of a still image, or one of each frame; none of a sound.
        frames: of a video; of a still image itself, as a video of one frame; None of a sound.
        sound: of a sound or a video that has one; None where it cannot be told by it.
    """

    position: int
    sha256: str
    pictures: tuple[Picture, ...]
    frames: Frames | None = None
    sound: SoundPrint | None = None

    @property
    def part(self) -> Part:
        """What kind of content it is."""
        if self.frames is None:
            return "audio"
        return "image" if len(self.pictures) == 1 and not self.frames.duration else "video"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A medium that nothing can be said of: neither that it is a copy nor that it is none."""

    position: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A text and media to find copies of.

    Attributes:
        text: of the post; may be without words.
        media: those that could be read.
        unreadable: those that could not.
        post_id: which post it is; None for content that is not stored.
        content: of a post, which content of it this is; see ``keeping.content_key``.
    """

    text: TextPrint
    media: tuple[AskedMedium, ...]
    unreadable: tuple[Unreadable, ...] = ()
    post_id: UUID | None = None
    content: bytes | None = None


def picture_in(runtime: Runtime, sha256: str, read: Callable[[], bytes], stills: Stills | None = None) -> Picture:
    """The picture in a file.

    Args:
        runtime: of this process.
        sha256: of the file.
        read: the file, where the picture is not known yet.
        stills: what opens it; by default what opens the pictures of posts.

    Raises:
        MediaError: it cannot be read.
        BlobMissing: the file is not there.
        SandboxDown: no process for it can be started here.
    """

    def make() -> Picture:
        image = making.decode(read(), stills or runtime.stills)
        return picture_of(runtime.scenes, image)

    return runtime.pictures.get(sha256, make)


def asked_post(runtime: Runtime, post: Post, media: Sequence[Media]) -> Asked:
    """A post that is kept. A medium that is not here yet is left out; it is looked at when it has come."""
    found: list[AskedMedium] = []
    broken: list[Unreadable] = []
    for medium in media:
        if medium.state == "failed":
            broken.append(Unreadable(medium.position, medium.error_code or "failed", medium.error or "it failed"))
        elif medium.sha256 is not None:
            try:
                found.append(_asked_medium(runtime, medium))
            except MediaError as error:
                broken.append(Unreadable(medium.position, error.code, error.reason))
            except (BlobMissing, BlobCorrupt) as error:
                broken.append(Unreadable(medium.position, "file_lost", f"the stored file cannot be read: {error}"))
    content = keeping.content_key(post, media)
    return Asked(text_print(post.text), tuple(found), tuple(broken), post.id, content)


def _asked_medium(runtime: Runtime, medium: Media) -> AskedMedium:
    sha256 = medium.sha256 or ""
    if medium.kind not in ("video", "audio"):
        picture = picture_in(runtime, sha256, partial(runtime.blobs.get, sha256))
        return asked_still(medium.position, sha256, picture)
    with runtime.database.session() as session:
        frames, sound = frames_in(session, medium.id), sound_in(session, medium.id)
    if medium.kind == "audio":
        return AskedMedium(medium.position, sha256, (), None, sound)
    pictures = tuple(picture_in(runtime, frame.sha256, partial(runtime.blobs.get, frame.sha256)) for frame in frames)
    return asked_video(medium.position, sha256, pictures, [f.seconds for f in frames], medium.duration_seconds, sound)


def asked_video(
    position: int,
    sha256: str,
    pictures: tuple[Picture, ...],
    seconds: Sequence[float],
    duration: float | None,
    sound: SoundPrint | None,
) -> AskedMedium:
    """A video by its frames, and by its sound where it has one."""
    return AskedMedium(position, sha256, pictures, _frames(pictures, seconds, duration), sound)


def asked_still(position: int, sha256: str, picture: Picture) -> AskedMedium:
    """A picture; as a video of one frame it is compared with videos."""
    return AskedMedium(position, sha256, (picture,), _frames((picture,), (0.0,), None))


def _frames(pictures: tuple[Picture, ...], seconds: Sequence[float], duration: float | None) -> Frames:
    return asked_frames(
        seconds,
        [picture.asked for picture in pictures],
        [picture.codes.kept for picture in pictures],
        duration or max(seconds, default=0.0),
    )


def sound_in(session: Session, media_id: UUID) -> SoundPrint | None:
    """The acoustic fingerprint that is kept of a medium."""
    row = select(FingerprintRow.value).where(FingerprintRow.media_id == media_id, FingerprintRow.kind == sounds.TRACK)
    packed = session.scalar(row)
    return None if packed is None else unpack(packed)


def frames_in(session: Session, media_id: UUID) -> Sequence[MediaFrame]:
    """The frames that a video was taken apart into, in order."""
    return session.scalars(select(MediaFrame).where(MediaFrame.media_id == media_id).order_by(MediaFrame.number)).all()
