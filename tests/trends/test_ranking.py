"""Trends over the API: what emerges, grows and fades, with evidence that can be checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.trends.conftest import Archive

START = datetime(2026, 2, 1, tzinfo=UTC)
WINDOW = {"from": "2026-02-22T00:00:00Z", "to": "2026-02-23T00:00:00Z"}


@pytest.fixture
def three_weeks(archive: Archive) -> dict[str, UUID]:
    """Ten posts a day of the steady, growing and fading topic and of others; on the last day that changes."""
    named: dict[str, list[UUID]] = {}

    def write(name: str, day: int, count: int) -> None:
        at = [(START + timedelta(days=day, minutes=1_440 * n // count)).isoformat() for n in range(count)]
        rows = [{"created_at": when, "text": name, "tags": [name]} for when in at]
        named.setdefault(name, []).extend(archive.add_many(rows))

    for day in range(22):
        last = day == 21
        for name, usual, then in (("steady", 10, 10), ("grows", 10, 60), ("fades", 10, 0), ("new", 0, 25)):
            if (last and then) or (not last and usual):
                write(name, day, then if last else usual)
        archive.add_many([{"created_at": (START + timedelta(days=day, hours=n)).isoformat()} for n in range(20)])
    return {name: archive.topic(posts, name=name) for name, posts in named.items()}


@pytest.mark.parametrize("by", ["topic", "tag"])
@pytest.mark.parametrize(("rank", "name"), [("emerging", "new"), ("growing", "grows"), ("fading", "fades")])
def test_each_list_has_what_belongs_there_with_evidence(
    archive: Archive, three_weeks: dict[str, UUID], by: str, rank: str, name: str
) -> None:
    found = archive.get("/v1/trends", **WINDOW, by=by, rank=rank)
    assert found["enough_history"]
    best = found["trends"][0]
    assert best["name"] == name
    assert best["significant"]
    assert best["topic_id"] == (str(three_weeks[name]) if by == "topic" else None)
    assert not best["expected_low"] <= best["observed"] <= best["expected_high"]
    assert best["ratio"] == pytest.approx(best["observed"] / best["expected"], rel=0.01)
    assert archive.get(best["posts_url"])["total"] == best["observed"]
    steady = [trend for trend in found["trends"] if trend["name"] == "steady"]
    assert not any(trend["significant"] for trend in steady)


def test_hashtags_of_texts_are_tags_and_every_number_leads_to_its_posts(
    archive: Archive, three_weeks: dict[str, UUID]
) -> None:
    on_the_last_day = (START + timedelta(days=21, hours=3)).isoformat()
    said = {"text": "So #Loud, #हिन्दी and #loud! We are #1, see https://a.example/x#part &#39;", "tags": ["loud"]}
    archive.add_many([{"created_at": on_the_last_day, **said}] * 30)
    archive.add_many([{"created_at": on_the_last_day, "text": "aloud", "tags": ["#LOUD", "हिन्दी"]}] * 5)
    found = archive.get("/v1/trends", **WINDOW, by="tag", rank="emerging")["trends"]
    assert {trend["name"]: trend["observed"] for trend in found} == {"new": 25, "loud": 35, "हिन्दी": 35}
    for trend in found:
        assert archive.get(trend["posts_url"])["total"] == trend["observed"]


def test_topics_are_ranked_among_the_posts_of_topics_and_not_among_the_others(
    archive: Archive, three_weeks: dict[str, UUID]
) -> None:
    inside = archive.get("/v1/trends", **WINDOW, outlier=False, rank="growing")
    assert inside["trends"][0]["name"] == "grows"
    assert archive.get("/v1/trends", **WINDOW, outlier=True, rank="growing")["trends"] == []


def test_a_tag_is_one_with_or_without_its_sign(archive: Archive, three_weeks: dict[str, UUID]) -> None:
    on_the_last_day = (START + timedelta(days=21, hours=3)).isoformat()
    archive.add_many([{"created_at": on_the_last_day, "tags": [tag]} for tag in ("#Loud", "loud") * 20])
    trends = archive.get("/v1/trends", **WINDOW, by="tag", rank="emerging")["trends"]
    assert {trend["name"]: trend["observed"] for trend in trends}["loud"] == 40
    assert not [trend for trend in trends if trend["name"].startswith("#")]


def test_a_filter_is_a_stream_of_its_own(archive: Archive, three_weeks: dict[str, UUID]) -> None:
    assert archive.get("/v1/trends", **WINDOW, source="nobody")["trends"] == []
    one = archive.get("/v1/trends", **WINDOW, rank="growing", topic_id=str(three_weeks["steady"]))
    assert not [trend for trend in one["trends"] if trend["significant"]]


def test_hidden_and_merged_topics_are_no_trends(archive: Archive, three_weeks: dict[str, UUID]) -> None:
    posts = archive.add_many([{"created_at": "2026-02-22T10:00:00Z"} for _ in range(30)])
    archive.topic(posts[:15], name="hidden", hidden=True)
    archive.topic(posts[15:], name="gone", merged_into=three_weeks["new"])
    names = [trend["name"] for trend in archive.get("/v1/trends", **WINDOW)["trends"]]
    assert names == ["new"]


@pytest.mark.parametrize("posts", [0, 1, 10])
def test_without_history_nothing_is_called_significant(archive: Archive, posts: int) -> None:
    ids = [archive.add("2026-02-22T10:00:00Z", author=str(n)) for n in range(posts)]
    archive.topic(ids)
    found = archive.get("/v1/trends", **WINDOW, min_posts=1)
    assert not found["enough_history"]
    assert {trend[name] for trend in found["trends"] for name in ("expected", "ratio")} <= {None}
    assert [(trend["observed"], trend["probability"]) for trend in found["trends"]] == ([(posts, 1)] if posts else [])
    assert not any(trend["significant"] for trend in found["trends"])


def test_trends_as_a_table(archive: Archive, three_weeks: dict[str, UUID]) -> None:
    lines = archive.raw("/v1/trends", "text/csv", **WINDOW).text.splitlines()
    assert lines[0].startswith("topic_id,name,observed")
    assert len(lines) == 2


def test_compare_puts_series_into_the_same_buckets(archive: Archive, three_weeks: dict[str, UUID]) -> None:
    ids = [str(three_weeks["grows"]), str(three_weeks["steady"])]
    found = archive.get("/v1/trends/compare", **WINDOW, topics=ids, tags="new", bucket="6h")
    assert [one["name"] for one in found["series"]] == ["grows", "steady", "new"]
    assert [sum(one["posts"]) for one in found["series"]] == [60, 10, 25]
    assert sum(one["share"] for one in found["series"]) == pytest.approx(1, abs=1e-3)
    assert found["correlations"][0][0] in (1.0, None)
    for one in found["series"]:
        for posts, url in zip(one["posts"], one["posts_urls"], strict=True):
            assert archive.get(url)["total"] == posts
    assert archive.raw("/v1/trends/compare", "text/csv", **WINDOW, topics=ids).text.count("\n") > 10


@pytest.mark.parametrize("query", [{}, {"tags": ["a"]}, {"tags": [str(n) for n in range(11)]}])
def test_compare_needs_two_to_ten(archive: Archive, query: dict[str, Any]) -> None:
    assert archive.get("/v1/trends/compare", 422, **query)["code"] == "invalid"


@pytest.mark.parametrize("query", [{"from": WINDOW["to"], "to": WINDOW["from"]}, {"tz": "Nowhere"}, {"rank": "odd"}])
def test_wrong_questions_about_trends(archive: Archive, query: dict[str, str]) -> None:
    assert archive.get("/v1/trends", 422, **query)["errors"]
