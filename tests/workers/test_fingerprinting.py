from __future__ import annotations

import io
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import select

from postscope.backend.fingerprinting import keeping
from postscope.backend.fingerprinting.indexes import FingerprintIndexes, owners
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.fingerprints import Pdq
from tests.contracts.test_fingerprinters import picture
from tests.workers.conftest import Desk

EVERYTHING = (Stage.EXTRACT, Stage.INDEX, Stage.ENRICH)


@pytest.fixture
def upload(runtime: Runtime) -> object:
    def make(data: bytes | Image.Image) -> str:
        if isinstance(data, Image.Image):
            out = io.BytesIO()
            data.save(out, "PNG")
            data = out.getvalue()
        with runtime.database.session() as session:
            made = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=runtime.clock())
            return str(made.id)

    return make


def rows(runtime: Runtime, post_id: UUID) -> list[FingerprintRow]:
    with runtime.database.session() as session:
        return list(session.scalars(select(FingerprintRow).where(FingerprintRow.post_id == post_id)))


def test_a_post_has_the_fingerprints_of_its_text_and_its_picture(runtime: Runtime, desk: Desk, upload) -> None:
    text = "the ferry leaves at nine from the north pier"
    [post] = desk.post({"external_id": "1", "text": text, "media": [{"upload_id": upload(picture(1))}]})
    desk.run(*EVERYTHING)
    found = {row.kind: row for row in rows(runtime, post)}
    assert {"text", "shingles", "sha256", "md5", "pdq"} <= set(found)
    assert found["pdq"].value == Pdq().fingerprint(picture(1)).value
    assert found["pdq"].quality > 50
    assert found["text"].media_id is None
    assert found["md5"].media_id == found["pdq"].media_id is not None


def test_running_it_again_changes_nothing_and_new_text_is_taken(runtime: Runtime, desk: Desk) -> None:
    [post] = desk.texts("the ferry leaves at nine from the north pier")
    desk.run(*EVERYTHING)
    first = {row.seq: row.value for row in rows(runtime, post)}
    with runtime.database.session() as session:
        from postscope.backend import work

        work.add(session, Stage.ENRICH, [post], now=runtime.clock(), request_id=None)
    desk.run(Stage.ENRICH)
    assert {row.seq: row.value for row in rows(runtime, post)} == first
    desk.texts("now it leaves at ten from the other side of the bay")
    desk.run(*EVERYTHING)
    later = {row.seq: row.value for row in rows(runtime, post)}
    assert len(later) == len(first)
    assert not set(later) & set(first)


def test_a_corrupt_picture_is_told_with_its_reason(runtime: Runtime, desk: Desk, upload, truncated_jpeg) -> None:
    [post] = desk.post({"external_id": "1", "text": "", "media": [{"upload_id": upload(truncated_jpeg)}]})
    desk.run(*EVERYTHING)
    assert {row.kind for row in rows(runtime, post)} == {"sha256", "md5"}
    with runtime.database.session() as session:
        [failure] = keeping.failures(session, [post])[post]
    assert failure.code == "truncated"
    assert "too early" in failure.reason


def test_every_process_sees_what_another_wrote(runtime: Runtime, desk: Desk) -> None:
    other = FingerprintIndexes(runtime.database)
    assert len(other.fresh("shingles")) == 0
    first, second = desk.texts("the ferry leaves at nine from the north pier", "gulls all over the harbour tonight")
    desk.run(*EVERYTHING)
    [value] = [row.value for row in rows(runtime, first) if row.kind == "shingles"]
    [[near]] = other.within("shingles", [value], 40)
    assert owners(runtime.database, [near.number])[near.number].post_id == first
    desk.delete(first)
    assert owners(runtime.database, [near.number]) == {}
    assert len(rows(runtime, second)) == 2
