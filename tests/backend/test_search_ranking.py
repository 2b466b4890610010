"""The rules of ranking, on lists made by hand."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.backend.searching.ranking import EXACT_WEIGHT, RRF_K, Evidence, RankedList, best_of_groups, fuse


def uid(n: int) -> UUID:
    return UUID(int=n)


def ranked(*scores: tuple[int, float], weight: float = 1.0, part: str = "text", complete: bool = True) -> RankedList:
    return RankedList(weight, {uid(n): (Evidence(0, part, score),) for n, score in scores}, complete)


def order(*lists: RankedList, min_score: float = 0.5, negative: dict[int, float] | None = None) -> list[int]:
    against = {uid(n): value for n, value in (negative or {}).items()}
    return [hit.id.int for hit in fuse(lists, min_score, against).hits]


def test_no_list_gives_no_hit():
    ranking = fuse([], 0.5, {})
    assert ranking.hits == ()
    assert ranking.complete
    assert ranking.best_refused is None


def test_one_list_keeps_its_order():
    assert order(ranked((3, 0.9), (1, 0.8), (2, 0.7))) == [3, 1, 2]


def test_a_post_in_both_lists_comes_before_the_best_of_either():
    assert order(ranked((1, 0.9), (2, 0.8)), ranked((3, 0.9), (2, 0.8), part="keywords"))[0] == 2


def test_a_score_is_the_best_relevance_and_never_a_sum():
    both = fuse([ranked((1, 0.6)), ranked((1, 0.8), part="keywords")], 0.5, {}).hits
    assert both[0].score == 0.8
    assert [item.part for item in both[0].evidence] == ["keywords", "text"]


def test_what_a_list_holds_below_min_score_takes_no_rank():
    assert order(ranked((1, 0.1), (2, 0.9)), ranked((3, 0.6), part="keywords")) == [2, 3]


def test_the_best_refused_score_is_told():
    ranking = fuse([ranked((1, 0.31), (2, 0.2))], 0.5, {})
    assert ranking.hits == ()
    assert ranking.best_refused == 0.31


def test_min_score_is_reached_by_being_equal():
    assert order(ranked((1, 0.5))) == [1]


def test_min_score_zero_keeps_everything():
    assert order(ranked((1, 0.0)), min_score=0.0) == [1]


def test_a_post_as_relevant_to_a_negative_is_no_hit():
    assert order(ranked((1, 0.9), (2, 0.8)), negative={1: 0.9}) == [2]


def test_a_post_somewhat_like_a_negative_is_lowered():
    hits = fuse([ranked((1, 0.9), (2, 0.8))], 0.1, {uid(1): 0.5}).hits
    assert [hit.id.int for hit in hits] == [2, 1]
    assert hits[1].score == pytest.approx(0.45)


def test_lowered_below_min_score_it_is_no_hit():
    assert order(ranked((1, 0.6)), negative={1: 0.3}) == []


def test_weights_decide_between_lists():
    assert order(ranked((1, 0.9)), ranked((2, 0.9), weight=2.0)) == [2, 1]


def test_any_exact_match_outranks_what_is_merely_close():
    close = ranked(*((n, 0.99) for n in range(1, 1_001)))
    exact = ranked(*((n, 1.0) for n in range(2_000, 3_000)), weight=EXACT_WEIGHT, part="keywords")
    assert order(close, exact)[:1_000] == list(range(2_000, 3_000))
    assert EXACT_WEIGHT / (RRF_K + 1_000) > 1 / (RRF_K + 1)


def test_one_incomplete_list_makes_the_ranking_incomplete():
    assert not fuse([ranked((1, 0.9)), ranked((2, 0.9), complete=False)], 0.5, {}).complete


def test_groups_keep_their_best_and_lone_posts_stay():
    ranking = fuse([ranked((1, 0.9), (2, 0.8), (3, 0.7), (4, 0.6), (5, 0.55))], 0.5, {})
    groups = {uid(1): "a", uid(2): "a", uid(3): None, uid(4): None}
    kept = best_of_groups(ranking, groups, 1)
    assert [hit.id.int for hit in kept.hits] == [1, 3, 4]


lists = st.lists(
    st.dictionaries(st.integers(0, 30), st.floats(0, 1), max_size=20).map(
        lambda scores: ranked(*sorted(scores.items(), key=lambda pair: -pair[1]))
    ),
    max_size=4,
)


@given(lists, st.floats(0, 1), st.dictionaries(st.integers(0, 30), st.floats(0, 1)))
def test_every_hit_reaches_min_score_once_and_negatives_never_raise_it(given_lists, min_score, negative):
    against = {uid(n): value for n, value in negative.items()}
    plain = {hit.id: hit.score for hit in fuse(given_lists, min_score, {}).hits}
    hits = fuse(given_lists, min_score, against).hits
    assert len({hit.id for hit in hits}) == len(hits)
    assert all(min_score <= hit.score <= plain[hit.id] for hit in hits)
