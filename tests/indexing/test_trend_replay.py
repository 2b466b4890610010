"""The replay harness: the same stream for a seed, planted bursts found, floods told apart, false alarms counted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from postscope.indexing.early_warning import COOL_DOWN_HOURS, STREAM_SHARE, SWEEP_SHARE, needed_score, same_as
from postscope.indexing.trend_replay.replaying import Alarm, at_rate, early_warning, judge, nearest_topics, z_scores
from postscope.indexing.trend_replay.stream import WARM_DAYS, Stream, draw_stream
from postscope.indexing.trend_replay.sweeping import sweep, talk_alone
from postscope.indexing.types import Vectors


@pytest.fixture(scope="module")
def stream() -> Stream:
    return draw_stream(5, days=20, talk_a_day=40, bursts=4)


@pytest.fixture(scope="module")
def placed(stream: Stream) -> Vectors:
    """Posts of a burst around a place of their own, talk around one of a hundred, copies on each other."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(200, 32))
    place = np.where(stream.burst >= 0, 100 + stream.burst, random.integers(0, 100, len(stream.burst)))
    made = centres[place] + 0.5 * random.normal(size=(len(place), 32))
    copies = np.array([n >= 0 and stream.bursts[n].flood == "copies" for n in stream.burst])
    made[copies] = centres[place[copies]]
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_a_seed_is_a_stream(stream: Stream) -> None:
    again = draw_stream(5, days=20, talk_a_day=40, bursts=4)
    assert list(again.texts) == list(stream.texts)
    np.testing.assert_array_equal(again.hours, stream.hours)
    assert list(draw_stream(6, days=20, talk_a_day=40, bursts=4).texts) != list(stream.texts)


def test_bursts_are_where_they_say(stream: Stream) -> None:
    assert (np.diff(stream.hours) >= 0).all()
    for number, burst in enumerate(stream.bursts):
        hours = stream.hours[stream.burst == number]
        assert len(hours) == burst.posts
        assert burst.start >= WARM_DAYS * 24
        assert burst.start <= hours.min() <= hours.max() <= burst.start + burst.hours
    assert sorted(burst.posts for burst in stream.bursts if not burst.flood) == [10, 37, 136, 500]


def test_real_texts_take_the_place_of_talk() -> None:
    real = draw_stream(1, days=16, talk_a_day=20, bursts=1, background=[["a real text"] * 400, ["another one"] * 400])
    assert {real.texts[n] for n in np.flatnonzero(real.burst < 0)} == {"a real text", "another one"}


def test_planted_bursts_are_found_and_floods_are_marked(stream: Stream, placed: Vectors) -> None:
    found = judge(stream, early_warning(stream, placed, budget=1.0))
    assert found.recall(stream.bursts, 30) == 1
    assert found.false_a_day <= 1
    assert found.marked[0] >= 0.7 * found.marked[1]
    assert all(delay >= 0 for delay in found.delays.values())


def test_the_z_score_keeps_to_the_rate(stream: Stream, placed: Vectors) -> None:
    found = at_rate(stream, z_scores(stream, placed), 1.0)
    assert found.false_a_day <= 1


def test_alarms_are_judged_by_the_posts_they_name(stream: Stream) -> None:
    large = next(n for n, burst in enumerate(stream.bursts) if burst.posts == 500)
    members = np.flatnonzero(stream.burst == large)[:10]
    talk = np.flatnonzero(stream.burst < 0)[:11]
    hour = float(stream.hours[members[-1]])
    right = Alarm(hour, frozenset(map(int, members)), 9.0)
    wrong = Alarm(hour, frozenset(map(int, [*members, *talk])), 9.0)
    copies = next(n for n, burst in enumerate(stream.bursts) if burst.flood == "copies")
    flood = Alarm(hour, frozenset(map(int, np.flatnonzero(stream.burst == copies))), 9.0)
    found = judge(stream, [right, right, wrong, flood])
    assert list(found.delays) == [large]
    assert found.repeated == 1
    assert round(found.false_a_day * found.days) == 2
    assert judge(stream, []).precision == 0


def test_the_sweep_finds_a_topic_that_grows_and_keeps_to_its_share_on_talk(stream: Stream, placed: Vectors) -> None:
    talk, vectors = talk_alone(stream, placed)
    topic = nearest_topics(talk, vectors)
    quiet = judge(talk, sweep(talk, vectors, topic, budget=1.0, minutes=240))
    assert quiet.false_a_day <= SWEEP_SHARE
    evening = np.flatnonzero(talk.hours > talk.hours[-1] - 20)
    topic[evening] = 0
    found = sweep(talk, vectors, topic, budget=1.0, minutes=240)
    assert any(alarm.posts <= set(evening.tolist()) for alarm in found)
    assert len([alarm for alarm in found if alarm.hour > talk.hours[-1] - 20]) == 1  # it goes on: one alarm


def test_alarms_of_one_burst_are_few(stream: Stream, placed: Vectors) -> None:
    found = judge(stream, early_warning(stream, placed, budget=1.0))
    assert found.repeated <= len(found.delays)


def test_the_budget_is_shared_by_all_detectors() -> None:
    assert STREAM_SHARE + SWEEP_SHARE == 1
    assert needed_score(100, STREAM_SHARE * 1.0) > needed_score(100, 1.0)


def test_what_gathers_near_a_burst_within_a_day_belongs_to_it() -> None:
    first, other = np.eye(3, dtype=np.float32)[:2]
    near = np.asarray(0.65 * first + math.sqrt(1 - 0.65**2) * other, np.float32)
    assert same_as(near, [first], [2.0]) == 0
    assert same_as(near, [first], [COOL_DOWN_HOURS + 1]) is None
    assert same_as(near, [first, near], [2.0, 50.0]) == 1
    assert same_as(other, [first], [0.0]) is None
    assert same_as(other, [], []) is None
