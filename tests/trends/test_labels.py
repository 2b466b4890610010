"""Labels of taxonomies over time, like topics; and languages that a post's text tells."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from postscope.backend.tables import Post, PostTag, Taxonomy, TaxonomyLabel, TaxonomyVersion
from tests.trends.conftest import Archive
from tests.trends.test_ranking import START, WINDOW

LABELS = ("sport", "sport/football", "weather")


@pytest.fixture
def labelled(archive: Archive) -> dict[str, list[UUID]]:
    """Three weeks of talk; football on the last day alone, weather every day. An old version said otherwise."""
    for day in range(22):
        archive.add_many([{"created_at": (START + timedelta(days=day, hours=n)).isoformat()} for n in range(20)])
    daily = archive.add_many(
        [{"created_at": (START + timedelta(days=n // 4, hours=n % 4)).isoformat()} for n in range(88)]
    )
    late = archive.add_many(
        [{"created_at": (START + timedelta(days=21, minutes=20 * n)).isoformat()} for n in range(30)]
    )
    posts = {"weather": daily, "sport": late, "sport/football": late[:20]}
    now = archive.runtime.clock()
    with archive.runtime.database.session() as session:
        taxonomy = Taxonomy(name="news", created_by="ana", created_at=now)
        session.add(taxonomy)
        session.flush()
        for number, state in ((1, "old"), (2, "live")):
            version = TaxonomyVersion(
                taxonomy_id=taxonomy.id, number=number, state=state, origin="api", created_by="ana", created_at=now,
                applied_at=now,
            )  # fmt: skip
            session.add(version)
            session.flush()
            for position, path in enumerate(LABELS):
                label = TaxonomyLabel(
                    version_id=version.id, path=path, position=position, prompts=[], threshold=0.5,
                    threshold_from="default",
                )  # fmt: skip
                session.add(label)
                session.flush()
                said = posts[path] if state == "live" else [*daily, *late]
                session.add_all(
                    PostTag(version_id=version.id, post_id=post, label_id=label.id, score=0.9) for post in said
                )
    return posts


def test_a_label_has_a_timeline_and_every_number_its_posts(archive: Archive, labelled: dict[str, list[UUID]]) -> None:
    found = archive.get("/v1/timeline", **WINDOW, label="news/sport/football", bucket="6h", compare="none")
    assert found["total"]["posts"] == 20
    assert [bucket["posts"] for bucket in found["buckets"]] == [18, 2, 0, 0]
    for bucket in found["buckets"]:
        assert archive.get(bucket["posts_url"])["total"] == bucket["posts"]
    old = archive.get("/v1/timeline", **WINDOW, label="news@1/sport/football", compare="none")
    assert old["total"]["posts"] == 34


def test_labels_are_ranked_by_what_emerges(archive: Archive, labelled: dict[str, list[UUID]]) -> None:
    found = archive.get("/v1/trends", **WINDOW, by="label", rank="emerging")
    assert [(one["name"], one["observed"]) for one in found["trends"]] == [
        ("news/sport", 30),
        ("news/sport/football", 20),
    ]
    assert all(one["significant"] and one["topic_id"] is None for one in found["trends"])
    for one in found["trends"]:
        assert archive.get(one["posts_url"])["total"] == one["observed"]
    table = archive.raw("/v1/trends", **WINDOW, by="label", format="csv").text
    assert "news/sport/football" in table


def test_labels_are_ranked_among_the_posts_of_another_label(archive: Archive, labelled: dict[str, list[UUID]]) -> None:
    found = archive.get("/v1/trends", **WINDOW, by="label", rank="emerging", label="news/sport/football")
    assert {one["name"]: one["observed"] for one in found["trends"]} == {"news/sport": 20, "news/sport/football": 20}


def test_labels_are_compared(archive: Archive, labelled: dict[str, list[UUID]]) -> None:
    found = archive.get("/v1/trends/compare", **WINDOW, labels=["news/sport", "news/weather"], bucket="6h")
    assert [(one["name"], one["total"]["posts"]) for one in found["series"]] == [
        ("news/sport", 30),
        ("news/weather", 4),
    ]
    for one in found["series"]:
        assert [archive.get(url)["total"] for url in one["posts_urls"]] == one["posts"]
    wrong = archive.get("/v1/trends/compare", 422, **WINDOW, labels=["news/sport", "news/none"])
    assert "label.0" in str(wrong)


def test_a_language_that_the_text_tells_counts_where_none_was_given(archive: Archive) -> None:
    given, told, unknown = (archive.add(f"2026-02-22T0{n}:00:00Z", language="de" if n == 0 else None) for n in range(3))
    with archive.runtime.database.session() as session:
        session.execute(update(Post).where(Post.id.in_([given, told])).values(detected_language="es"))
    whole = archive.get("/v1/timeline", **WINDOW, compare="none")["total"]
    assert whole["languages"] == {"de": 1, "es": 1, "unknown": 1}
    listed = archive.get("/v1/posts", language="es")["posts"]
    assert [post["id"] for post in listed] == [str(told)]
    assert str(unknown) not in str(listed)
