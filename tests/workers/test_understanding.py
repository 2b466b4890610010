"""The understand stage: media are taken apart beside the index, and what is found joins it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, text

from postscope.backend.frames import nearest_frame
from postscope.backend.setting_groups import ReadingSettings
from postscope.backend.status import MediaStatus
from postscope.backend.tables import MediaFrame, MediaText
from postscope.backend.taking_apart import picture_reader
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.media.parts import Written
from postscope.indexing.types import Vectors
from postscope.workers.maintain import sweep
from postscope.workers.stages import run_batch
from tests import av_files, slow_reading
from tests.media_files import animated, sound
from tests.workers.conftest import Desk
from tests.workers.small_encoder import SmallEncoder

BOX = (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),)


class ColourReader:
    """Reads a word in each picture that is mostly red."""

    def __init__(self) -> None:
        self.read_pictures = 0

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        self.read_pictures += len(images)
        found = []
        for image in images:
            red, green, blue = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
            found.append([Written("STOP", BOX, None, None, 0.95)] if red > 180 > green + blue else [])
        return found

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def reader(desk: Desk) -> ColourReader:
    made = ColourReader()
    desk.runtime.__dict__["reader"] = made
    return made


def upload(desk: Desk, data: bytes) -> str:
    with desk.runtime.database.session() as session:
        kept = add_upload(session, desk.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=desk.runtime.clock())
        return str(kept.id)


def post(desk: Desk, *files: bytes, words: str = "see this") -> UUID:
    media = [{"upload_id": upload(desk, data)} for data in files]
    (post_id,) = desk.post({"external_id": str(len(files)) + words, "text": words, "media": media})
    return post_id


def parts(status: MediaStatus) -> dict[str, tuple[str, str | None]]:
    return {part.part: (part.state, part.code) for part in status.parts}


def frames(desk: Desk) -> list[MediaFrame]:
    with desk.runtime.database.session() as session:
        return list(session.scalars(select(MediaFrame).order_by(MediaFrame.media_id, MediaFrame.number)))


def texts(desk: Desk) -> list[MediaText]:
    with desk.runtime.database.session() as session:
        return list(session.scalars(select(MediaText).order_by(MediaText.media_id, MediaText.kind, MediaText.number)))


def test_the_text_is_searchable_before_the_video_is_taken_apart_and_its_frames_join(
    desk: Desk, reader: ColourReader
) -> None:
    post_id = post(desk, av_files.video(seconds=3.0))
    desk.run(Stage.INDEX)
    (point,) = desk.points([post_id])
    assert "text" in point.dense
    assert "media" not in point.multi
    before = desk.status(post_id)
    assert before.current
    assert not before.understood
    assert before.media[0].state == "ready"
    assert {stage.stage: stage.state for stage in before.stages}["understand"] == "waiting"

    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    (point,) = desk.points([post_id])
    kept = frames(desk)
    assert len(point.multi["media"]) == len(kept) == 3
    assert [frame.number for frame in kept] == [0, 1, 2]
    assert [round(frame.seconds) for frame in kept] == [0, 1, 2]
    assert point.payload["media"] == ["video"]
    status = desk.status(post_id).media[0]
    assert (status.state, status.kind, status.understood) == ("indexed", "video", True)
    assert parts(status) == {
        "frames": ("done", None),
        "speech": ("empty", "no_speech"),
        "words": ("done", None),
    }
    (words,) = texts(desk)
    assert (words.kind, words.text, words.start_seconds, words.end_seconds) == ("picture", "STOP", 0.0, 0.0)
    assert words.detail == {"boxes": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]}


def test_a_text_that_comes_while_frames_are_embedded_does_not_wait_for_them(
    desk: Desk, reader: ColourReader, encoder: SmallEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = post(desk, av_files.video(seconds=12.0, scenes=[(20 * n, 250 - 20 * n, 90) for n in range(12)]))
    desk.run(Stage.INDEX, Stage.UNDERSTAND)
    assert len(frames(desk)) == 6
    embed, begun, seen = encoder.encode_images, [], []

    def watched(images: Sequence[Image.Image]) -> Vectors:
        if not begun:
            begun.extend(desk.texts("breaking news"))
        seen.append((desk.status(begun[0]).current, desk.status(video).media[0].state))
        return embed(images)

    monkeypatch.setattr(encoder, "encode_images", watched)
    assert run_batch(desk.runtime, Stage.INDEX) == 1
    assert seen == [(False, "ready"), *[(True, "ready")] * 5], "a picture at a time"
    assert desk.status(video).media[0].state == "indexed"


def test_texts_of_a_batch_come_before_the_frames_of_an_older_post(
    desk: Desk, reader: ColourReader, encoder: SmallEncoder
) -> None:
    post(desk, av_files.video(seconds=3.0))
    desk.run(Stage.INDEX, Stage.UNDERSTAND)
    late = desk.texts("late 1", "late 2")
    embedded = []
    encoder.before_texts = lambda texts: embedded.append((sorted(texts), encoder.images))
    assert run_batch(desk.runtime, Stage.INDEX) == 3
    assert embedded[0] == (["late 1", "late 2"], 0)
    assert all(desk.status(id).current for id in late)


def test_a_video_counts_as_much_as_a_still_picture(desk: Desk, reader: ColourReader) -> None:
    post_id = post(desk, av_files.video(seconds=3.0), sound("PNG", 40, 30), words="")
    desk.run(Stage.INDEX, Stage.UNDERSTAND, Stage.INDEX)
    (point,) = desk.points([post_id])
    rows = np.asarray(point.multi["media"])
    assert len(rows) == 4
    film = rows[:3].mean(axis=0)
    both = film / np.linalg.norm(film) + rows[3]
    expected = both / np.linalg.norm(both) + np.asarray(point.dense["text"])
    assert np.allclose(point.dense["post"], expected / np.linalg.norm(expected), atol=1e-5)


def test_a_frame_is_found_by_its_second(desk: Desk, reader: ColourReader) -> None:
    post_id = post(desk, av_files.video(seconds=3.0))
    desk.run(Stage.UNDERSTAND)
    with desk.runtime.database.session() as session:
        found = nearest_frame(session, post_id, 0, 99.0)
    picture = Image.open(io.BytesIO(desk.runtime.blobs.get(found.sha256)))
    assert found.number == 2
    assert max(enumerate(picture.convert("RGB").resize((1, 1)).getpixel((0, 0))), key=lambda c: c[1])[0] == 2  # blue


def test_a_still_image_is_indexed_at_once_and_its_words_join(desk: Desk, reader: ColourReader) -> None:
    red, blue = (io.BytesIO() for _ in range(2))
    Image.new("RGB", (64, 64), (230, 10, 10)).save(red, "PNG")
    Image.new("RGB", (64, 64), (10, 10, 230)).save(blue, "PNG")
    with_words = post(desk, red.getvalue(), words="red")
    without = post(desk, blue.getvalue(), words="blue")
    desk.run(Stage.INDEX)
    assert desk.status(with_words).media[0].state == "indexed"
    desk.run(Stage.UNDERSTAND)
    assert desk.work(with_words) is not None
    assert desk.work(without) is None, "nothing new to join, so nothing to index again"
    assert parts(desk.status(without).media[0]) == {"words": ("empty", "no_words")}
    desk.run(Stage.INDEX)
    assert desk.status(with_words).understood
    assert [text.text for text in texts(desk)] == ["STOP"]


def test_an_animation_is_a_video(desk: Desk, reader: ColourReader) -> None:
    post_id = post(desk, animated("GIF", 8))
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    status = desk.status(post_id).media[0]
    assert (status.kind, status.state) == ("video", "indexed")
    assert len(frames(desk)) == 2
    assert parts(status)["frames"] == ("done", None)


def test_a_broken_part_hides_no_other(desk: Desk, reader: ColourReader) -> None:
    film = av_files.video(seconds=2.0)
    encrypted = film.replace(b"avc1", b"encv").replace(b"mp4a", b"enca")
    cut = av_files.video("mkv-hevc", seconds=2.0, sound=False)
    post_id = post(desk, encrypted, film, av_files.without_end(film, 0.5), cut)
    desk.run(Stage.INDEX)
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    broken, whole, short, silent = desk.status(post_id).media
    assert (broken.state, broken.error_code) == ("failed", "encrypted")
    assert (whole.state, parts(whole)["frames"]) == ("indexed", ("done", None))
    assert (short.state, short.error_code) == ("failed", "truncated")
    assert parts(silent) == {"frames": ("done", None), "speech": ("empty", "no_sound"), "words": ("done", None)}
    (point,) = desk.points([post_id])
    assert len(point.multi["media"]) == len(frames(desk))
    assert desk.status(post_id).understood


def test_the_same_bytes_in_another_post_are_not_taken_apart_again(desk: Desk, reader: ColourReader) -> None:
    film = av_files.video(seconds=2.0)
    first = post(desk, film, words="one")
    desk.run(Stage.UNDERSTAND)
    seen = reader.read_pictures
    second = post(desk, film, words="two")
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    assert reader.read_pictures == seen
    assert parts(desk.status(second).media[0]) == parts(desk.status(first).media[0])
    assert [text.text for text in texts(desk)] == ["STOP", "STOP"]
    one, two = desk.points([first, second])
    assert one.multi["media"].tolist() == two.multi["media"].tolist()


def test_a_deleted_post_frees_what_its_media_left_in_the_blob_store(desk: Desk, reader: ColourReader) -> None:
    film = av_files.video(seconds=2.0)
    gone, stays = post(desk, film, words="goes"), post(desk, sound("JPEG"), words="stays")
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    names = [frame.sha256 for frame in frames(desk)]
    desk.delete(gone)
    desk.runtime.clock.forward(minutes=30)  # type: ignore[attr-defined]
    sweep(desk.runtime)
    assert all(desk.runtime.blobs.exists(name) for name in names), "whoever has just put the same may need it"
    desk.runtime.clock.forward(hours=25)  # type: ignore[attr-defined]
    sweep(desk.runtime)
    assert not any(desk.runtime.blobs.exists(name) for name in names)
    with desk.runtime.database.session() as session:
        kept = session.scalars(text("SELECT sha256 FROM media")).all()  # type: ignore[call-overload]
    assert all(desk.runtime.blobs.exists(name) for name in kept)
    assert desk.status(stays).media[0].state == "indexed"


def test_what_was_understood_while_the_post_was_indexed_still_joins(
    desk: Desk, reader: ColourReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = io.BytesIO()
    Image.new("RGB", (64, 64), (230, 10, 10)).save(red, "PNG")
    post_id = post(desk, red.getvalue())
    encoder = desk.runtime.live.encoder
    once = iter([True])

    def in_between(_: Sequence[str]) -> None:
        if next(once, False):
            desk.run(Stage.UNDERSTAND)

    monkeypatch.setattr(encoder, "before_texts", in_between)
    desk.run(Stage.INDEX)
    desk.run(Stage.INDEX)
    assert desk.status(post_id).understood
    with desk.runtime.database.session() as session:
        joined = session.execute(text("SELECT joined_at = understood_at FROM media")).scalar_one()
    assert joined


def test_a_worker_that_stops_hands_the_video_back(desk: Desk, reader: ColourReader) -> None:
    post_id = post(desk, av_files.video(seconds=2.0))
    desk.runtime.stop_understanding()
    _ = desk.runtime.understander
    desk.runtime.stop_understanding()
    assert desk.run(Stage.UNDERSTAND) == 0
    row = desk.work(post_id, Stage.UNDERSTAND)
    assert row is not None
    assert (row.state, row.attempts, row.error_code) == ("waiting", 0, "SandboxDown")
    assert desk.status(post_id).media[0].state == "ready"


def test_the_time_of_a_post_is_limited(desk: Desk, reader: ColourReader, monkeypatch: pytest.MonkeyPatch) -> None:
    post_id = post(desk, av_files.video(seconds=2.0))
    monkeypatch.setattr("postscope.workers.understanding.LEAST_SECONDS", 1e9)
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    status = desk.status(post_id).media[0]
    assert (status.state, status.error_code) == ("failed", "too_slow")
    assert desk.status(post_id).understood


def test_a_claim_is_one_post_and_outlives_its_work(desk: Desk) -> None:
    from postscope.backend import work

    post(desk, sound("PNG"), words="a")
    post(desk, sound("PNG"), words="b")
    settings = desk.runtime.settings
    with desk.runtime.database.session() as session:
        (held,) = work.claim(
            session, Stage.UNDERSTAND, now=desk.runtime.clock(), worker="w", settings=settings.work, limit=1,
            lease_seconds=300.0,
        )  # fmt: skip
        session.flush()
        later = desk.runtime.clock() + timedelta(seconds=settings.work.lease_seconds + 1)
        assert work.reclaim(session, now=later, settings=settings.work) == 0
    assert held.stage is Stage.UNDERSTAND


def test_a_picture_that_cannot_be_read_in_time_says_so_and_is_found_by_what_it_shows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_reading.use(monkeypatch)
    desk.runtime.__dict__["reader"] = reading = picture_reader(
        desk.runtime.settings.model_copy(update={"reading": ReadingSettings(seconds=1.0)})
    )
    red = io.BytesIO()
    Image.new("RGB", (64, 64), (230, 10, 10)).save(red, "PNG")
    still, film = post(desk, red.getvalue(), words="still"), post(desk, av_files.video(seconds=3.0), words="film")
    desk.run(Stage.UNDERSTAND, Stage.INDEX)
    reading.close()
    picture = desk.status(still).media[0]
    assert (picture.state, parts(picture)["words"]) == ("indexed", ("failed", "too_slow"))
    video = desk.status(film).media[0]
    assert (video.state, parts(video)["words"]) == ("indexed", ("partial", "too_slow"))
    assert desk.status(film).understood
