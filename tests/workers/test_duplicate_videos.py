"""Copies of videos, from the file to the group."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import pytest
from PIL import Image
from sqlalchemy import delete

from postscope.backend.duplicates.checking import check
from postscope.backend.duplicates.reading import copies_of
from postscope.backend.fingerprinting.making import LOOK
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage
from postscope.backend.tables import DuplicateMember, FingerprintRow
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from tests import av_files, sounds
from tests.workers.conftest import Desk
from tests.workers.test_duplicates import at, group_of, models, photo  # noqa: F401
from tests.workers.test_understanding import ColourReader, reader  # noqa: F401

EVERYTHING = (Stage.EXTRACT, Stage.INDEX, Stage.UNDERSTAND, Stage.INDEX, Stage.ENRICH)
FPS = 5


def film(
    scenes: Sequence[int], *, seconds: float = 2.0, mirrored: bool = False, close: bool = False, crf: int = 23
) -> bytes:
    """Photos of the sample one after the other, each slowly moving; ``close`` shows their middle alone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=FPS, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for scene in scenes:
            picture = photo(scene).resize((400, 300))
            if mirrored:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            for step in range(round(seconds * FPS)):
                edge = 40 if close else 0
                shown = picture.crop((2 * step + edge, step + edge, 2 * step + 320 - edge, step + 240 - edge))
                shown = shown.resize((320, 240))
                file.mux(stream.encode(av.VideoFrame.from_image(shown)))
        file.mux(stream.encode())
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.usefixtures("reader")
def test_copies_of_a_video_are_found_with_their_offset(runtime: Runtime, desk: Desk, models: Path) -> None:  # noqa: F811
    shutil.copytree(models, runtime.settings.model_cache, dirs_exist_ok=True)

    def post(number: int, data: bytes) -> UUID:
        with runtime.database.session() as session:
            kept = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock())
            media = [{"upload_id": str(kept.id)}]
        return desk.post({"external_id": str(number), "created_at": at(number), "media": media})[0]

    whole = post(1, film((3, 11, 40, 77, 90, 101)))
    part = post(2, film((40, 77, 90, 101), crf=36))
    mirror = post(3, film((3, 11, 40, 77, 90, 101), mirrored=True))
    other = post(4, film((20, 55, 62, 85)))
    with runtime.database.session() as session:
        assert copies_of(session, part, limit=10).verdict == "not_checked_yet"
    desk.run(*EVERYTHING)
    assert group_of(runtime, part) == (whole, {whole, part, mirror})
    assert group_of(runtime, other) == (None, set())
    with runtime.database.session() as session:
        [evidence] = session.get_one(DuplicateMember, part).evidence
        assert copies_of(session, other, limit=10).verdict == "no_copy"
    assert evidence["part"] == "video"
    asked = film((77, 90, 101), crf=30)
    with runtime.database.session() as session:
        kept = add_upload(session, runtime.blobs, io.BytesIO(asked), max_bytes=10**8, now=runtime.clock())
    checked = check(runtime, None, [], [QueryImage(upload_id=kept.id)])
    assert set(checked.copies) == {whole, part, mirror}
    assert checked.verdict == "copy"
    assert evidence["detail"]["offset_seconds"] == pytest.approx(4.0, abs=0.5)
    assert "trimmed" in evidence["changes"]
    # A picture that a video shows in passing is no copy of it, one that a video shows all the time is.
    still, standing = io.BytesIO(), film((20,), seconds=6)
    photo(20).save(still, "PNG")
    passing = post(5, still.getvalue())
    shown = post(6, standing)
    # A cropped copy is told by looks; those of frames that none is kept of are made of their pictures.
    with runtime.database.session() as session:
        session.execute(delete(FingerprintRow).where(FingerprintRow.kind == LOOK, FingerprintRow.post_id == whole))
    close = post(7, film((3, 11, 40, 77, 90, 101), close=True))
    desk.run(*EVERYTHING)
    assert group_of(runtime, passing) == (passing, {passing, shown})
    assert group_of(runtime, other) == (None, set())
    assert group_of(runtime, close) == (whole, {whole, part, mirror, close})


@pytest.mark.slow
@pytest.mark.usefixtures("reader")
def test_copies_of_a_sound_are_found_in_sounds_and_videos(runtime: Runtime, desk: Desk, models: Path) -> None:  # noqa: F811
    shutil.copytree(models, runtime.settings.model_cache, dirs_exist_ok=True)

    def post(number: int, data: bytes) -> UUID:
        with runtime.database.session() as session:
            kept = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock())
        media = [{"upload_id": str(kept.id)}]
        return desk.post({"external_id": str(number), "created_at": at(number), "media": media})[0]

    def song(kind: str, part: sounds.Sound) -> bytes:
        return av_files.sound(kind, sounds.samples(part, av_files.SAMPLES))

    first = sounds.melody(1, 10)
    whole = post(1, song("wav", first))
    part = post(2, song("mp3", sounds.cut(first, 2.5, 9.0) * 0.2))
    other = post(3, song("opus", sounds.melody(2, 8)))
    in_video = post(4, av_files.video(seconds=8, samples=sounds.samples(first, av_files.SAMPLES)))
    desk.run(*EVERYTHING)
    assert group_of(runtime, part) == (whole, {whole, part, in_video})
    assert group_of(runtime, other) == (None, set())
    with runtime.database.session() as session:
        [evidence] = session.get_one(DuplicateMember, part).evidence
        assert copies_of(session, other, limit=10).verdict == "no_copy"
    assert evidence["part"] == "audio"
    assert evidence["detail"]["offset_seconds"] == pytest.approx(2.5, abs=0.3)
    assert evidence["detail"]["matched_seconds"] == pytest.approx(6.5, abs=1.0)
    assert "trimmed" in evidence["changes"]
    # content that is not stored
    with runtime.database.session() as session:
        asked = [
            add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock()).id
            for data in (song("opus", sounds.cut(first, 1, 8)), song("wav", first * 0))
        ]
    found = check(runtime, None, [], [QueryImage(upload_id=one) for one in asked])
    assert set(found.copies) == {whole, part, in_video}
    assert found.verdict == "copy"
    assert [(medium.position, medium.code) for medium in found.unreadable] == [(1, "sound_silent")]


@pytest.mark.slow
@pytest.mark.usefixtures("reader")
def test_a_broken_video_and_a_short_sound_could_not_be_checked(runtime: Runtime, desk: Desk) -> None:
    posts = []
    whole = av_files.video(sound=False)
    for number, data in enumerate((whole[: len(whole) // 2], av_files.sound("wav"))):
        with runtime.database.session() as session:
            kept = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock())
        posts += desk.post({"external_id": str(number), "media": [{"upload_id": str(kept.id)}]})
    desk.run(*EVERYTHING)
    for post in posts:
        with runtime.database.session() as session:
            found = copies_of(session, post, limit=10)
        assert found.verdict == "could_not_check", found
        assert found.could_not_check[0].reason
