"""The trend report: what it tells, that nothing in it can act, and how it becomes a file."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from PIL import Image

from postscope.backend.tables import Alert, Media, TopicLayout, TopicMember
from postscope.backend.trends.report.content import ReportQuery, read_report
from postscope.backend.trends.report.page import report_page
from postscope.backend.trends.report.printing import BROWSERS, NoBrowser, print_pdf
from postscope.cli.reporting import _time
from tests.trends.conftest import Archive

START = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
DAY = timedelta(days=1)
WINDOW = {"from": "2026-03-22T00:00:00Z", "to": "2026-03-29T00:00:00Z"}
HOSTILE = (
    "\"'></title></style><script>alert(1)</script><img src=//x.example/p onerror=alert(2)><svg onload=alert(3)>\u202e"
)
QUIET_TAGS = {
    "html", "head", "meta", "base", "title", "style", "body", "header", "section", "article", "footer", "h1", "h2",
    "h3", "p", "b", "div", "span", "bdi", "a", "ul", "li", "table", "tr", "th", "td", "img", "blockquote", "svg",
    "rect", "line", "polyline", "circle", "text",
}  # fmt: skip


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def told(archive: Archive) -> UUID:
    """Four weeks: a steady topic, and one that is new in the last with words, name and source that are hostile."""
    rows = [
        {"created_at": (START + hour * timedelta(hours=2)).isoformat(), "text": f"steady {hour}"} for hour in range(330)
    ]
    archive.topic(archive.add_many(rows), name="steady")
    late = [
        {"created_at": (START + 25 * DAY + n * timedelta(minutes=30)).isoformat(), "text": f"{HOSTILE} {n}",
         "source": HOSTILE[:60], "tags": [HOSTILE[:60]]}
        for n in range(40)
    ]  # fmt: skip
    posts = archive.add_many(late)
    topic = archive.topic(
        posts, name=HOSTILE, keywords=[{"word": HOSTILE, "weight": 1.0, "language": None}],
        summary={"post_ids": [str(posts[7])]},
    )  # fmt: skip
    archive.sounds(posts[0], 0.8, 0.1, 0.1)
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), "orange").save(picture, "PNG")
    broken = archive.runtime.blobs.put(b"no picture")
    whole = archive.runtime.blobs.put(picture.getvalue())
    with archive.runtime.database.session() as session:
        for n, sha256 in enumerate((broken, whole)):
            session.add(
                Media(id=uuid4(), post_id=posts[7], position=n, url=f"https://m.example/{n}", sha256=sha256,
                      mime="image/png", kind="image", state="indexed")
            )  # fmt: skip
        for n, post in enumerate(posts):
            session.add(TopicLayout(post_id=post, x=n % 7, y=n // 7, run_id=uuid4()))
        session.add(alert(topic))
    return topic


def alert(topic: UUID) -> Alert:
    at = START + 25 * DAY
    return Alert(
        id=uuid4(), key="candidate:1", kind="candidate", state="open", topic_id=topic, raised_at=at, since=at,
        until=at + DAY, observed=40, expected=1.5, low=0, high=5, probability=1e-9, posts=41, authors=12,
        marks=["near_copies"], evidence={},
    )  # fmt: skip


def test_hostile_words_are_words(archive: Archive, told: UUID) -> None:
    answer = archive.raw("/v1/trends/report", **WINDOW)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    elements = Elements(answer.text).found
    assert {tag for tag, _ in elements} <= QUIET_TAGS
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert all((said["src"] or "").startswith("data:image/jpeg;base64,") for tag, said in elements if tag == "img")
    assert all((said["href"] or "").startswith("/v1/") for tag, said in elements if tag == "a")
    assert answer.text.count("&lt;script&gt;alert(1)") > 4


def test_it_tells_what_emerged_with_evidence_posts_pictures_alerts_and_map(archive: Archive, told: UUID) -> None:
    page = archive.raw("/v1/trends/report", **WINDOW).text
    emerged = page[page.index("What emerged") : page.index("What grew")]
    trend = archive.get("/v1/trends", **WINDOW)["trends"][0]
    assert trend["topic_id"] == str(told)
    assert f"{trend['expected_low']} to {trend['expected_high']}" in emerged
    assert "significant" in emerged
    assert emerged.count("<img ") == 1  # of the two files only one is a picture
    assert emerged.index("onerror=alert(2)&gt;&lt;svg onload=alert(3)&gt;\u202e 7<") < emerged.index("<footer>")
    alerts = page[page.index("<h2>Alerts") : page.index("<h2>Map")]
    assert "41, 12" in alerts
    assert "near copies" in alerts
    drawn = page[page.index("<h2>Map") : page.index("<h2>Sentiment")]
    assert drawn.count("<circle") == 40
    assert re.search(r"1 of 1\d\d posts were scored: negative 100%", page)
    assert "The history that the window is compared with begins 2026-03-01 00:00: 21.0 days." in page


def test_whatever_it_links_to_is_there(archive: Archive, told: UUID) -> None:
    outlier = archive.add("2026-03-27T12:00:00Z", text="of nothing")
    with archive.runtime.database.session() as session:
        session.add(TopicMember(post_id=outlier, topic_id=None, strength=0.0, assigned_at=archive.runtime.clock()))
    page = archive.raw("/v1/trends/report", **WINDOW, tz="Asia/Kathmandu").text
    links = {said["href"] or "" for tag, said in Elements(page).found if tag == "a"}
    kinds = {re.split(r"[?/]", link.removeprefix("/v1/"))[0] for link in links}
    assert kinds == {"posts", "trends", "topics", "alerts"}
    assert {link: archive.raw(link).status_code for link in links} == dict.fromkeys(links, 200)
    (nowhere,) = [link for link in links if "outlier" in link]
    assert [post["id"] for post in archive.get(nowhere)["posts"]] == [str(outlier)]


def test_figures_that_were_not_reported_are_not_called_none(archive: Archive, told: UUID) -> None:
    page = archive.raw("/v1/trends/report", **WINDOW).text
    assert page.count("<b>none reported</b>") == 2
    archive.add("2026-03-27T12:00:00Z", metrics={"views": 1_200})
    assert "<b>1,200</b><span>reach" in archive.raw("/v1/trends/report", **WINDOW).text


def test_shares_that_few_posts_make_are_pale_and_parts_add_up(archive: Archive) -> None:
    rows = [
        {"created_at": "2026-03-27T12:00:00Z", "text": f"w {n}", "language": n}
        for n in ("en", "de", "fr", "it", "es", "pt", "nl")
    ]
    ids = archive.add_many(rows)
    archive.topic(ids)
    for post in ids[:2]:
        archive.sounds(post, 0.8, 0.1, 0.1)
    asked = {**WINDOW, "from": "2026-03-27T00:00:00Z"}
    page = archive.raw("/v1/trends/report", **asked).text
    assert 'fill-opacity=".35"><title>negative: 100% of 2' in page
    assert "language: de 1, en 1, es 1, fr 1, others 3" in page


def test_too_short_a_history_is_said_and_counts_are_shown(archive: Archive, told: UUID) -> None:
    page = archive.raw("/v1/trends/report", **{"from": "2026-03-01T00:00:00Z", "to": "2026-03-29T00:00:00Z"}).text
    assert "too short to tell" in page
    assert "The history is too short" in page
    emerged = page[page.index("What emerged") : page.index("What grew")]
    assert "significant</td>" not in emerged
    assert ">330</a>" in emerged
    assert ">40</a>" in emerged


def test_an_empty_window_has_a_report_too(archive: Archive) -> None:
    page = archive.raw("/v1/trends/report", **WINDOW).text
    assert "There are no posts in this window" in page
    assert re.findall("<p>(No topic [^<]*)</p>", page) == [
        "No topic is new in this window.",
        "No topic has more posts than its history lets expect.",
        "No topic has fewer posts than its history lets expect.",
    ]
    assert "dashed line" not in page
    assert "No discovery has placed" in page
    assert "No post of this window was scored" in page


def test_what_has_faded_is_shown_as_it_was(archive: Archive) -> None:
    for day in range(28):
        archive.add_many([{"created_at": (START + day * DAY + n * timedelta(hours=1)).isoformat()} for n in range(20)])
    gone = [{"created_at": (START + n * timedelta(hours=4)).isoformat(), "text": f"trams {n}"} for n in range(100)]
    silent = [{"created_at": (START + n * timedelta(hours=4)).isoformat(), "text": ""} for n in range(3)]
    archive.topic(archive.add_many([*gone, *silent]), name="trams")
    page = archive.raw("/v1/trends/report", **WINDOW).text
    faded = page[page.index("What faded") : page.index("<h2>Alerts")]
    assert "No posts in this window; earlier ones:" in faded
    assert faded.count("<blockquote>") == 3
    assert "(no words)" not in faded
    assert "0 authors" not in faded


def test_a_day_is_one_of_the_zone_of_the_report() -> None:
    assert _time("2026-03-15", "Europe/Berlin") == "2026-03-15T00:00:00+01:00"
    assert _time("2026-03-29T00:00:00Z", "Europe/Berlin") == "2026-03-29T00:00:00Z"
    assert _time("soon", "UTC") == "soon"
    assert _time(None, "UTC") is None


def test_a_wrong_question_is_named(archive: Archive) -> None:
    for wrong in ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, {"tz": "Mars/Crater"}, {"limit": 0}):
        answer = archive.raw("/v1/trends/report", **wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"][0]["field"].split(".")[-1] == next(iter(wrong))


def test_a_kept_page_links_to_the_service(archive: Archive, told: UUID) -> None:
    asked = ReportQuery.model_validate(WINDOW)
    page = report_page(read_report(archive.runtime, asked), base="http://127.0.0.1:8765/")
    assert [said["href"] for tag, said in Elements(page).found if tag == "base"] == ["http://127.0.0.1:8765/"]
    assert "base-uri http://127.0.0.1:8765" in page


def test_without_a_browser_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBrowser, match="needs a browser"):
        print_pdf("<p>words")


@pytest.mark.parametrize(("script", "reason"), [("exec sleep 30", "within 1 second"), ("echo oh >&2; exit 3", "oh"),
                                                ("exit 0", "no PDF")])  # fmt: skip
def test_a_browser_that_fails_or_hangs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    fake = tmp_path / "chromium"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NoBrowser, match=reason):
        print_pdf("<p>words", seconds=1)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium on the PATH")
def test_a_browser_prints_it() -> None:
    assert print_pdf("<!doctype html><p>words").startswith(b"%PDF-")
