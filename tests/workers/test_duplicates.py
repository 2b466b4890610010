from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import func, select

from postscope.backend import work
from postscope.backend.duplicates.assigning import Found, assign
from postscope.backend.runtime import Runtime
from postscope.backend.tables import DuplicateGroup, DuplicateMember, DuplicatePair
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.encoders import weights
from postscope.indexing.encoders.efficientnet import LITE0, cached_graph
from postscope.sample import sample_dir
from postscope.workers.indexing import load
from tests.workers.conftest import Desk

EVERYTHING = (Stage.EXTRACT, Stage.INDEX, Stage.ENRICH)
Upload = Callable[[Image.Image | bytes], str]

WORDS = "The evening ferry from Brindle Quay was cancelled because of the storm, passengers are stranded"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is derived from the weights, written once: it takes a second."""
    folder = tmp_path_factory.mktemp("models")
    cached_graph(LITE0, weights.EFFICIENTNET_LITE0.locate(), folder)
    return folder


@pytest.fixture
def upload(runtime: Runtime, models: Path) -> Upload:
    shutil.copytree(models, runtime.settings.model_cache, dirs_exist_ok=True)

    def make(data: Image.Image | bytes) -> str:
        if isinstance(data, Image.Image):
            out = io.BytesIO()
            data.save(out, "JPEG", quality=80)
            data = out.getvalue()
        with runtime.database.session() as session:
            made = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=runtime.clock())
            return str(made.id)

    return make


def photo(number: int) -> Image.Image:
    path = sorted((sample_dir() / "images").glob("*"))[number]
    return Image.open(path).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 6, height // 6, width, height))


def group_of(runtime: Runtime, post_id: UUID) -> tuple[UUID | None, set[UUID]]:
    """The anchor and the members; None and nobody without a group."""
    with runtime.database.session() as session:
        group = session.scalar(
            select(DuplicateGroup)
            .join(DuplicateMember, DuplicateMember.group_id == DuplicateGroup.id)
            .where(DuplicateMember.post_id == post_id)
        )
        if group is None:
            return None, set()
        ids = set(session.scalars(select(DuplicateMember.post_id).where(DuplicateMember.group_id == group.id)))
        assert group.size == len(ids)
        return group.anchor_id, ids


def at(hour: int) -> str:
    return f"2026-03-01T{hour:02}:00:00Z"


def test_posts_that_have_nothing_in_common_are_in_no_group(runtime: Runtime, desk: Desk) -> None:
    posts = desk.texts(WORDS, "Fresh bread every morning at the corner bakery by the old mill", "ok", "ok")
    desk.run(*EVERYTHING)
    assert [group_of(runtime, post) for post in posts] == [(None, set())] * 4


def test_an_edited_text_joins_the_earliest(runtime: Runtime, desk: Desk) -> None:
    first, second, third, other = desk.post(
        {"external_id": "1", "text": WORDS, "created_at": at(1)},
        {"external_id": "2", "text": WORDS.upper() + " https://e.org/a #storm", "created_at": at(3)},
        {"external_id": "3", "text": "RT @mara: " + WORDS.replace("storm", "strom"), "created_at": at(2)},
        {"external_id": "4", "text": "The evening ferry was on time today and nobody was left behind at the pier"},
    )
    desk.run(*EVERYTHING)
    for post in (first, second, third):
        assert group_of(runtime, post) == (first, {first, second, third})
    assert group_of(runtime, other) == (None, set())
    with runtime.database.session() as session:
        member = session.get(DuplicateMember, second)
        assert member is not None
        [part] = member.evidence
    assert part["part"] == "text"
    assert part["score"] > 0.95
    assert "hashtags added" in part["changes"]


def test_pictures_are_copies_whatever_the_text_says(runtime: Runtime, desk: Desk, upload: Upload) -> None:
    image = photo(3)
    first, crop, mirror, other = desk.post(
        {"external_id": "1", "text": "one", "created_at": at(1), "media": [{"upload_id": upload(image)}]},
        {"external_id": "2", "text": "two", "created_at": at(2), "media": [{"upload_id": upload(cropped(image))}]},
        {
            "external_id": "3",
            "created_at": at(3),
            "text": "",
            "media": [{"upload_id": upload(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))}],
        },
        {"external_id": "4", "text": "one", "created_at": at(4), "media": [{"upload_id": upload(photo(40))}]},
    )
    desk.run(*EVERYTHING)
    assert group_of(runtime, mirror) == (first, {first, crop, mirror})
    assert group_of(runtime, other) == (None, set())
    with runtime.database.session() as session:
        told = {post: session.get_one(DuplicateMember, post).evidence[0]["changes"] for post in (crop, mirror)}
    assert any("cropped" in change for change in told[crop])
    assert any("mirrored" in change for change in told[mirror])


def test_an_earlier_post_that_comes_late_becomes_the_anchor(runtime: Runtime, desk: Desk) -> None:
    second, third = desk.post(
        {"external_id": "2", "text": WORDS, "created_at": at(2)},
        {"external_id": "3", "text": WORDS + "!", "created_at": at(3)},
    )
    desk.run(*EVERYTHING)
    assert group_of(runtime, third)[0] == second
    [first] = desk.post({"external_id": "1", "text": WORDS + " #late", "created_at": at(1)})
    desk.run(*EVERYTHING)
    assert group_of(runtime, third) == (first, {first, second, third})


HALF_A = "volunteers along the northern shore counted forty seven grey seals before the fog came in"
HALF_B = "meanwhile the council postponed its decision about lighting the promenade until September"


def test_groups_do_not_chain(runtime: Runtime, desk: Desk) -> None:
    """The middle one is a copy of both ends, which have nothing in common."""
    start, middle, end = desk.post(
        {"external_id": "1", "text": HALF_A, "created_at": at(1)},
        {"external_id": "2", "text": f"{HALF_A} {HALF_B}", "created_at": at(2)},
        {"external_id": "3", "text": HALF_B, "created_at": at(3)},
    )
    desk.run(*EVERYTHING)
    assert group_of(runtime, middle) == (start, {start, middle})
    assert group_of(runtime, end) == (None, set())
    with runtime.database.session() as session:
        pairs = session.execute(select(DuplicatePair.post_id, DuplicatePair.other_id)).all()
    assert [tuple(pair) for pair in pairs] == [(end, middle)]


def test_a_new_anchor_keeps_only_those_that_match_it(runtime: Runtime, desk: Desk) -> None:
    middle, end = desk.post(
        {"external_id": "2", "text": f"{HALF_A} {HALF_B}", "created_at": at(2)},
        {"external_id": "3", "text": HALF_B, "created_at": at(3)},
    )
    desk.run(*EVERYTHING)
    assert group_of(runtime, end) == (middle, {middle, end})
    [start] = desk.post({"external_id": "1", "text": HALF_A, "created_at": at(1)})
    desk.run(*EVERYTHING)
    assert group_of(runtime, middle) == (start, {start, middle})
    assert group_of(runtime, end) == (None, set())


def test_deleting_the_anchor_leaves_a_group_with_another(runtime: Runtime, desk: Desk, upload: Upload) -> None:
    image = photo(5)
    posts = desk.post(
        *({"external_id": str(n), "created_at": at(n), "media": [{"upload_id": upload(image)}]} for n in range(1, 4))
    )
    desk.run(*EVERYTHING)
    assert group_of(runtime, posts[2]) == (posts[0], set(posts))
    desk.delete(posts[0])
    assert group_of(runtime, posts[2]) == (None, set(posts[1:]))
    desk.run(Stage.ERASE, *EVERYTHING)
    assert group_of(runtime, posts[2]) == (posts[1], set(posts[1:]))
    desk.delete(posts[1])
    desk.run(Stage.ERASE, *EVERYTHING)
    assert group_of(runtime, posts[2]) == (None, set())
    with runtime.database.session() as session:
        assert session.scalar(select(func.count()).select_from(DuplicateGroup)) == 0


def test_a_post_that_says_something_else_now_leaves_its_group(runtime: Runtime, desk: Desk) -> None:
    first, second, third = desk.post(
        *({"external_id": str(n), "text": WORDS + "." * n, "created_at": at(n)} for n in range(1, 4))
    )
    desk.run(*EVERYTHING)
    desk.post({"external_id": "1", "text": HALF_A, "created_at": at(1)})
    desk.run(*EVERYTHING)
    assert group_of(runtime, first) == (None, set())
    assert group_of(runtime, third) == (second, {second, third})


def test_what_was_read_before_an_edit_decides_nothing(runtime: Runtime, desk: Desk) -> None:
    first, second = desk.post({"external_id": "1", "text": WORDS}, {"external_id": "2", "text": f"{WORDS} !!"})
    desk.run(Stage.INDEX)
    with runtime.database.session() as session:
        posts, media = load(session, [second])
    desk.post({"external_id": "2", "text": "Fresh bread and warm rolls every morning at the bakery by the old mill"})
    desk.run(*EVERYTHING)
    assert assign(runtime, posts, media) == [Found(second, ())]
    assert group_of(runtime, first) == group_of(runtime, second) == (None, set())


def test_running_it_again_changes_nothing(runtime: Runtime, desk: Desk) -> None:
    posts = desk.texts(WORDS, WORDS + " again", HALF_A)
    desk.run(*EVERYTHING)
    before = [group_of(runtime, post) for post in posts]
    with runtime.database.session() as session:
        work.add(session, Stage.ENRICH, posts, now=runtime.clock(), request_id=None)
    desk.run(Stage.ENRICH)
    assert [group_of(runtime, post) for post in posts] == before


def test_a_wave_with_hashtags_of_their_own_is_one_group(runtime: Runtime, desk: Desk) -> None:
    rows = [
        {
            "external_id": str(n),
            "text": f"{WORDS} #now{n % 6}",
            "created_at": f"2026-03-01T{n // 60:02}:{n % 60:02}:00Z",
        }
        for n in range(150)
    ]
    posts = desk.post(*rows)
    desk.run(*EVERYTHING)
    assert group_of(runtime, posts[149]) == (posts[0], set(posts))


@pytest.mark.slow
def test_a_wave_of_500_copies_at_two_workers_is_one_group(open_runtime: Callable[..., Runtime], clock) -> None:
    first, second = open_runtime(batch=50), open_runtime(batch=50)
    desk = Desk(first)
    rows = [
        {
            "external_id": str(n),
            "text": WORDS + " !" * (n % 5),
            "created_at": f"2026-03-01T{(n * 7) % 24:02}:{n % 60:02}:00Z",
        }
        for n in range(500)
    ]
    posts = desk.post(*rows)
    desk.run(Stage.INDEX)
    errors: list[BaseException] = []

    def work_off(runtime: Runtime) -> None:
        try:
            Desk(runtime).run(Stage.ENRICH)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work_off, args=(runtime,)) for runtime in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    desk.run(Stage.ENRICH)
    with first.database.session() as session:
        assert session.execute(select(DuplicateGroup.size)).all() == [(500,)]
    earliest = min(range(500), key=lambda n: (rows[n]["created_at"], posts[n]))
    assert group_of(first, posts[123]) == (posts[earliest], set(posts))
