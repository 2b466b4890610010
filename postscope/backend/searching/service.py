"""One search from request to answer. Read this first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.orm import Session

from postscope.backend.errors import Invalid, NotReady
from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import SearchAnswer
from postscope.backend.searching.asked import Probe, Question
from postscope.backend.searching.candidates import DEEP, FURTHER, SHALLOW, lists_by_words, rank_posts
from postscope.backend.searching.evidence import Loaded
from postscope.backend.searching.facets import Facets, count_facets
from postscope.backend.searching.filters import Filters
from postscope.backend.searching.hits import explain, load_posts
from postscope.backend.searching.pages import Cursor, Kept, keep, turn
from postscope.backend.searching.ranking import Ranked, Ranking
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.resolving import complete, encode, open_images, outline
from postscope.indexing.stores.base import StoreError

Found = list[tuple[Ranked, Loaded]]


def search(runtime: Runtime, request: SearchRequest, *, key_id: UUID) -> SearchAnswer:
    """Answer a request, or its next page.

    Args:
        runtime: of this process.
        request: with or without a cursor.
        key_id: of the caller; cursors work for it alone.

    Raises:
        Invalid: an image cannot be had, or the cursor is wrong, of another search or has expired.
        NotFound: a post to search with is not here.
        Conflict: it is not indexed yet.
        NotReady: the store or the model is not ready.
    """
    started = time.perf_counter()
    with _store_errors():
        if request.cursor is None:
            answer = _first_page(runtime, request, key_id)
        else:
            answer = _next_page(runtime, request, Cursor.parse(request.cursor), key_id)
    runtime.metrics.observe_search(request.mode, time.perf_counter() - started)
    return answer


def similar(
    runtime: Runtime,
    post_id: UUID,
    *,
    key_id: UUID,
    limit: int = 10,
    min_score: float | None = None,
    cursor: str | None = None,
) -> SearchAnswer:
    """Posts like this one, by meaning: text with text and image with image; see ``search``."""
    request = SearchRequest(post_id=post_id, mode="semantic", limit=limit, min_score=min_score, cursor=cursor)
    return search(runtime, request, key_id=key_id)


def _first_page(runtime: Runtime, request: SearchRequest, key_id: UUID) -> SearchAnswer:
    model, images = runtime.live, open_images(runtime, request)
    with runtime.gate.query():  # from here on nothing is waited for that takes long: ingest stands back
        question = outline(runtime, model, request)
        probes = runtime.beside.submit(encode, model, request, images)
        return _ranked_page(runtime, request, key_id, question, probes)


def _ranked_page(
    runtime: Runtime, request: SearchRequest, key_id: UUID, question: Question, probes: Future[list[Probe | None]]
) -> SearchAnswer:
    cursor, shallower, shallow = None, -1, max(SHALLOW, 2 * request.limit)
    with runtime.database.statements() as session:  # one for all; nothing in it may ask for another
        # Words are looked for while the model is at work, which leaves Python alone.
        lists = lists_by_words(runtime, session, question, question.positive, question.filter, shallow, {})
        question = complete(question, probes.result())
        for depth in (shallow, FURTHER, DEEP):
            ranking = rank_posts(runtime, session, question, depth, lists)
            found, end = _slice(session, ranking, 0, request.limit)
            # Where some hundred more of each list held nothing, those behind them are not looked at either; one group
            # may be larger than that.
            barren = len(ranking.hits) == shallower and request.group_by is None and request.collapse is None
            deep = ranking.complete or depth == DEEP or barren
            if deep or len(found) == request.limit:
                break
            shallower = len(ranking.hits)
        if end < len(ranking.hits) or not deep:
            page_id = keep(session, Kept(question, ranking, deep), key_id=key_id, now=runtime.clock())
            cursor = Cursor(page_id, end).token()
    facets = count_facets(runtime, request, question.filter)
    return _answer(runtime, question, ranking, found, cursor, facets)


def _next_page(runtime: Runtime, request: SearchRequest, cursor: Cursor, key_id: UUID) -> SearchAnswer:
    with runtime.gate.query():
        kept = turn(runtime, cursor, key_id=key_id)
    if any(request.positives()) and not request.same_search(kept.question.request):
        raise Invalid.of("cursor", "belongs to another search: give it alone, or with the query it came from")
    with runtime.database.statements() as session:
        found, end = _slice(session, kept.ranking, cursor.offset, request.limit)
    following = Cursor(cursor.id, end).token() if end < len(kept.ranking.hits) else None
    return _answer(runtime, kept.question, kept.ranking, found, following)


def _slice(session: Session, ranking: Ranking, start: int, limit: int) -> tuple[Found, int]:
    """Up to ``limit`` hits from ``start`` on whose posts are there, and where the next page starts."""
    found: Found = []
    end = start
    while len(found) < limit and end < len(ranking.hits):
        chosen = ranking.hits[end : end + limit - len(found)]
        loaded = load_posts(session, [hit.id for hit in chosen])
        found += [(hit, loaded[hit.id]) for hit in chosen if hit.id in loaded]
        end += len(chosen)
    return found, end


def _answer(
    runtime: Runtime,
    question: Question,
    ranking: Ranking,
    found: Found,
    cursor: str | None,
    facets: Facets | None = None,
) -> SearchAnswer:
    return SearchAnswer(
        hits=explain(runtime, question, found),
        total=len(ranking.hits),
        total_is="exact" if ranking.complete else "at_least",
        min_score=question.min_score,
        facets=facets or {},
        next_cursor=cursor,
        no_answer=not ranking.hits,
        explanation=None if ranking.hits else _why_nothing(question, ranking),
    )


def _why_nothing(question: Question, ranking: Ranking) -> str:
    if ranking.best_refused is None:
        where = "that the filters let through " if question.request.filters != Filters() else ""
        return f"no post {where}has anything in common with the query"
    found = f"nothing scored {question.min_score:.2f} or more; the best was {ranking.best_refused:.2f}"
    return found + (" after the negatives" if question.negative else "")


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise NotReady(f"the vector store does not answer: {error}", code="store_down") from error
