"""Timelines over the API: what they count, where they lead, and bad input."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from tests.conftest import SetClock
from tests.trends.conftest import Archive

DAY = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}


def counts(answer: dict[str, Any]) -> list[int]:
    return [bucket["posts"] for bucket in answer["buckets"]]


def test_every_bucket_is_there_and_says_what_its_posts_add_up_to(archive: Archive) -> None:
    first = archive.add(
        "2026-03-01T00:10:00Z", author="a", language="en", metrics={"views": 10, "likes": 2, "shares": 1}
    )
    archive.add("2026-03-01T00:50:00Z", author="a", language="de", metrics={"views": 5, "comments": 4})
    archive.add("2026-03-01T12:00:00Z", author="b", source="other")
    archive.sounds(first, 0.1, 0.2, 0.7)
    found = archive.get("/v1/timeline", **DAY, bucket="6h")
    assert counts(found) == [2, 0, 1, 0]
    bucket = found["buckets"][0]
    assert (bucket["authors"], bucket["reach"], bucket["engagement"]) == (1, 15, 7)
    assert bucket["languages"] == {"de": 1, "en": 1}
    assert bucket["media"] == {"none": 2}
    assert bucket["sentiment"] == {"scored": 1, "negative": 0, "neutral": 0, "positive": 1}
    assert found["buckets"][1]["sentiment"] == {"scored": 0, "negative": None, "neutral": None, "positive": None}
    assert found["total"]["authors"] == 2
    assert found["total"]["sources"] == {"s": 2, "other": 1}


def test_an_author_of_several_buckets_counts_once_in_the_whole(archive: Archive) -> None:
    for hour in range(5):
        archive.add(f"2026-03-01T0{hour}:00:00Z", author="a")
    found = archive.get("/v1/timeline", **DAY, bucket="1h")
    assert found["total"]["authors"] == 1
    assert sum(bucket["authors"] for bucket in found["buckets"]) == 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"source": "s"}, 3),
        ({"source": ["s", "other"]}, 4),
        ({"language": "EN"}, 1),
        ({"tag": "#Harbour"}, 2),
        ({"tag": "harbour"}, 2),
        ({"author": "@Mara"}, 1),
        ({"q": "gull"}, 1),
        ({"q": "GULLS harbour"}, 1),
        ({"q": '"over the"'}, 1),
        ({"q": "港"}, 1),
        ({"q": "100%"}, 0),
        ({"q": ".*"}, 0),
        ({"tag": "x)("}, 0),
        ({"tag": "seabird"}, 1),
        ({"tag": "#SeaBird"}, 1),
    ],
)
def test_filters_choose_posts_and_the_link_lists_exactly_these(
    archive: Archive, query: dict[str, Any], expected: int
) -> None:
    archive.add("2026-03-01T01:00:00Z", text="Gulls over the #harbour", language="en", author="@mara")
    archive.add("2026-03-01T02:00:00Z", text="one gull", tags=["Harbour"])
    archive.add("2026-03-01T03:00:00Z", text="横浜港の朝")
    archive.add("2026-03-01T04:00:00Z", text="seagulls", source="other", tags=["#Seabird"])
    found = archive.get("/v1/timeline", **DAY, **query)
    assert found["total"]["posts"] == expected
    for figures in (found["total"], *found["buckets"]):
        assert archive.get(figures["posts_url"])["total"] == figures["posts"]


def test_the_clock_change_gives_the_day_its_real_hours(archive: Archive) -> None:
    archive.add("2026-10-25T00:30:00Z")  # 02:30 summer time in Berlin
    archive.add("2026-10-25T01:30:00Z")  # 02:30 again
    query = {"from": "2026-10-24T22:00:00Z", "to": "2026-10-25T23:00:00Z", "tz": "Europe/Berlin"}
    hourly = archive.get("/v1/timeline", **query, bucket="1h")
    assert len(hourly["buckets"]) == 25
    assert counts(hourly)[2:4] == [1, 1]
    assert counts(archive.get("/v1/timeline", **query, bucket="1d")) == [2]


def test_the_period_before_is_that_of_the_same_clock(archive: Archive) -> None:
    archive.add("2026-03-28T08:30:00Z")  # 09:30 in Berlin, the day before clocks go forward
    archive.add("2026-03-29T07:30:00Z")  # 09:30 on the day itself
    archive.add("2026-03-29T07:40:00Z")
    found = archive.get(
        "/v1/timeline", **{"from": "2026-03-28T23:00:00Z", "to": "2026-03-29T22:00:00Z"}, tz="Europe/Berlin",
        bucket="1h",
    )  # fmt: skip
    place = counts(found).index(2)
    assert found["comparison"]["posts"][place] == 1
    assert found["comparison"]["change"] == 2


@pytest.mark.parametrize(("posts", "compare"), [(0, "week"), (1, "year"), (10, "previous"), (10, "none")])
def test_windows_with_few_posts(archive: Archive, posts: int, compare: str) -> None:
    for n in range(posts):
        archive.add(f"2026-03-01T{n:02}:00:00Z", author=str(n))
    found = archive.get("/v1/timeline", **DAY, compare=compare)
    assert (found["total"]["posts"], found["total"]["authors"]) == (posts, posts)
    assert sum(counts(found)) == posts
    assert (found["comparison"] is None) == (compare == "none")


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ({"from": DAY["to"], "to": DAY["from"]}, "from", "before"),
        ({"from": DAY["from"], "to": DAY["from"]}, "from", "before"),
        ({"from": "2020-01-01T00:00:00Z", "to": DAY["to"], "bucket": "1m"}, "bucket", "2000"),
        ({"from": "0001-01-01T00:00:00Z"}, "from", "1900"),
        ({"to": "9999-12-31T23:59:59Z"}, "to", "2200"),
        ({"from": "2026-03-01"}, "from", ""),
        ({"tz": "Mars/Base"}, "tz", "no time zone"),
        ({"tz": "../../etc/passwd"}, "tz", "no time zone"),
        ({"bucket": "7m"}, "bucket", ""),
        ({"colour": "red"}, "colour", ""),
        ({"mood": "angry"}, "mood", ""),
    ],
)
def test_a_wrong_question_is_answered_with_the_field_and_the_reason(
    archive: Archive, query: dict[str, str], field: str, says: str
) -> None:
    problem = archive.get("/v1/timeline", 422, **query)
    assert [error for error in problem["errors"] if error["field"].endswith(field) and says in error["reason"]], problem


def test_a_window_of_two_centuries_is_answered_in_months(archive: Archive) -> None:
    archive.add("1970-01-01T00:00:00Z")
    archive.add("2099-01-01T00:00:00Z")
    found = archive.get("/v1/timeline", **{"from": "1960-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"})
    assert found["bucket"] == "1mo"
    assert found["total"]["posts"] == 2
    assert archive.get("/v1/posts")["total"] == 2


def test_posts_from_the_future_are_in_the_future_alone(archive: Archive, clock: SetClock) -> None:
    archive.add("2030-01-01T00:00:00Z")
    assert archive.get("/v1/timeline")["total"]["posts"] == 0
    later = archive.get("/v1/timeline", **{"from": "2029-12-31T00:00:00Z", "to": "2030-01-02T00:00:00Z"})
    assert later["total"]["posts"] == 1


def test_the_bucket_that_is_not_over_is_marked(archive: Archive, clock: SetClock) -> None:
    found = archive.get("/v1/timeline", **{"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}, bucket="1h")
    assert [n for n, bucket in enumerate(found["buckets"]) if bucket["partial"]] == [12]


def test_a_topic_that_was_merged_away_answers_with_what_it_became(archive: Archive) -> None:
    posts = [archive.add("2026-03-01T01:00:00Z"), archive.add("2026-03-01T02:00:00Z")]
    other = archive.add("2026-03-01T03:00:00Z")
    heir = archive.topic(posts)
    gone = archive.topic([other], merged_into=heir)
    found = archive.get(f"/v1/topics/{gone}/timeline", **DAY)
    assert found["topic_id"] == str(heir)
    assert found["total"]["posts"] == 2
    assert archive.get(found["total"]["posts_url"])["total"] == 2
    assert archive.get("/v1/posts", topic_id=str(gone))["total"] == 2
    assert archive.get(f"/v1/topics/{uuid4()}/timeline", 404)["code"] == "not_found"


def test_a_theme_has_the_posts_of_its_topics(archive: Archive) -> None:
    theme = archive.topic([], layer="theme")
    archive.topic([archive.add("2026-03-01T01:00:00Z")], parent_id=theme)
    archive.topic([archive.add("2026-03-01T02:00:00Z")])
    assert archive.get(f"/v1/topics/{theme}/timeline", **DAY)["total"]["posts"] == 1


def test_a_post_that_was_deleted_is_in_no_number(archive: Archive) -> None:
    kept, gone = archive.add("2026-03-01T01:00:00Z"), archive.add("2026-03-01T02:00:00Z")
    topic = archive.topic([kept, gone])
    archive.delete(gone)
    found = archive.get(f"/v1/topics/{topic}/timeline", **DAY)
    assert found["total"]["posts"] == 1
    listed = archive.get(found["total"]["posts_url"])
    assert [post["id"] for post in listed["posts"]] == [str(kept)]


def test_pages_neither_repeat_nor_lose_a_post(archive: Archive) -> None:
    ids = archive.add_many([{"created_at": "2026-03-01T01:00:00Z"} for _ in range(7)])
    seen, cursor = [], None
    while True:
        page = archive.get("/v1/posts", limit=3, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 7
        seen += [post["id"] for post in page["posts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(map(str, ids))
    assert archive.get("/v1/posts", 422, cursor="nonsense")["errors"][0]["field"].endswith("cursor")


def test_the_mood_of_a_bucket_links_to_its_posts(archive: Archive) -> None:
    moods = [(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.4, 0.4, 0.2), (0.4, 0.2, 0.4)]
    for shares in moods:
        archive.sounds(archive.add("2026-03-01T01:00:00Z"), *shares)
    archive.add("2026-03-01T01:00:00Z")
    sentiment = archive.get("/v1/timeline", **DAY)["total"]["sentiment"]
    assert sentiment == {"scored": 5, "negative": 0.4, "neutral": 0.4, "positive": 0.2}
    for mood, posts in (("negative", 2), ("neutral", 2), ("positive", 1)):
        assert archive.get("/v1/posts", mood=mood)["total"] == posts


def test_csv_cannot_make_a_spreadsheet_run_anything(archive: Archive) -> None:
    archive.add("2026-03-01T01:00:00Z", source='=cmd|"/c calc"!A1', language="en")
    answer = archive.raw("/v1/timeline", "text/csv", **DAY, bucket="6h")
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert len(rows) == 4
    assert 'source.=cmd|"/c calc"!A1' in header
    assert not [cell for row in [header, *rows] for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert rows[0][header.index("posts")] == "1"


def test_parquet_has_the_same_rows_with_types(archive: Archive) -> None:
    archive.add("2026-03-01T01:00:00Z", author="a")
    answer = archive.raw("/v1/timeline", **DAY, bucket="6h", format="parquet")
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.num_rows == 4
    assert table.column("posts").to_pylist() == [1, 0, 0, 0]
    assert str(table.schema.field("from").type) == "timestamp[us, tz=UTC]"
    assert archive.raw("/v1/timeline", **DAY, format="xlsx").status_code == 422
