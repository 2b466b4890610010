from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobStore, open_blobs
from postscope.backend.database import Database, utc_now
from postscope.backend.errors import UnsupportedMedia
from postscope.backend.importing.media_files import MediaFiles, keep_in
from postscope.backend.importing.running import ImportSummary, run_import
from postscope.backend.posts import Verdict
from postscope.backend.tables import Media, Upload
from tests.backend.import_child import intake

Importer = Callable[..., ImportSummary]


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs((tmp_path / "blobs").as_uri())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (8, 5), "teal").save(folder / "images" / "gull.png")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "secret.png")
    return folder


def create(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    return intake().create(session, rows, now=utc_now())


@pytest.fixture
def run(database: Database, blobs: BlobStore, folder: Path) -> Importer:
    def imported(*media: list[Any], keep: bool = True) -> ImportSummary:
        rows = [
            {"source": "c", "external_id": str(n), "created_at": "2026-03-02T09:30:00Z", "media": items}
            for n, items in enumerate(media)
        ]
        (folder / "posts.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
        keeper = keep_in(blobs, max_bytes=100_000, clock=utc_now) if keep else None
        return run_import(folder / "posts.jsonl", database=database, create_posts=create, keep_file=keeper)

    return imported


def reasons(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "posts.jsonl.rejected.jsonl").read_bytes().splitlines()
    return [(reason["field"], reason["reason"]) for line in lines for reason in orjson.loads(line)["reasons"]]


def test_a_file_becomes_an_upload(run: Importer, database: Database, blobs: BlobStore, folder: Path) -> None:
    gull = {"file": "images/gull.png"}
    summary = run([{"url": "https://a.example/1"}, gull], [gull])
    assert (summary.accepted, summary.rejected) == (2, 0)
    with database.session() as session:
        upload = session.scalars(select(Upload)).one()
        media = session.scalars(select(Media).where(Media.upload_id.is_not(None))).all()
    assert (upload.mime, upload.width, upload.height) == ("image/png", 8, 5)
    assert blobs.get(upload.sha256) == (folder / "images" / "gull.png").read_bytes()
    assert sorted((item.position, item.upload_id, item.state) for item in media) == [
        (0, upload.id, "ready"),
        (1, upload.id, "ready"),
    ]


def test_the_same_file_again_leaves_its_post_unchanged(run: Importer, folder: Path) -> None:
    run([{"file": "images/gull.png"}])
    again = run([{"file": "images/gull.png"}])
    assert (again.unchanged, again.updated) == (1, 0)
    Image.new("RGB", (9, 9), "white").save(folder / "images" / "gull.png")
    assert run([{"file": "images/gull.png"}]).updated == 1


def test_files_that_cannot_be_taken_reject_their_row_alone(run: Importer, folder: Path) -> None:
    (folder / "text.png").write_text("no picture")
    (folder / "large.png").write_bytes(b"x" * 200_000)
    gull = {"file": "images/gull.png"}
    summary = run([gull, {"file": "missing.png"}], [gull], [{"file": "text.png"}], [{"file": "large.png"}])
    assert (summary.accepted, summary.rejected) == (1, 3)
    missing, text, large = reasons(folder)
    assert missing == ("media.1.file", "there is no such file")
    assert text[0] == large[0] == "media.0.file"
    assert "larger than 100000 bytes" in large[1]


def test_a_file_beside_a_url_in_one_medium_is_refused(run: Importer, folder: Path) -> None:
    assert run([{"file": "images/gull.png", "url": "https://a.example/1"}]).rejected == 1
    assert reasons(folder) == [("media.0", "give either url or upload_id")]


def test_no_file_is_taken_where_nothing_keeps_it(run: Importer, folder: Path) -> None:
    assert run([{"file": "images/gull.png"}], keep=False).rejected == 1
    assert reasons(folder) == [("media.0.file", "files are not taken here")]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "images/../../secret.png",
        "/etc/passwd",
        "link.png",
        "out/secret.png",
        "loop",
        "pipe",
        "images",
        "",
        ".",
        "a\x00b",
        "x" * 5_000,
        "file:///etc/passwd",
        7,
        None,
        ["images/gull.png"],
    ],
)
def test_nothing_outside_the_folder_and_no_other_thing_than_a_file_is_read(folder: Path, name: object) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsupportedMedia):
        MediaFiles(folder, None).find(name)


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "again.png").symlink_to("images/gull.png")
    assert MediaFiles(folder, None).find("again.png") == (folder / "images" / "gull.png").resolve()


def test_media_that_are_no_list_are_left_to_validation(run: Importer, folder: Path) -> None:
    assert run([5], ["x"]).rejected == 2
    assert {field for field, _ in reasons(folder)} == {"media.0"}
