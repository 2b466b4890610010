from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select

from postscope.backend import runs
from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.duplicates import groups
from postscope.backend.runs import RunStopped
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Run
from postscope.backend.work import Stage
from postscope.workers import duplicates
from postscope.workers.long_runs import work_runs
from postscope.workers.run_context import RunContext
from tests import av_files
from tests.conftest import ApiKeyMaker, bearer
from tests.workers.conftest import (  # noqa: F401 - fixtures of the workers' tests
    Desk,
    desk,
    encoder,
    open_runtime,
    runtime,
    truncated_jpeg,
)
from tests.workers.test_duplicates import EVERYTHING, HALF_A, HALF_B, WORDS, at, cropped, models, photo  # noqa: F401


@pytest.fixture
def api(runtime: Runtime, api_key: ApiKeyMaker) -> Iterator[TestClient]:  # noqa: F811
    with TestClient(create_app(runtime), headers=bearer(api_key(Role.MODERATOR, Role.INGEST))) as opened:
        yield opened


@pytest.fixture
def wave(desk: Desk) -> list[UUID]:  # noqa: F811
    """Five copies over four hours of three authors, then two of something else, and one alone."""
    posts = desk.post(
        *(
            {"external_id": str(n), "text": WORDS + " #x" * n, "created_at": at(n), "author": f"a{n % 3}"}
            for n in range(5)
        ),
        *({"external_id": f"b{n}", "text": HALF_A + "!" * n, "created_at": at(9 + n)} for n in range(2)),
        {"external_id": "c", "text": HALF_B},
    )
    desk.run(*EVERYTHING)
    return posts


def put(api: TestClient, data: Image.Image | bytes) -> str:
    if isinstance(data, Image.Image):
        out = io.BytesIO()
        data.save(out, "PNG")
        data = out.getvalue()
    answer = api.post("/v1/media", files={"file": ("file", data)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def ids(rows: list[dict[str, Any]], key: str = "post_id") -> list[str]:
    return [row[key] for row in rows]


def test_a_member_is_told_of_its_anchor_first(api: TestClient, wave: list[UUID]) -> None:
    told = api.get(f"/v1/posts/{wave[3]}/duplicates").json()
    assert told["verdict"] == "copy"
    assert told["could_not_check"] == []
    first = told["copies"][0]
    assert (first["post_id"], first["relation"], first["kind"]) == (str(wave[0]), "anchor", "copy")
    assert first["evidence"][0]["part"] == "text"
    assert "hashtags added" in first["evidence"][0]["changes"]
    assert set(ids(told["copies"])) == {str(post) for post in wave[:5] if post != wave[3]}
    assert not set(ids(told["copies"])) & set(ids(told["look_alikes"]))


def test_the_anchor_sees_what_was_undone(api: TestClient, wave: list[UUID]) -> None:
    told = api.get(f"/v1/posts/{wave[0]}/duplicates").json()
    assert {copy["relation"] for copy in told["copies"]} == {"member"}
    assert all("hashtags added" not in copy["evidence"][0]["changes"] for copy in told["copies"])


def test_a_post_without_copies_and_one_that_is_not_looked_at_yet(api: TestClient, desk: Desk, wave) -> None:  # noqa: F811
    assert api.get(f"/v1/posts/{wave[7]}/duplicates").json()["verdict"] == "no_copy"
    [fresh] = desk.post({"external_id": "d", "text": WORDS})
    assert api.get(f"/v1/posts/{fresh}/duplicates").json()["verdict"] == "not_checked_yet"
    assert api.get(f"/v1/posts/{uuid4()}/duplicates").status_code == 404


def test_a_corrupt_file_could_not_be_checked(
    api: TestClient,
    desk: Desk,  # noqa: F811
    truncated_jpeg: bytes,  # noqa: F811
) -> None:
    [post] = desk.post({"external_id": "1", "text": "", "media": [{"upload_id": put(api, truncated_jpeg)}]})
    desk.run(*EVERYTHING)
    told = api.get(f"/v1/posts/{post}/duplicates").json()
    assert told["verdict"] == "could_not_check"
    assert told["could_not_check"][0]["code"] == "truncated"


def test_groups_come_by_size_growth_and_time(api: TestClient, wave: list[UUID]) -> None:
    def anchors(**asked: Any) -> list[str]:
        return ids(api.get("/v1/duplicates/groups", params=asked).json()["groups"], "anchor_id")

    large, small = str(wave[0]), str(wave[5])
    assert anchors() == [large, small]
    assert anchors(order="newest") == [small, large]
    assert anchors(order="oldest") == [large, small]
    # it is 12:00 of the next day: only the second group has posts of the last 26 hours
    assert anchors(order="growth", growth_hours=26.5) == [small, large]
    assert anchors(min_size=3) == [large]
    assert anchors(since="2026-03-01T08:00:00Z") == [small]
    assert anchors(until="2026-03-01T08:00:00Z") == [large]
    page = api.get("/v1/duplicates/groups", params={"limit": 1}).json()
    assert page["next_offset"] == 1
    assert anchors(limit=1, offset=1) == [small]


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"order": "colour"}, "order"), ({"min_size": 1}, "min_size"), ({"since": "2026-03-01T08:00:00"}, "since")],
)
def test_wrong_questions_about_groups_name_the_field(api: TestClient, asked: dict[str, Any], field: str) -> None:
    answer = api.get("/v1/duplicates/groups", params=asked)
    assert answer.status_code == 422
    assert field in answer.text


def test_a_group_tells_how_it_spread(api: TestClient, wave: list[UUID]) -> None:
    group = api.get("/v1/duplicates/groups").json()["groups"][0]["id"]
    told = api.get(f"/v1/duplicates/groups/{group}").json()
    assert (told["size"], told["authors"], told["anchor_id"]) == (5, 3, str(wave[0]))
    assert ids(told["members"]) == [str(post) for post in wave[:5]]
    assert sum(bucket["posts"] for bucket in told["spread"]["buckets"]) == 5
    assert told["spread"]["per_hour"] == 1.25
    assert told["spread"]["half_after_seconds"] == 7_200
    assert told["members"][0]["evidence"] == []
    assert api.get(f"/v1/duplicates/groups/{uuid4()}").status_code == 404


def test_content_that_is_not_stored_is_checked(
    api: TestClient,
    runtime: Runtime,  # noqa: F811
    desk: Desk,  # noqa: F811
    models: Path,  # noqa: F811
) -> None:
    shutil.copytree(models, runtime.settings.model_cache, dirs_exist_ok=True)
    [text_post, image_post] = desk.post(
        {"external_id": "1", "text": WORDS},
        {"external_id": "2", "text": "", "media": [{"upload_id": put(api, photo(3))}]},
    )
    desk.run(*EVERYTHING)
    told = api.post("/v1/duplicates/check", json={"text": WORDS.upper()}).json()
    assert (told["verdict"], ids(told["copies"])) == ("copy", [str(text_post)])
    told = api.post("/v1/duplicates/check", json={"images": [{"upload_id": put(api, cropped(photo(3)))}]}).json()
    assert (told["verdict"], ids(told["copies"])) == ("copy", [str(image_post)])
    assert told["copies"][0]["evidence"][0]["this_media"] == 0
    told = api.post("/v1/duplicates/check", json={"text": HALF_B, "images": []}).json()
    assert (told["verdict"], told["copies"]) == ("no_copy", [])


def test_a_check_finds_the_members_too_and_none_of_them_as_a_look_alike(
    api: TestClient,
    desk: Desk,  # noqa: F811
    wave: list[UUID],
) -> None:
    told = api.post("/v1/duplicates/check", json={"text": WORDS + " #x" * 3}).json()
    assert set(ids(told["copies"])) == {str(post) for post in wave[:5]}
    assert told["copies"][0]["post_id"] == str(wave[3])
    assert told["copies"][0]["score"] == 1.0
    assert told["look_alikes"] == []


def test_a_check_that_cannot_be_done_says_so(api: TestClient, truncated_jpeg: bytes) -> None:  # noqa: F811
    broken = {"images": [{"upload_id": put(api, truncated_jpeg)}]}
    told = api.post("/v1/duplicates/check", json=broken).json()
    assert told["verdict"] == "could_not_check"
    assert told["could_not_check"][0]["media"] == 0
    private = {"images": [{"url": "http://127.0.0.1/a.jpg"}]}
    told = api.post("/v1/duplicates/check", json=private).json()
    assert told["verdict"] == "could_not_check"
    assert api.post("/v1/duplicates/check", json={}).status_code == 422
    assert api.post("/v1/duplicates/check", json={"text": "  "}).status_code == 422
    short = {"text": WORDS, "media": [{"upload_id": put(api, av_files.sound("wav"))}]}
    told = api.post("/v1/duplicates/check", json=short).json()
    assert (told["verdict"], told["could_not_check"][0]["code"]) == ("could_not_check", "sound_too_short")
    unknown = api.post("/v1/duplicates/check", json={"text": WORDS, "media": [{"upload_id": str(uuid4())}]})
    assert unknown.status_code == 422
    assert "media.0.upload_id" in unknown.text
    unknown = api.post("/v1/duplicates/check", json={"images": [{"upload_id": str(uuid4())}]})
    assert unknown.status_code == 422
    assert "images.0.upload_id" in unknown.text


def test_a_search_shows_one_post_of_a_group(api: TestClient, wave: list[UUID]) -> None:
    asked = {"text": "ferry Brindle Quay storm", "mode": "keyword", "min_score": 0, "limit": 20}
    whole = api.post("/v1/search", json=asked).json()
    assert {str(post) for post in wave[:5]} <= set(ids(whole["hits"], "id"))
    few = api.post("/v1/search", json={**asked, "collapse": "duplicates"}).json()
    shown = [hit for hit in few["hits"] if hit["id"] in {str(post) for post in wave[:5]}]
    assert len(shown) == 1
    assert shown[0]["duplicates"]["size"] == 5
    assert few["total"] == whole["total"] - 4
    assert api.post("/v1/search", json={**asked, "collapse": "colours"}).status_code == 422


def sweep_run(session: Any) -> Run:
    found = session.scalars(select(Run)).one()
    assert isinstance(found, Run)
    return found


def test_a_sweep_finds_what_enrichment_has_not_seen(
    api: TestClient,
    runtime: Runtime,  # noqa: F811
    desk: Desk,  # noqa: F811
) -> None:
    posts = desk.texts(WORDS, WORDS + " #again", HALF_A)
    desk.run(Stage.INDEX)
    answer = api.post("/v1/duplicates/sweep", json={"dry_run": True})
    assert answer.status_code == 202
    assert work_runs(runtime) == 1
    told = api.get(f"/v1/runs/{answer.json()['id']}").json()
    assert told["state"] == "done"
    assert (told["result"]["posts"], told["result"]["with_copies"], told["result"]["groups"]) == (3, 2, 0)
    assert set(ids(told["result"]["examples"], "post")) == {str(post) for post in posts[:2]}
    answer = api.post("/v1/duplicates/sweep", json={})
    assert api.post("/v1/duplicates/sweep", json={}).status_code == 409
    work_runs(runtime)
    told = api.get(f"/v1/runs/{answer.json()['id']}").json()
    assert (told["result"]["groups"], told["result"]["posts_in_groups"]) == (1, 2)


def test_a_dry_run_leaves_groups_alone_whatever_has_changed(
    runtime: Runtime,  # noqa: F811
    desk: Desk,  # noqa: F811
    wave: list[UUID],
) -> None:
    desk.post({"external_id": "0", "text": HALF_B, "created_at": at(0), "author": "a0"})
    with runtime.database.session() as session:
        before = groups.totals(session)
        runs.start(session, "duplicates.sweep", {"dry_run": True}, actor="t", readers=(), now=runtime.clock())
    work_runs(runtime)
    with runtime.database.session() as session:
        assert sweep_run(session).state == "done"
        assert groups.totals(session) == before == {"groups": 2, "posts_in_groups": 7}


def test_a_sweep_that_is_stopped_half_way_goes_on_from_there(
    runtime: Runtime,  # noqa: F811
    desk: Desk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicates, "SWEEP_BATCH", 2)
    posts = desk.texts(WORDS, HALF_A, WORDS + " #a", HALF_B, WORDS + " #b")
    desk.run(Stage.INDEX)
    with runtime.database.session() as session:
        runs.start(session, "duplicates.sweep", {}, actor="t", readers=(), now=runtime.clock())
    stop = threading.Event()
    seen: list[int] = []

    def stopping(runtime: Runtime, context: RunContext) -> dict[str, Any]:
        report = context.report

        def once(done: int, *rest: Any) -> None:
            report(done, *rest)
            seen.append(done)
            if done == 2 and not stop.is_set():
                stop.set()
                raise RunStopped

        context.report = once  # type: ignore[method-assign]
        return duplicates.sweep(runtime, context)

    work_runs(runtime, stop=stop.is_set, runners={"duplicates.sweep": stopping})
    with runtime.database.session() as session:
        assert sweep_run(session).state == "waiting"
    work_runs(runtime, runners={"duplicates.sweep": stopping})
    assert seen == [2, 4, 5]
    with runtime.database.session() as session:
        assert sweep_run(session).result["posts_in_groups"] == 3
    assert posts
