"""The ranked lists of a question: one by meaning and one by words for each thing that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.duplicates.reading import groups_of
from postscope.backend.media_words import Texts, texts_of
from postscope.backend.runtime import Runtime
from postscope.backend.searching.asked import Asked, Probe, Question
from postscope.backend.searching.ranking import (
    EXACT_WEIGHT,
    Evidence,
    Ranked,
    RankedList,
    Ranking,
    behind,
    best_of_groups,
    fuse,
)
from postscope.backend.searching.words import (
    WordJudge,
    WordQuery,
    frequencies_of,
    judge,
    read_words,
    weighed_units,
)
from postscope.backend.tables import Post
from postscope.indexing.calibration import Part, SpaceCalibration
from postscope.indexing.stores.base import DenseQuery, Query, SparseQuery, TermQuery
from postscope.indexing.types import Filter, HasId, Match

SHALLOW = 100
"""Depth of each list at first: enough for the first pages, and cheap."""
ALIKE_FROM = 0.9
"""Cosine from which content of one kind counts as alike, rising to relevance 1 at cosine 1. Of the sample's images,
two thirds of the near-copies reach 0.95 (relevance 0.5), and one in 130 pairs that are none, most of one class."""
FURTHER = 300
"""Where the first hundred do not fill a page. A page has no more than a hundred hits, so that it is never shallower."""
DEEP = 1_000
"""Depth once somebody turns the page; hits further down are not reached."""


Way = Literal["meaning", "words"]
Lists = dict[tuple[int, Way], RankedList]
"""The lists of what was asked for, by its number."""


def rank_posts(
    runtime: Runtime,
    session: Session,
    question: Question,
    depth: int,
    known: Lists | None = None,
    *,
    shown: tuple[Ranked, ...] = (),
) -> Ranking:
    """Rank the posts that lists of ``depth`` reach.

    Args:
        runtime: of this process.
        session: first used when the store has answered.
        question: what is asked.
        depth: of each list.
        known: lists that were asked for before; those that reach as deep are not asked for again. It is brought up to
            date.
        shown: hits of the pages before, which come first and count in their groups, whatever they are worth by now.
    """
    known = {} if known is None else known
    known |= _lists(runtime, session, question, question.positive, question.filter, depth, known)
    lists = [known[key] for key in sorted(known)]
    ids = list({id: None for ranked in lists for id in ranked.posts})
    against: dict[UUID, float] = {}
    if question.negative and ids:
        # Asked of the candidates alone, so that each one's relevance is known and not just that of the nearest.
        among = Filter(must=(HasId(tuple(ids)),))
        for ranked in _lists(runtime, session, question, question.negative, among, len(ids), {}).values():
            for id, evidence in ranked.posts.items():
                against[id] = max(against.get(id, 0.0), *(found.score for found in evidence))
    ranking = behind(shown, fuse(lists, question.min_score, against))
    if question.request.collapse == "duplicates":
        ranking = best_of_groups(ranking, _copies(session, [hit.id for hit in ranking.hits]), 1)
    if question.request.group_by is not None:
        groups = _groups(session, question, [hit.id for hit in ranking.hits])
        ranking = best_of_groups(ranking, groups, question.request.group_size)
    # Of what was shown none drops out, though its post be gone: a cursor counts from the first hit on.
    return behind(shown, ranking)


def _lists(
    runtime: Runtime,
    session: Session,
    question: Question,
    asked: Sequence[Asked],
    filter: Filter | None,
    depth: int,
    known: Lists,
) -> Lists:
    by_words = lists_by_words(runtime, session, question, asked, filter, depth, known)
    return _lists_by_meaning(runtime, question, asked, filter, depth, known) | by_words


def _lists_by_meaning(
    runtime: Runtime, question: Question, asked: Sequence[Asked], filter: Filter | None, depth: int, known: Lists
) -> Lists:
    left = _left(asked, known, "meaning", depth)
    dense = [(n, probe, part) for n, item in left for probe in item.probes for part in probe.parts]
    if not dense:
        return {}
    queries = [DenseQuery(probe.vector, part) for _, probe, part in dense]
    answers = runtime.store.query_many(question.collection, queries, filter=filter, limit=depth)
    found: dict[int, list[tuple[Probe, Part, list[Match]]]] = {}
    for (n, probe, part), matches in zip(dense, answers, strict=True):
        found.setdefault(n, []).append((probe, part, matches))
    return {
        (n, "meaning"): _by_meaning(question.calibration, n, asked[n].weight, answered, question.min_score, depth)
        for n, answered in found.items()
    }


def lists_by_words(
    runtime: Runtime,
    session: Session,
    question: Question,
    asked: Sequence[Asked],
    filter: Filter | None,
    depth: int,
    known: Lists,
) -> Lists:
    """Lists of ``asked`` that need no vector, as far as they are not ``known``; see ``rank_posts``."""
    left = _left(asked, known, "words", depth)
    words = [(n, query) for n, item in left if (query := _words(runtime, item)) is not None]
    if not words:
        return {}
    units = dict.fromkeys(unit for _, query in words for unit in weighed_units(query))
    rare = runtime.frequencies.known(question.collection, units, now=runtime.clock())
    unsure = [unit for unit in units if unit not in rare]
    queries: list[Query] = [SparseQuery(query.vector) for _, query in words]
    queries += map(TermQuery, unsure)
    answers = runtime.store.query_many(question.collection, queries, filter=filter, limit=depth)
    by_unit = zip(unsure, answers[len(words) :], strict=True)
    typical = {unit: matches[0] for unit, matches in by_unit if matches}
    texts = texts_of(session, [match.id for matches in answers for match in matches])
    fresh = frequencies_of(runtime.keywords, typical, texts)
    runtime.frequencies.remember(question.collection, fresh, now=runtime.clock())
    lists: Lists = {}
    for (n, query), matches in zip(words, answers, strict=False):
        judged = judge(runtime.keywords, query, rare | fresh)
        lists[n, "words"] = _by_words(judged, n, asked[n].weight, matches, texts, depth)
    return lists


def _left(asked: Sequence[Asked], known: Lists, by: Way, depth: int) -> list[tuple[int, Asked]]:
    """What has no list yet that reaches as deep, each with its number."""
    return [(n, item) for n, item in enumerate(asked) if (n, by) not in known or not known[n, by].reaches(depth)]


def _words(runtime: Runtime, asked: Asked) -> WordQuery | None:
    return None if asked.words is None else read_words(runtime.keywords, asked.words)


def _by_meaning(
    calibration: SpaceCalibration,
    asked: int,
    weight: float,
    answered: Sequence[tuple[Probe, Part, list[Match]]],
    min_score: float,
    depth: int,
) -> RankedList:
    """Texts and images in one list: their relevances compare, their cosines do not."""
    posts: dict[UUID, dict[Part, float]] = {}
    complete = True
    for probe, part, matches in answered:
        relevances = _relevances(calibration, probe, part, matches)
        for match, relevance in zip(matches, relevances.tolist(), strict=True):
            parts = posts.setdefault(match.id, {})
            parts[part] = max(parts.get(part, 0.0), relevance)
        complete &= len(matches) < depth or float(relevances[-1]) < min_score
    order = sorted(posts, key=lambda id: (-max(posts[id].values()), id))
    evidence = {id: tuple(Evidence(asked, part, score) for part, score in posts[id].items()) for id in order}
    return RankedList(weight, evidence, complete, depth)


def _relevances(
    calibration: SpaceCalibration, probe: Probe, part: Part, matches: Sequence[Match]
) -> npt.NDArray[np.float64]:
    """Shape (n,), in [0, 1]. Of content of one kind, all but equal vectors mean all but the same content, whatever
    the curve of the space makes of it: some images have so many neighbours that none stands out."""
    cosines = np.array([match.score for match in matches], dtype=np.float64)
    found = calibration.scorer(probe.vector, probe.kind).relevance(part, cosines)
    if part != probe.same_as:
        return found
    return np.maximum(found, np.clip((cosines - ALIKE_FROM) / (1.0 - ALIKE_FROM), 0.0, 1.0))


def _by_words(
    judge: WordJudge, asked: int, weight: float, matches: Sequence[Match], texts: Mapping[UUID, Texts], depth: int
) -> RankedList:
    """In the store's order (BM25); a post whose row is gone is left out."""
    posts = {
        match.id: (Evidence(asked, "keywords", judge.share(texts[match.id])),) for match in matches if match.id in texts
    }
    return RankedList(weight * (EXACT_WEIGHT if judge.exact else 1.0), posts, len(matches) < depth, depth)


def _copies(session: Session, ids: Sequence[UUID]) -> dict[UUID, str | None]:
    groups = groups_of(session, ids)
    return {id: str(groups[id]) if id in groups else None for id in ids}


def _groups(session: Session, question: Question, ids: Sequence[UUID]) -> dict[UUID, str | None]:
    column = Post.author_hash if question.request.group_by == "author" else Post.source
    found = session.execute(select(Post.id, column.label("group")).where(Post.id.in_(ids)))
    return {row.id: row.group for row in found}
