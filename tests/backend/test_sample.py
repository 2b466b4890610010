from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from PIL import Image

from postscope.sample import read_image_labels, read_queries, read_storylines, sample_dir

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
THREE_WEEKS = timedelta(days=21)
LANGUAGES = {"ar", "de", "en", "es", "fr", "it", "ja", "pt", "tr", "zh"}


@pytest.fixture(scope="module")
def posts() -> list[dict]:
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def written_at(post: dict) -> datetime:
    return datetime.fromisoformat(post["created_at"])


def files_of(post: dict) -> list[str]:
    return [part["file"] for part in post.get("media", [])]


def test_enough_posts_over_three_weeks_in_order(posts):
    times = [written_at(post) for post in posts]

    assert len(posts) >= 400
    assert times == sorted(times)
    assert times[0] >= FIRST_DAY
    assert times[-1] < FIRST_DAY + THREE_WEEKS
    assert {moment.date() for moment in times} == {(FIRST_DAY + timedelta(days=n)).date() for n in range(21)}


def test_ids_are_unique_within_a_source(posts):
    assert len({(post["source"], post["external_id"]) for post in posts}) == len(posts)
    assert {post["source"] for post in posts} == {"chirper", "photogrid", "forum", "newswire"}


def test_every_promised_language_has_posts(posts):
    counts = Counter(post.get("language") for post in posts)

    assert {language for language, count in counts.items() if language and count >= 25} >= LANGUAGES


def test_many_authors(posts):
    assert len({post["author"] for post in posts}) >= 120


def test_posts_have_only_the_fields_of_the_api(posts):
    required = {"source", "external_id", "author", "created_at", "metrics", "metadata"}
    optional = {"text", "language", "tags", "media"}

    assert all(required <= set(post) for post in posts)
    assert {field for post in posts for field in post} == required | optional
    for post in posts:
        assert set(post["metrics"]) == {"likes", "comments", "shares", "views"}
        assert all(type(count) is int and count >= 0 for count in post["metrics"].values())
        assert post["metrics"]["likes"] <= post["metrics"]["views"]


def test_no_post_is_empty(posts):
    assert all(post.get("text") or files_of(post) for post in posts)


def test_missing_modalities_exist(posts):
    without_text = [post for post in posts if not post.get("text")]

    assert len(without_text) >= 30
    assert all(files_of(post) and "language" not in post for post in without_text)
    assert {post.get("text", "no field") for post in without_text} == {"no field", None, ""}
    assert sum(not files_of(post) for post in posts) >= 200
    assert any(len(files_of(post)) > 1 for post in posts)


def test_posts_of_a_single_emoji_and_very_short_ones_exist(posts):
    texts = [post["text"] for post in posts if post.get("text")]

    assert sum(not re.search(r"\w", text) for text in texts) >= 5
    assert any(0 < len(text) <= 2 and text.isalpha() for text in texts)


def test_no_text_was_written_twice(posts):
    texts = [post["text"] for post in posts if post.get("text")]

    assert len(set(texts)) == len(texts)


def test_hashtags_handles_and_product_codes_can_be_found(posts):
    texts = [post.get("text") or "" for post in posts]

    for pattern in (r"#\w+", r"@\w+", r"\bNVX2-118\b", r"\bKB-2041\b"):
        assert sum(bool(re.search(pattern, text)) for text in texts) >= 3, pattern
    assert all(f"#{tag}" in post["text"].lower() for post in posts for tag in post.get("tags", []))


def test_near_copies_follow_their_originals(posts):
    by_id = {post["external_id"]: post for post in posts}
    copies = [post for post in posts if "copy_of" in post["metadata"]]

    assert len(copies) >= 40
    for copy in copies:
        original = by_id[copy["metadata"]["copy_of"]]
        assert written_at(copy) > written_at(original)
        assert copy["author"] != original["author"]
        assert files_of(copy) == files_of(original)
        similarity = SequenceMatcher(None, copy["text"], original["text"], autojunk=False).ratio()
        assert similarity > 0.6, (copy["text"], original["text"])


def test_storylines_are_those_of_the_posts(posts):
    counts = Counter(post["metadata"]["storyline"] for post in posts)
    storylines = read_storylines()

    assert 18 <= len(storylines) <= 25
    assert {storyline.id for storyline in storylines} == set(counts)
    assert min(counts.values()) >= 15
    for storyline in storylines:
        languages = {p.get("language") for p in posts if p["metadata"]["storyline"] == storyline.id} - {None}
        assert set(storyline.languages) == languages


def test_bursts_burst(posts):
    times = defaultdict(list)
    for post in posts:
        times[post["metadata"]["storyline"]].append(written_at(post))
    bursting = [storyline for storyline in read_storylines() if storyline.burst]

    assert len(bursting) >= 10
    for storyline in bursting:
        start, end = storyline.burst.start, storyline.burst.end
        share = sum(start <= moment <= end for moment in times[storyline.id]) / len(times[storyline.id])
        assert end - start <= timedelta(days=2), storyline.id
        assert share >= 0.5, (storyline.id, share)


def test_steady_storylines_do_not_burst(posts):
    steady = {storyline.id for storyline in read_storylines() if storyline.burst is None}

    assert steady
    for name in steady:
        days = Counter(written_at(post).date() for post in posts if post["metadata"]["storyline"] == name)
        assert max(days.values()) <= 0.3 * days.total(), name


def test_every_image_is_used_labelled_and_opens(posts):
    folder = sample_dir()
    used = {file for post in posts for file in files_of(post) if file.startswith("images/")}
    on_disk = {path.relative_to(folder).as_posix() for path in (folder / "images").iterdir()}
    labelled = [label.file for label in read_image_labels()]

    assert len(on_disk) >= 80
    assert used == on_disk == set(labelled)
    assert len(labelled) == len(on_disk)
    for file in on_disk:
        with Image.open(folder / file) as image:
            image.load()
            assert image.format == "WEBP"
            assert 64 <= max(image.size) <= 320


def test_images_are_small_enough_to_ship():
    assert sum(path.stat().st_size for path in (sample_dir() / "images").iterdir()) < 2_500_000


def test_every_video_note_and_meme_is_used_credited_and_small(posts):
    folder = sample_dir() / "media"
    used = {file.removeprefix("media/") for post in posts for file in files_of(post) if file.startswith("media/")}
    credits = (sample_dir() / "IMAGES.md").read_text(encoding="utf-8").partition("## Videos")[2]
    on_disk = {path.name for path in folder.iterdir()}

    assert used == on_disk == set(re.findall(r"^\| (\S+\.\w+) \|", credits, flags=re.MULTILINE))
    assert {Path(name).suffix for name in on_disk} >= {".mp4", ".webm", ".ogg", ".m4a", ".mp3", ".gif", ".webp", ".png"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000


def test_labels_name_the_storyline_that_shows_the_image(posts):
    shown = {
        file: post["metadata"]["storyline"] for post in posts for file in files_of(post) if file.startswith("images/")
    }
    labels = {label.file: label for label in read_image_labels()}

    assert {file: label.storyline for file, label in labels.items()} == shown
    copies = [label for label in labels.values() if label.near_copy_of]
    assert len(copies) >= 10
    assert all(labels[copy.near_copy_of].concept == copy.concept for copy in copies)


def test_every_image_has_its_licence_written_down():
    table = (sample_dir() / "IMAGES.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if ".webp" in line]
    licences = {row[1]: row[3] for row in cells}
    free = {"Public Domain", "CC0-1.0", "CC-BY 2.0", "No known copyright restrictions"}

    for label in read_image_labels():
        assert licences[Path(label.file).name] in free, label.file


def test_queries_cover_every_language_and_storyline():
    queries = read_queries()
    answered = [query for query in queries if query.storyline]

    assert len(queries) >= 120
    assert len(queries) - len(answered) >= 15
    assert {query.language for query in queries} == LANGUAGES
    assert {query.storyline for query in answered} == {s.id for s in read_storylines()}
    assert len({(query.text, query.language, query.kind) for query in queries}) == len(queries)


def test_image_queries_have_an_image_that_answers():
    pictures = {(label.storyline, label.concept) for label in read_image_labels()}
    directed = [query for query in read_queries() if query.kind == "image"]

    assert {query.language for query in directed} == LANGUAGES
    assert {(q.storyline, q.concept) for q in directed if q.storyline} <= pictures
    assert all(query.concept is None for query in directed if query.storyline is None)


def test_a_code_in_a_query_without_answer_is_in_no_post(posts):
    codes = [query.text for query in read_queries() if not query.storyline and re.fullmatch(r"[\w-]*\d+", query.text)]

    assert codes
    assert not [post for post in posts for code in codes if code in (post.get("text") or "")]
