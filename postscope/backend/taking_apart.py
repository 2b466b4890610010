"""What takes media apart, made from settings. Nothing is started before it is needed."""

from __future__ import annotations

from postscope.backend.duplicates.opening import MediaOpener
from postscope.backend.errors import NotReady
from postscope.backend.settings import Settings
from postscope.indexing.build import open_hearing, open_reader
from postscope.indexing.encoders.base import EncoderError
from postscope.indexing.media.decoding.speech import SpeechGates
from postscope.indexing.media.parts import PictureReader
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.stills import MAX_JOBS, Stills
from postscope.indexing.media.understand import Limits, Understander


def open_stills(settings: Settings, *, processes: int) -> Stills:
    """Opens pictures in so many processes of their own. They do not make way, for the encoder, or a person, waits."""
    media = settings.media
    sandbox = Sandbox(
        "pictures",
        size=processes,
        memory_bytes=media.decoder_memory_mb * 1024**2,
        threads=1,
        nice=0,
        max_jobs=MAX_JOBS,
    )
    return Stills(sandbox, max_pixels=media.max_pixels, seconds=media.picture_seconds)


def picture_reader(settings: Settings) -> PictureReader:
    """Reads words in pictures.

    Raises:
        EncoderError: a model for it is not here.
    """
    reading = settings.reading
    return open_reader(
        reading.detector,
        reading.recogniser,
        threads=reading.threads,
        min_confidence=reading.min_confidence,
        max_side=reading.max_side,
        seconds=reading.seconds,
        processes=settings.media.decoder_processes,
    )


def open_understander(settings: Settings, stills: Stills, reader: PictureReader) -> Understander:
    """Takes the media of posts apart.

    Raises:
        NotReady: a model for it is not here.
    """
    media, speech = settings.media, settings.speech
    gates = SpeechGates(speech.min_log_probability, speech.max_no_speech, speech.min_language_probability)
    try:
        hearing = open_hearing(
            speech.model,
            cache_dir=settings.model_cache,
            threads=speech.threads,
            gates=gates,
            processes=media.decoder_processes,
        )
    except EncoderError as error:
        raise NotReady(f"media cannot be understood: {error}", code="model_not_ready") from error
    sandbox = _sandbox(settings, media.decoder_processes)
    limits = _limits(settings, media.max_frames)
    return Understander(sandbox, hearing=hearing, reader=reader, stills=stills, limits=limits)


def media_opener(settings: Settings, stills: Stills) -> MediaOpener:
    """Takes media apart that are only asked about, in one process of its own."""
    asked = settings.duplicates

    def make() -> Understander:
        limits = _limits(settings, asked.check_frames)
        return Understander(_sandbox(settings, 1), hearing=None, reader=None, stills=stills, limits=limits)

    return MediaOpener(make, seconds=asked.check_seconds)


def _sandbox(settings: Settings, processes: int) -> Sandbox:
    media = settings.media
    return Sandbox(size=processes, memory_bytes=media.decoder_memory_mb * 1024**2, threads=media.decoder_threads + 1)


def _limits(settings: Settings, frames: int) -> Limits:
    media = settings.media
    return Limits(
        max_duration=media.max_duration_seconds,
        max_pixels=media.max_pixels,
        max_frames=frames,
        frame_every=media.frame_every_seconds,
        frame_side=media.frame_side,
        threads=media.decoder_threads,
    )
