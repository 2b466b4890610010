"""No file outlives the last one that has it, whatever happens meanwhile, and none goes that somebody has."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from postscope.backend.fetching import Fetched
from postscope.backend.loose_blobs import GRACE, forget_loose
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.workers.maintain import sweep
from tests.conftest import SetClock
from tests.media_files import sound
from tests.workers.conftest import Desk

PICTURE = sound("PNG")
NAME = hashlib.sha256(PICTURE).hexdigest()


def test_a_post_that_goes_while_its_medium_is_fetched_leaves_no_file(
    desk: Desk, clock: SetClock, tmp_path: Path
) -> None:
    (post_id,) = desk.post({"external_id": "1", "text": "gone soon", "media": [{"url": "http://example.org/a.png"}]})

    class Slow:
        @contextmanager
        def fetch(self, url: str) -> Iterator[Fetched]:
            path = tmp_path / "fetched"
            path.write_bytes(PICTURE)
            desk.delete(post_id)
            yield Fetched(path, NAME, len(PICTURE), url, "image/png")

    desk.runtime.__dict__["fetcher"] = Slow()
    desk.run(Stage.EXTRACT)
    clock.forward(seconds=GRACE.total_seconds() + 1)
    sweep(desk.runtime)
    assert not desk.runtime.blobs.exists(NAME)


def upload(desk: Desk) -> None:
    with desk.runtime.database.session() as session:
        add_upload(session, desk.runtime.blobs, io.BytesIO(PICTURE), max_bytes=10**6, now=desk.runtime.clock())


def test_an_upload_that_nobody_used_goes_with_its_file(desk: Desk, clock: SetClock) -> None:
    upload(desk)
    clock.forward(hours=desk.runtime.settings.media.unused_upload_hours + 1)
    sweep(desk.runtime)
    clock.forward(seconds=GRACE.total_seconds() + 1)
    sweep(desk.runtime)
    assert not desk.runtime.blobs.exists(NAME)


def test_what_is_uploaded_again_while_it_is_swept_away_stays(
    desk: Desk, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.runtime.database.session() as session:
        session.execute(
            text("INSERT INTO loose_blobs (sha256, since) VALUES (:name, :since)"),
            {"name": NAME, "since": clock.now - 2 * GRACE - timedelta(hours=1)},
        )
    desk.runtime.blobs.put(PICTURE)
    delete, again = desk.runtime.blobs.delete, threading.Thread(target=upload, args=(desk,))

    def slowly(name: str) -> None:
        again.start()
        again.join(1.0)  # as far as it comes while the sweep is at it
        delete(name)

    monkeypatch.setattr(desk.runtime.blobs, "delete", slowly)
    forget_loose(desk.runtime.database, desk.runtime.blobs, now=clock.now)
    again.join(10.0)
    assert desk.runtime.blobs.exists(NAME)
