"""What can be wrong with a media file.

MediaError            each carries a stable ``code`` and a reason that a person can read
├── EmptyMedia        empty            not one byte
├── UnsupportedMedia  unsupported      something else than what was asked for, and what it is instead
├── MediaTooLarge     too_large        more bytes than the limit
├── TooManyPixels     too_many_pixels  its header promises more pixels than the limit; nothing was decoded
├── TooLong           too_long         it plays for longer than the limit
├── UnsupportedCodec  unsupported_codec  the container is understood, what is in it is not
├── EncryptedMedia    encrypted        it cannot be decoded without a key
├── TruncatedMedia    truncated        the file ends before its content does
├── CorruptMedia      corrupt          the content breaks the rules of its format
├── TooSlow           too_slow         decoding it takes longer than the limit
├── OutOfMemory       out_of_memory    decoding it takes more memory than the limit
└── DecoderCrashed    decoder_crashed  the process that decoded it did not survive

None of them goes away by trying again. A file whose content is fine but is labelled as something else is no
error: the content decides, see ``sniff.mislabel``.
"""

from __future__ import annotations

from typing import ClassVar


class MediaError(Exception):
    """Root of the tree.

    Attributes:
        code: stable, for machines.
        reason: one sentence, for a person.
    """

    code: ClassVar[str] = "media"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EmptyMedia(MediaError):
    """The file has not one byte."""

    code = "empty"


class UnsupportedMedia(MediaError):
    """The file is of another type than what is understood here.

    Attributes:
        mime: what the content is, or None when it looks like nothing known.
    """

    code = "unsupported"

    def __init__(self, reason: str, *, mime: str | None) -> None:
        super().__init__(reason)
        self.mime = mime


class MediaTooLarge(MediaError):
    """The file has more bytes than the limit."""

    code = "too_large"


class TooManyPixels(MediaError):
    """The header promises more pixels than the limit; nothing was decoded."""

    code = "too_many_pixels"


class TruncatedMedia(MediaError):
    """The file ends before its content does."""

    code = "truncated"


class CorruptMedia(MediaError):
    """The content breaks the rules of its format."""

    code = "corrupt"


class TooLong(MediaError):
    """It plays for longer than the limit."""

    code = "too_long"


class UnsupportedCodec(MediaError):
    """The container is understood, what is in it is not."""

    code = "unsupported_codec"


class EncryptedMedia(MediaError):
    """It cannot be decoded without a key."""

    code = "encrypted"


class TooSlow(MediaError):
    """Decoding it takes longer than the limit."""

    code = "too_slow"


class OutOfMemory(MediaError):
    """Decoding it takes more memory than the limit."""

    code = "out_of_memory"


class DecoderCrashed(MediaError):
    """The process that decoded it did not survive."""

    code = "decoder_crashed"


def error_of(code: str, reason: str) -> MediaError | None:
    """The error with this code; None where there is none."""
    if code == UnsupportedMedia.code:
        return UnsupportedMedia(reason, mime=None)
    found = {kind.code: kind for kind in MediaError.__subclasses__()}.get(code)
    return None if found is None else found(reason)
