"""Filters of a request, on the embedded store, against the same conditions in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from postscope.backend.post_schema import author_hash
from postscope.backend.searching.filters import Filters
from postscope.indexing.pipeline import PAYLOAD_FIELDS
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.types import Payload, Point

KEY = b"k" * 32
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_SECONDS = int(NOON.timestamp())


def payload(n: int) -> Payload:
    """Three sources, two authors, days, tags and metrics in every combination that 36 posts can have."""
    made: Payload = {
        "source": ("chirper", "forum", "photos")[n % 3],
        "created": NOON_SECONDS + 3_600 * n,
        "tags": ["harbour", "gulls"][: n % 3],
        "metrics": {"likes": float(n)},
        "metadata": {"region": ["north", "south"][n % 2], "rank": n % 4, "open": n % 2 == 0, "my key": f"v{n % 2}"},
    }
    if n % 4:
        made["author"] = author_hash(KEY, ("@Mara", "@tom")[n % 2])
    if n % 5:
        made["language"] = ("en", "es")[n % 2]
    if n % 2:
        made["media"] = ["image"]
    return made


POSTS = {n: payload(n) for n in range(36)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    opened = EdgeStore(tmp_path_factory.mktemp("store"))
    opened.create("posts", 4, PAYLOAD_FIELDS)
    vector = np.array([1, 0, 0, 0], np.float32)
    opened.upsert("posts", [Point(UUID(int=n), dense={"text": vector}, payload=made) for n, made in POSTS.items()])
    yield opened
    opened.close()


def kept(store: EdgeStore, **body: Any) -> list[int]:
    condition = Filters.model_validate(body).condition(KEY)
    return [stored.id.int for batch in store.scroll("posts", filter=condition) for stored in batch]


def numbers(holds) -> list[int]:
    return [n for n, made in POSTS.items() if holds(n, made)]


def test_no_filter_is_no_condition():
    assert Filters().condition(KEY) is None


def test_an_author_is_found_by_the_plain_name_whatever_its_case(store):
    assert kept(store, author="@mara ") == numbers(lambda n, p: p.get("author") == author_hash(KEY, "@Mara"))
    assert kept(store, author="@mara ") != []


def test_a_time_range_takes_its_start_and_leaves_its_end(store):
    window = {"from": "2026-03-02T13:00:00+00:00", "to": "2026-03-02T15:00:00+00:00"}
    assert kept(store, created=window) == [1, 2]


@pytest.mark.parametrize("wanted", ["none", ["none"]])
def test_without_media(store, wanted):
    assert kept(store, media=wanted) == numbers(lambda n, p: "media" not in p)


def test_with_or_without_media_is_everything(store):
    assert kept(store, media=["image", "none"]) == list(POSTS)


def test_tags_whatever_their_case_and_sign(store):
    assert kept(store, tags={"any": ["#Harbour"]}) == numbers(lambda n, p: "harbour" in p["tags"])
    assert kept(store, tags={"all": ["HARBOUR", "gulls"]}) == numbers(lambda n, p: len(p["tags"]) == 2)


def test_a_metadata_key_with_a_space(store):
    assert kept(store, metadata={"my key": "v1"}) == numbers(lambda n, p: n % 2 == 1)


def test_true_is_not_one(store):
    assert kept(store, metadata={"open": True}) == numbers(lambda n, p: n % 2 == 0)
    assert kept(store, metadata={"rank": True}) == []


def test_a_number_is_found_written_either_way(store):
    assert kept(store, metadata={"rank": 3.0}) == kept(store, metadata={"rank": 3}) == numbers(lambda n, p: n % 4 == 3)


def test_a_large_whole_number_is_found_by_all_of_its_digits(store):
    snowflake = 1_765_432_109_876_543_210
    with_ids = {n: {"metadata": {"thread": snowflake + n - 100}} for n in (100, 101)}
    vector = np.array([1, 0, 0, 0], np.float32)
    store.upsert("posts", [Point(UUID(int=n), dense={"text": vector}, payload=p) for n, p in with_ids.items()])
    try:
        assert kept(store, metadata={"thread": snowflake}) == [100]
        assert kept(store, metadata={"thread": [snowflake + 1, "x"]}) == [101]
        assert kept(store, metadata={"thread": snowflake + 2}) == []
        assert kept(store, metadata={"thread": 2**64}) == []  # as a number that no post can have
    finally:
        store.delete("posts", [UUID(int=n) for n in with_ids])


@pytest.mark.parametrize("wanted", [{"a": 1}, None, "", [], 10**400, {"gte": 2, "lte": 1}, [[1]], ["x"] * 101, {}])
def test_what_is_no_value_of_metadata_has_one_reason_under_its_own_name(wanted):
    with pytest.raises(ValidationError) as refused:
        Filters.model_validate({"metadata": {"key": wanted}})
    (problem,) = refused.value.errors()
    assert problem["loc"][:2] == ("metadata", "key")
    assert all(part in ("metadata", "key", "a") for part in problem["loc"])


@pytest.mark.parametrize("wanted", ["pdf", [], ["image", "pdf"], 1])
def test_what_is_no_kind_of_media_has_one_reason(wanted):
    with pytest.raises(ValidationError, match="image, video, audio and none") as refused:
        Filters.model_validate({"media": wanted})
    assert [problem["loc"] for problem in refused.value.errors()] == [("media",)]


def test_a_field_that_no_post_has_keeps_none(store):
    assert kept(store, metrics={"claps": {"gte": 0}}) == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"source": []}, "source"),
        ({"created": {}}, "give from, to or both"),
        ({"created": {"from": "2026-03-02T12:00:00"}}, "time zone"),
        ({"created": {"from": "2026-03-03T00:00:00Z", "to": "2026-03-02T00:00:00Z"}}, "from must be before to"),
        ({"metrics": {"likes": {"gte": 2, "lte": 1}}}, "gte must not be above lte"),
        ({"metrics": {"likes": {}}}, "give gte, lte or both"),
        ({"metrics": {"Likes!": {"gte": 1}}}, "metrics"),
        ({"metadata": {'a"b': 1}}, "double quote"),
        ({"metadata": {"region": []}}, "metadata.region"),
        ({"metadata": {"region": None}}, "metadata.region"),
        ({"media": "film"}, "media"),
        ({"tags": {}}, "give any, all or both"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_filter_that_cannot_be_right_is_refused(body, named):
    with pytest.raises(ValidationError) as caught:
        Filters.model_validate(body)
    assert named in str(caught.value)


def bounds(lowest: int, highest: int) -> st.SearchStrategy[dict[str, float]]:
    pair = st.tuples(st.integers(lowest, highest), st.integers(lowest, highest)).map(sorted)
    return st.one_of(
        pair.map(lambda p: {"gte": p[0], "lte": p[1]}),
        pair.map(lambda p: {"gte": p[0]}),
        pair.map(lambda p: {"lte": p[1]}),
    )


BODIES = st.fixed_dictionaries(
    {},
    optional={
        "source": st.lists(st.sampled_from(["chirper", "forum", "photos", "gone"]), min_size=1, max_size=3),
        "language": st.lists(st.sampled_from(["en", "ES", "fr"]), min_size=1, max_size=2),
        "media": st.sampled_from(["image", "none"]),
        "metrics": st.fixed_dictionaries({"likes": bounds(-3, 40)}),
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "region": st.sampled_from(["north", ["north", "south"], "west"]),
                "rank": st.one_of(bounds(-1, 5), st.lists(st.integers(0, 5), min_size=1, max_size=3)),
                "open": st.booleans(),
            },
        ),
        "tags": st.fixed_dictionaries({"any": st.lists(st.sampled_from(["harbour", "gulls", "x"]), min_size=1)}),
    },
)


def within(value: float, wanted: dict[str, float]) -> bool:
    return wanted.get("gte", value) <= value <= wanted.get("lte", value)


def meets(made: Any, body: dict[str, Any]) -> bool:
    checks = [
        "source" not in body or made["source"] in body["source"],
        "language" not in body or made.get("language") in [code.lower() for code in body["language"]],
        "media" not in body or ("media" in made) == (body["media"] == "image"),
        "metrics" not in body or within(made["metrics"]["likes"], body["metrics"]["likes"]),
        "tags" not in body or bool(set(made["tags"]) & set(body["tags"]["any"])),
    ]
    for key, wanted in body.get("metadata", {}).items():
        value = made["metadata"][key]
        if isinstance(wanted, dict):
            checks.append(within(value, wanted))
        else:
            checks.append(value in (wanted if isinstance(wanted, list) else [wanted]))
    return all(checks)


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_any_filter_keeps_what_plain_python_keeps(store, body):
    assert kept(store, **body) == numbers(lambda n, made: meets(made, body))
