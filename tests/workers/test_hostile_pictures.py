"""Pictures that take their decoder over: the worker, the API and the other posts of the batch do not notice."""

from __future__ import annotations

import io
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.settings import Settings
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from tests import hostile_pictures
from tests.conftest import ApiKeyMaker, bearer
from tests.media_files import sound
from tests.workers.conftest import Desk


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A second for a picture, and decoders with holes."""
    hostile_pictures.use(monkeypatch)
    return settings.model_copy(update={"media": settings.media.model_copy(update={"picture_seconds": 1.0})})


def post(desk: Desk, name: str, data: bytes) -> UUID:
    with desk.runtime.database.session() as session:
        kept = add_upload(session, desk.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=desk.runtime.clock())
    (post_id,) = desk.post({"external_id": name, "text": name, "media": [{"upload_id": str(kept.id)}]})
    return post_id


def still(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 90, 40)).save(out, "PNG")
    return out.getvalue()


HOSTILE = {
    "loop": (hostile_pictures.LOOP, "too_slow"),
    "allocate": (hostile_pictures.ALLOCATE, "out_of_memory"),
    "crash": (hostile_pictures.CRASH, "decoder_crashed"),
    "lie": (hostile_pictures.LIE, "corrupt"),
}


def test_hostile_pictures_fail_alone_and_say_why(desk: Desk) -> None:
    good = [post(desk, f"good {n}", still(20 * n)) for n in range(3)]
    bad = {name: post(desk, name, data) for name, (data, _) in HOSTILE.items()}
    good += [post(desk, f"good {n}", still(20 * n)) for n in range(3, 6)]
    assert desk.run(Stage.INDEX) == len(good) + len(bad)
    for post_id in good:
        assert desk.status(post_id).media[0].state == "indexed"
    for name, post_id in bad.items():
        status = desk.status(post_id)
        medium = status.media[0]
        assert (medium.state, medium.error_code, bool(medium.error)) == ("failed", HOSTILE[name][1], True)
        assert status.current, "its text is searchable all the same"
        assert "text" in desk.points([post_id])[0].dense
    assert {len(point.multi["media"]) for point in desk.points(good)} == {1}


def test_the_enrich_stage_survives_them_too(desk: Desk) -> None:
    bad, good = post(desk, "crash", hostile_pictures.CRASH), post(desk, "good", still(200))
    desk.run(Stage.INDEX, Stage.ENRICH)
    for post_id in (bad, good):
        assert not [stage for stage in desk.status(post_id).stages if stage.state == "failed"]


@pytest.mark.parametrize("name", ["loop", "crash"])
def test_whoever_uploads_one_or_searches_with_it_is_told_and_the_api_goes_on(
    desk: Desk, api_key: ApiKeyMaker, name: str
) -> None:
    data = HOSTILE[name][0]
    headers = bearer(api_key(Role.ADMIN))
    with desk.runtime.database.session() as session:
        kept = add_upload(session, desk.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=desk.runtime.clock())
    with TestClient(create_app(desk.runtime)) as client:
        refused = client.post("/v1/media", files={"file": ("a.jpg", data)}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (415, HOSTILE[name][1])
        wrong = client.post("/v1/search", json={"image": {"upload_id": str(kept.id)}}, headers=headers)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "image")
        told = client.post(
            "/v1/duplicates/check", json={"images": [{"upload_id": str(kept.id)}]}, headers=headers
        ).json()
        assert told["verdict"] == "could_not_check"
        assert client.post("/v1/media", files={"file": ("b.png", sound("PNG"))}, headers=headers).status_code == 201


def test_without_processes_nobody_is_blamed(desk: Desk, api_key: ApiKeyMaker) -> None:
    post_id = post(desk, "good", still(10))
    desk.runtime.stills.close()
    desk.runtime.asked_stills.close()
    assert desk.run(Stage.INDEX) == 0
    row = desk.work(post_id)
    assert row is not None
    assert (row.state, row.error_code) == ("waiting", "SandboxDown")
    with TestClient(create_app(desk.runtime)) as client:
        answer = client.post("/v1/media", files={"file": ("b.png", sound("PNG"))}, headers=bearer(api_key(Role.INGEST)))
    assert (answer.status_code, answer.json()["code"]) == (503, "decoder_down")
