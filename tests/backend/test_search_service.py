"""Searches as they are asked and answered: the bundled encoder, the embedded store and PostgreSQL, nothing made up."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from postscope.backend.app import create_app
from postscope.backend.auth import Role, create_key
from postscope.backend.database import Database
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import HitAnswer, SearchAnswer
from postscope.backend.searching.candidates import FURTHER
from postscope.backend.searching.pages import KEPT_FOR
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search, similar
from postscope.backend.settings import load_settings
from postscope.backend.tables import Post, SearchPage
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.migrations.collections.live import ensure_live_space
from postscope.sample import sample_dir
from postscope.workers.maintain import sweep
from postscope.workers.stages import run_stage
from tests.conftest import SetClock, bearer
from tests.servers import TestDatabases

KEY = uuid4()

TEXTS = {
    "marathon-1": "Huge crowd at the city marathon this morning, the winner finished in two hours and five minutes",
    "marathon-2": "My first marathon! 42 kilometres and my legs will never forgive me",
    "marathon-es": "El maratón de la ciudad terminó con un nuevo récord bajo la lluvia",
    "volcano": "The volcano erupted again last night, ash has closed the airport",
    "volcano-2": "Ash from the volcano: the airport stays closed after the eruption of last night",
    "volcano-es": "El volcán entró en erupción y la ceniza cubre todo el pueblo",
    "bread": "Baked a sourdough loaf with rye flour, the crust is perfect",
    "cake": "Chocolate cake recipe: butter, sugar, four eggs and dark chocolate",
    "phone": "The NVX2-118 overheats after the update, is anybody else seeing this?",
    "phone-2": "Battery of my phone lasts two days now, great update",
    "gulls": "Tide is out and the gulls are everywhere #HarbourDays",
    "harbour": "Walked along the harbour today, harbour days are the best",
    "handle": "Thanks to @mara_k for the lovely photographs",
    "football": "What a goal in the last minute, the stadium went wild",
    "tax": "Reminder: the deadline for tax returns is at the end of the month",
    "dog": "Lost dog near the river park, brown, answers to Bruno",
}
IMAGES = {"panda": "panda", "koala": "koala", "castle": "chambord", "volcano-photo": "volcano-eruption"}
FLOOD = 130
"""More posts than the lists of a first page are deep."""
WAVE = FURTHER + 10
"""More than are looked at where the first lists do not fill a page."""


def read_image(name: str) -> bytes:
    return (sample_dir() / "images" / f"{name}.webp").read_bytes()


def upload(runtime: Runtime, name: str) -> UUID:
    with runtime.database.session() as session:
        return add_upload(
            session, runtime.blobs, io.BytesIO(read_image(name)), max_bytes=10_000_000, now=runtime.clock()
        ).id


def post(name: str, n: int, **fields: Any) -> dict[str, Any]:
    """Sources take turns; the first author has two of the marathon's posts."""
    return {
        "source": ("chirper", "forum")[n % 2],
        "external_id": name,
        "author": "@runner" if name in ("marathon-1", "marathon-2") else f"@author{n}",
        "created_at": f"2026-03-{n % 20 + 1:02d}T10:00:00Z",
        "language": "es" if name.endswith("-es") else "en",
        "metrics": {"likes": n},
        "metadata": {"region": ["north", "south"][n % 2]},
        **fields,
    }


def put(runtime: Runtime, rows: list[dict[str, Any]], *, index: bool = True) -> list[UUID]:
    with runtime.database.session() as session:
        verdicts = runtime.posts.create(session, rows, now=runtime.clock())
    assert all(verdict.id for verdict in verdicts), verdicts
    if index:
        run_stage(runtime, Stage.INDEX)
    return [verdict.id for verdict in verdicts if verdict.id]


def take_out(runtime: Runtime, ids: list[UUID]) -> None:
    for post_id in ids:
        with runtime.database.session() as session:
            runtime.posts.delete(session, post_id, now=runtime.clock())
    run_stage(runtime, Stage.ERASE)


@pytest.fixture(scope="module")
def clock_of_all() -> SetClock:
    return SetClock(datetime(2026, 3, 25, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def searched(
    databases: TestDatabases, tmp_path_factory: pytest.TempPathFactory, clock_of_all: SetClock
) -> Iterator[Runtime]:
    """All posts indexed: a few of each kind, and a flood of notes that share a word."""
    url = databases.create()
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"))
    runtime = Runtime(settings, Database(url, pool_size=3), clock=clock_of_all)
    ensure_live_space(runtime)
    rows = [post(name, n, text=text) for n, (name, text) in enumerate(TEXTS.items())]
    rows += [
        post(name, n, media=[{"upload_id": str(upload(runtime, image))}])
        for n, (name, image) in enumerate(IMAGES.items())
    ]
    rows.append(
        post(
            "album", 3, text="Two of my holiday pictures",
            media=[{"upload_id": str(upload(runtime, name))} for name in ("chambord-crop", "panda-crop")],
        )
    )  # fmt: skip
    rows += [post(f"note-{n:03}", n, text=f"zibeline note number {n}") for n in range(FLOOD)]
    put(runtime, rows)
    yield runtime
    runtime.close()
    databases.drop(url)


def ask(runtime: Runtime, *, key: UUID = KEY, **body: Any) -> SearchAnswer:
    return search(runtime, SearchRequest.model_validate(body), key_id=key)


def names(answer: SearchAnswer) -> list[str]:
    return [hit.post.external_id for hit in answer.hits]


def hit_of(answer: SearchAnswer, name: str) -> HitAnswer:
    return next(hit for hit in answer.hits if hit.post.external_id == name)


def id_of(runtime: Runtime, name: str) -> UUID:
    with runtime.database.session() as session:
        return session.scalars(select(Post.id).where(Post.external_id == name)).one()


# --- what is found -------------------------------------------------------------------------------------------------


def test_a_text_finds_texts_in_both_languages(searched):
    answer = ask(searched, text="volcanic eruption", mode="semantic", min_score=0.1)
    assert {"volcano", "volcano-2", "volcano-es"} <= set(names(answer)[:4])
    assert hit_of(answer, "volcano-es").matched[0].part == "text"
    assert "close in meaning" in hit_of(answer, "volcano-es").matched[0].why


def test_a_text_finds_an_image_and_says_which(searched):
    answer = ask(searched, text="a giant panda", mode="semantic")
    assert set(names(answer)) == {"panda", "album"}
    best = hit_of(answer, "album")
    assert (best.matched[0].part, best.matched[0].media_index) == ("media", 1)
    assert best.matched[0].media_id == best.post.media[1].id
    assert best.matched[0].why == "image 2 shows what the query says"


def test_an_image_finds_its_copy(searched):
    answer = ask(searched, image={"upload_id": str(upload(searched, "koala-crop"))})
    assert names(answer)[0] == "koala"
    assert answer.hits[0].score > 0.9
    assert "looks like the query image" in answer.hits[0].matched[0].why


def test_hits_are_ordered_and_scored_within_bounds(searched):
    answer = ask(searched, text="marathon winner", mode="semantic", min_score=0)
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(("typed", "found"), [("#harbourdays", "gulls"), ("@Mara_K", "handle"), ("nvx2-118", "phone")])
@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_a_hashtag_a_handle_or_a_code_is_found_exactly(searched, typed, found, mode):
    answer = ask(searched, text=typed, mode=mode)
    assert names(answer)[0] == found
    assert answer.hits[0].score == 1.0
    first = answer.hits[0].matched[0]
    assert first.part == "keywords"
    assert [term.casefold() for term in first.terms] == [typed.casefold()]
    if mode == "keyword":
        assert names(answer) == [found]


def test_a_rare_word_outweighs_common_ones(searched):
    answer = ask(searched, text="the sourdough", mode="keyword")
    assert names(answer) == ["bread"]


def test_a_word_that_nobody_wrote_counts_against_a_match(searched):
    assert ask(searched, text="sourdough qwertzuiop asdfghjkl", mode="keyword").no_answer


def test_hybrid_finds_what_either_finds(searched):
    answer = ask(searched, text="zibeline note number 77", limit=3)
    assert names(answer)[0] == "note-077"


def test_a_query_without_an_answer_says_so(searched):
    answer = ask(searched, text="mortgage interest rates for first-time buyers")
    assert answer.hits == []
    assert answer.no_answer
    assert answer.explanation is not None
    assert answer.explanation.startswith("nothing scored 0.50 or more; the best was 0.")
    assert answer.next_cursor is None


def test_a_query_of_punctuation_has_no_answer_by_words(searched):
    answer = ask(searched, text="?!…", mode="keyword")
    assert answer.explanation == "no post has anything in common with the query"


def test_filters_that_keep_nothing_are_told_apart(searched):
    answer = ask(searched, text="marathon", filters={"source": ["nowhere"]})
    assert answer.explanation == "no post that the filters let through has anything in common with the query"


def test_filters_hold(searched):
    spanish = ask(searched, text="el récord del maratón", filters={"language": ["es"]})
    assert names(spanish) == ["marathon-es"]
    by_author = ask(searched, text="marathon", filters={"author": "@RUNNER"})
    assert set(names(by_author)) == {"marathon-1", "marathon-2"}
    pictures = ask(searched, text="a volcano", filters={"media": "image"}, min_score=0)
    assert all(hit.post.media for hit in pictures.hits)
    assert names(ask(searched, text="harbour", filters={"tags": {"any": ["HarbourDays"]}}, min_score=0)) == ["gulls"]


# --- posts as queries, several at once, negatives -------------------------------------------------------------------


def test_posts_like_a_post_leave_itself_out(searched):
    answer = similar(searched, id_of(searched, "volcano"), key_id=KEY)
    assert names(answer)[0] == "volcano-2"
    assert "volcano" not in names(answer)


def test_posts_like_a_picture_are_found_by_their_pictures(searched):
    answer = similar(searched, id_of(searched, "castle"), key_id=KEY)
    assert names(answer)[0] == "album"
    assert answer.hits[0].matched[0].media_index == 0


def test_a_post_that_is_not_here_or_not_indexed_is_told_apart(searched):
    with pytest.raises(NotFound):
        similar(searched, uuid4(), key_id=KEY)
    waiting = put(searched, [post("waiting", 1, text="not yet")], index=False)
    with pytest.raises(Conflict, match="nothing indexed"):
        similar(searched, waiting[0], key_id=KEY)
    take_out(searched, waiting)


def test_a_deleted_post_is_searched_with_no_more_though_its_vectors_are_still_there(searched):
    (gone,) = put(searched, [post("gone", 1, text="a lighthouse in the fog")])
    assert similar(searched, gone, key_id=KEY) is not None
    with searched.database.session() as session:
        searched.posts.delete(session, gone, now=searched.clock())
    for asked in ({"post_id": str(gone)}, {"text": "fog", "negative": [{"post_id": str(gone)}]}):
        with pytest.raises(NotFound, match=str(gone)):
            ask(searched, **asked)
    run_stage(searched, Stage.ERASE)


def test_several_at_once_are_all_found_and_say_which_was_meant(searched):
    answer = ask(
        searched,
        queries=[{"text": "volcano eruption", "weight": 2}, {"image": {"upload_id": str(upload(searched, "panda"))}}],
    )
    assert {"volcano-2", "panda"} <= set(names(answer))
    assert hit_of(answer, "panda").matched[0].query == 1
    assert hit_of(answer, "volcano-2").matched[0].query == 0


def test_a_negative_takes_out_what_is_like_it(searched):
    plain = ask(searched, text="marathon")
    without = ask(searched, text="marathon", negative=[{"post_id": str(id_of(searched, "marathon-2"))}])
    assert "marathon-2" in names(plain)
    assert "marathon-2" not in names(without)
    scores = {hit.id: hit.score for hit in plain.hits}
    assert all(hit.score <= scores[hit.id] for hit in without.hits)


def test_a_negative_hashtag_takes_out_its_posts(searched):
    answer = ask(searched, text="harbour", mode="keyword", negative=[{"text": "#HarbourDays"}])
    assert names(answer) == ["harbour"]


def test_one_hit_of_each_author(searched):
    answer = ask(searched, text="marathon", group_by="author")
    assert len({"marathon-1", "marathon-2"} & set(names(answer))) == 1
    groups = [hit.group for hit in answer.hits]
    assert len(set(groups)) == len(groups)


def test_two_hits_of_each_source(searched):
    answer = ask(searched, text="zibeline", mode="keyword", group_by="source", group_size=2, limit=50)
    assert sorted(hit.group or "" for hit in answer.hits) == ["chirper", "chirper", "forum", "forum"]


def test_one_authors_flood_hides_no_other_author_and_a_barren_stretch_ends_the_looking(searched):
    flood = [post(f"quokka-{n:03}", n, author="@flood", text="quokka") for n in range(WAVE)]
    other = post(
        "quokka-other", 1, author="@quiet", text=f"A quokka was seen near the jetty. {'It rained all day. ' * 9}"
    )
    ids = put(searched, [*flood, other])
    try:
        answer = ask(searched, text="quokka", mode="keyword", group_by="author")
        assert len(answer.hits) == 2
        assert "quokka-other" in names(answer)
        answer = ask(searched, text="quokka umbrella telescope", mode="keyword")
        assert answer.no_answer
        assert (answer.total, answer.total_is, answer.next_cursor) == (0, "at_least", None)
    finally:
        take_out(searched, ids)


# --- pages ---------------------------------------------------------------------------------------------------------


def turn_all(runtime: Runtime, first: SearchAnswer, **body: Any) -> list[SearchAnswer]:
    pages = [first]
    while pages[-1].next_cursor:
        pages.append(ask(runtime, cursor=pages[-1].next_cursor, **body))
    return pages


def test_pages_neither_repeat_nor_lose_a_hit_though_posts_come_in(searched):
    first = ask(searched, text="zibeline", mode="keyword", limit=48)
    late = put(searched, [post(f"late-{n}", n, text="zibeline zibeline") for n in range(3)])
    pages = turn_all(searched, first, limit=48)
    take_out(searched, late)
    seen = [name for page in pages for name in names(page)]
    assert len(pages) == 3
    assert len(seen) == len(set(seen))
    assert {f"note-{n:03}" for n in range(FLOOD)} <= set(seen)
    assert first.total_is == "at_least"
    assert pages[-1].total_is == "exact"


def test_a_page_asked_for_twice_is_the_same(searched):
    first = ask(searched, text="zibeline", mode="keyword", limit=10)
    once, again = (ask(searched, cursor=first.next_cursor, limit=10) for _ in range(2))
    assert names(once) == names(again)


def test_a_deleted_post_leaves_its_page_and_no_gap(searched):
    extra = put(searched, [post(f"zz-{n}", n, text="quokka sighting") for n in range(4)])
    first = ask(searched, text="quokka", mode="keyword", limit=2)
    doomed = next(post_id for post_id in extra if post_id not in {hit.id for hit in first.hits})
    with searched.database.session() as session:
        searched.posts.delete(session, doomed, now=searched.clock())
    rest = turn_all(searched, first, limit=2)[1:]
    assert [hit.id for page in rest for hit in page.hits] == [
        post_id for post_id in sorted(extra) if post_id not in {doomed, *(hit.id for hit in first.hits)}
    ]
    take_out(searched, [post_id for post_id in extra if post_id != doomed])


@pytest.fixture
def numbats(searched: Runtime) -> Iterator[list[UUID]]:
    """Posts of as many authors, the first of them the best, and more than a first page looks at."""
    texts = [f"a numbat {'and more ' * n}" for n in range(FLOOD)]
    ids = put(searched, [post(f"numbat-{n:03}", n, text=text) for n, text in enumerate(texts)])
    yield ids
    take_out(searched, ids)


def test_a_group_of_which_a_page_has_shown_its_best_shows_no_other_on_the_next_one(searched, numbats):
    first = ask(searched, text="numbat", mode="keyword", group_by="author", limit=2)
    assert "numbat-000" in names(first)
    better = put(searched, [post("better", 0, text="numbat")])  # by the author of the first
    try:
        seen = [name for page in turn_all(searched, first, limit=50) for name in names(page)]
    finally:
        take_out(searched, better)
    assert sorted(seen) == [f"numbat-{n:03}" for n in range(FLOOD)]


def test_pages_in_groups_lose_nothing_though_hits_of_the_first_were_deleted(searched, numbats):
    first = ask(searched, text="numbat", mode="keyword", group_by="author", limit=10)
    take_out(searched, [hit.id for hit in first.hits[:5]])
    for hit in first.hits[:5]:
        numbats.remove(hit.id)
    seen = [name for page in turn_all(searched, first, limit=50) for name in names(page)]
    assert sorted(seen) == [f"numbat-{n:03}" for n in range(FLOOD)]


def test_the_last_page_has_no_cursor_and_keeps_nothing(searched):
    with searched.database.session() as session:
        before = len(session.scalars(select(SearchPage.id)).all())
    assert ask(searched, text="sourdough", mode="keyword").next_cursor is None
    with searched.database.session() as session:
        assert len(session.scalars(select(SearchPage.id)).all()) == before


def test_a_cursor_serves_its_own_key_alone(searched):
    first = ask(searched, text="zibeline", mode="keyword")
    with pytest.raises(Invalid) as caught:
        ask(searched, cursor=first.next_cursor, key=uuid4())
    assert caught.value.code == "cursor_expired"


def test_a_cursor_with_another_query_is_refused(searched):
    first = ask(searched, text="zibeline", mode="keyword")
    with pytest.raises(Invalid, match="another search"):
        ask(searched, cursor=first.next_cursor, text="something else", mode="keyword")
    assert ask(searched, cursor=first.next_cursor, text="zibeline", mode="keyword").hits


def test_a_cursor_expires_and_is_forgotten(searched, clock_of_all):
    first = ask(searched, text="zibeline", mode="keyword")
    clock_of_all.now += KEPT_FOR + timedelta(seconds=1)
    with pytest.raises(Invalid, match="has expired"):
        ask(searched, cursor=first.next_cursor)
    sweep(searched)
    with searched.database.session() as session:
        assert session.scalars(select(SearchPage.id)).all() == []


# --- refusals ------------------------------------------------------------------------------------------------------


def test_an_upload_that_is_not_here_is_named(searched):
    with pytest.raises(Invalid) as caught:
        ask(searched, queries=[{"text": "x"}, {"image": {"upload_id": str(uuid4())}}])
    assert caught.value.problems[0].field == "queries.1.image.upload_id"


def test_a_url_into_the_private_network_is_refused_with_its_field(searched):
    with pytest.raises(Invalid) as caught:
        ask(searched, image={"url": "http://127.0.0.1/secret.png"})
    assert caught.value.problems[0].field == "image.url"


# --- over HTTP -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def http(searched: Runtime) -> TestClient:
    # Without its lifespan, which would start the work and stop the runtime of all the other tests.
    return TestClient(create_app(searched))


def headers(runtime: Runtime, *roles: Role) -> dict[str, str]:
    with runtime.database.session() as session:
        return bearer(create_key(session, "test", roles, now=runtime.clock())[1])


def test_a_search_over_http(searched, http):
    answer = http.post("/v1/search", json={"text": "nvx2-118"}, headers=headers(searched, Role.PRODUCT))
    assert answer.status_code == 200, answer.text
    hit = answer.json()["hits"][0]
    assert hit["post"]["external_id"] == "phone"
    assert "author" not in hit["post"]


def test_similar_posts_over_http_page_by_page(searched, http):
    key, url = headers(searched, Role.ANALYST), f"/v1/posts/{id_of(searched, 'note-003')}/similar"
    first = http.get(url, params={"limit": 5}, headers=key).json()
    second = http.get(url, params={"limit": 5, "cursor": first["next_cursor"]}, headers=key).json()
    seen = [hit["id"] for page in (first, second) for hit in page["hits"]]
    assert len(set(seen)) == 10
    assert str(id_of(searched, "note-003")) not in seen


def test_an_empty_search_is_422_and_says_what_to_give(searched, http):
    answer = http.post("/v1/search", json={}, headers=headers(searched, Role.MODERATOR))
    assert answer.status_code == 422
    assert "text, image, post_id, queries or cursor" in answer.text


def test_searching_needs_a_key_of_a_reader(searched, http):
    assert http.post("/v1/search", json={"text": "x"}).status_code == 401
    refused = http.post("/v1/search", json={"text": "x"}, headers=headers(searched, Role.INGEST))
    assert refused.status_code == 403
