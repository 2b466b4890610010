"""Judgements and what follows from them: checked, asked for, thresholds fitted, reported."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, select

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Label, Run, TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging import asking, calibrating, judgements, taggers, taxonomies
from postscope.backend.tagging.judgements import Judgement
from postscope.backend.tagging.report_page import report_page
from postscope.backend.work import Stage
from postscope.workers import tagging
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from tests.workers.conftest import Desk
from tests.workers.small_encoder import DIM
from tests.workers.test_tagging import NEWS, apply, define, payload, pretend_another_space

RAIN = ["it rains", "it pours"] * 12
"""Equal texts are copies, which stay in one fold: one half is learned from, and the other tested on."""


def calibrate(runtime: Runtime, number: int, name: str = "news") -> Run:
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, name, number)
        run_id = runs.start(
            session, "tags.calibrate", {"version_id": version.id}, actor="ada", readers=[Role.PRODUCT],
            now=runtime.clock(),
        ).id  # fmt: skip
    work_runs(runtime)
    with runtime.database.session() as session:
        return session.get_one(Run, run_id)


def judge(runtime: Runtime, *said: Judgement, name: str = "news", **options: bool) -> judgements.Kept:
    with runtime.database.session() as session:
        return judgements.keep(session, name, said, source="upload", actor="ada", now=runtime.clock(), **options)


def whole(post_id: UUID, *labels: str, field: str = "line 1") -> Judgement:
    return Judgement(field, post_id, None, labels)


def count(runtime: Runtime) -> int:
    with runtime.database.session() as session:
        return session.scalar(select(func.count()).select_from(Label)) or 0


@pytest.fixture
def sixty(runtime: Runtime, desk: Desk) -> list[UUID]:
    """Goals, rain and others, twenty of each; the goals are copies of each other, and so is the rain."""
    words = [f"{what}" for what in ("a goal", "it rains") for _ in range(20)] + [f"other {n}" for n in range(20)]
    ids = desk.texts(*words)
    desk.run(Stage.INDEX, Stage.ENRICH)
    return ids


def test_thresholds_are_fitted_or_keep_what_they_were_and_say_why(runtime: Runtime, sixty: list[UUID]) -> None:
    number = define(runtime)
    truth = [["sport/football"]] * 20 + [["weather"]] * 5 + [[]] * 35
    judge(runtime, *(whole(id, *labels) for id, labels in zip(sixty, truth, strict=True)))
    run = calibrate(runtime, number)
    assert run.state == "done", run.error
    with runtime.database.session() as session:
        labels = {
            label.path: label for label in taxonomies.labels_of(session, taxonomies.get_version(session, "news").id)
        }
        report = calibrating.report_of(session, "news", None).report
    assert labels["weather"].threshold_from == "given"
    assert labels["weather"].fit is not None
    assert labels["weather"].fit["reason"].startswith("too few examples: 5 posts have it")
    told = {item["label"]: item for item in report["labels"]}
    assert (told["sport"]["support"], told["sport/football"]["support"], told["weather"]["support"]) == (20, 20, 5)
    assert report["slices"]["kind"] == {"text": {**report["slices"]["kind"]["text"], "posts": 60}}
    page = report_page("news", 1, report)
    assert "sport/football" in page
    assert "<svg" in page
    assert "&lt;b&gt;" in report_page("<b>", 1, report)


def test_a_version_that_was_applied_stays_and_the_next_one_has_the_thresholds(
    runtime: Runtime, desk: Desk, sixty: list[UUID]
) -> None:
    number = define(runtime)
    apply(runtime, number)
    judge(runtime, *(whole(id, *(["weather"] if 20 <= n < 40 else [])) for n, id in enumerate(sixty)))
    run = calibrate(runtime, number)
    assert (run.state, run.result and run.result["version"]) == ("done", 2)
    with runtime.database.session() as session:
        made = taxonomies.get_version(session, "news", 2)
        assert (made.state, made.origin, made.based_on) == ("draft", "calibration", 1)
        assert len(taxonomies.examples_of(session, made.id)) == 2
    apply(runtime, 2)
    assert "news@2/weather" in payload(desk, sixty[25])


def test_a_run_that_is_killed_behind_its_calibration_makes_no_second_version(
    runtime: Runtime, sixty: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = define(runtime)
    apply(runtime, number)
    judge(runtime, *(whole(id, *(["weather"] if 20 <= n < 40 else [])) for n, id in enumerate(sixty)))

    def killed(*args: Any, **options: Any) -> None:
        calibrating.calibrate(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(tagging, "calibrate", killed)
        with pytest.raises(KeyboardInterrupt):
            calibrate(runtime, number)
    work_runs(runtime)
    with runtime.database.session() as session:
        run = session.scalars(select(Run).where(Run.kind == "tags.calibrate")).one()
        assert (run.state, run.result and run.result["version"]) == ("done", 2)
        assert taxonomies.get_version(session, "news", 2).calibration is not None
        assert len(session.scalars(select(TaxonomyVersion)).all()) == 2


def test_a_calibration_stands_on_the_curves_that_it_was_fitted_on(
    runtime: Runtime, sixty: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an uncalibrated label is given from in a later version; also one from before calibrations said which."""
    define(runtime)
    judge(runtime, *(whole(id, *(["sport/football"] if n < 20 else [])) for n, id in enumerate(sixty)))
    assert calibrate(runtime, 1).state == "done"

    def scores(**changed: object) -> list[float]:
        with runtime.database.session() as session:
            version = taxonomies.get_version(session, "news", 1)
            version.calibration = (version.calibration or {}) | changed
        points = runtime.store.retrieve(runtime.live.collection, sixty[:1])
        tagger = taggers.tagger_of(runtime, runtime.live, version)
        return [round(p, 4) for p in tagger.labeller.probabilities(taggers.batch_of(points, DIM))[0].tolist()]

    before = scores()
    monkeypatch.setattr(taggers, "LABEL_CURVES", {"text": (3.0, -1.0)})
    assert scores(read="anew") == before
    assert scores(curves={}) != before, "then labels had the curves of searches"


def test_in_another_space_a_calibration_is_made_again_from_what_people_said(runtime: Runtime, desk: Desk) -> None:
    ids = desk.texts(*RAIN, *(f"other {n}" for n in range(40)))
    desk.run(Stage.INDEX, Stage.ENRICH)
    weather = {"name": "weather", "positive": [{"text": text} for text in RAIN]}
    number = define(runtime, {"labels": [weather]})
    judge(runtime, *(whole(id, *(["weather"] if n < len(RAIN) else [])) for n, id in enumerate(ids)))
    calibrate(runtime, number)
    apply(runtime, number)
    pretend_another_space(runtime)
    with runtime.database.session() as session:
        (label,) = session.query(TaxonomyLabel).where(TaxonomyLabel.threshold_from == "fitted")
        label.threshold = 0.987
    sweep(runtime)
    assert work_runs(runtime) == 1
    with runtime.database.session() as session:
        live = taxonomies.get_version(session, "news")
        assert (live.number, live.state, live.based_on, live.origin) == (2, "live", 1, "calibration")
        assert live.calibration is not None
        assert live.calibration["space"] == live.applied_space == runtime.live.encoder.space.id
        (label,) = taxonomies.labels_of(session, live.id)
        assert (label.threshold_from, label.threshold != 0.987) == ("fitted", True)
    assert "news@2/weather" in payload(desk, ids[5])
    sweep(runtime)
    assert work_runs(runtime) == 0


def test_copies_alone_teach_nothing_of_posts_that_are_new_and_the_report_says_so(
    runtime: Runtime, sixty: list[UUID]
) -> None:
    news = {"labels": [{"name": "weather", "positive": [{"text": "it rains"}] * 20}]}
    number = define(runtime, news)
    judge(runtime, *(whole(id, *(["weather"] if 20 <= n < 40 else [])) for n, id in enumerate(sixty)))
    run = calibrate(runtime, number)
    assert (run.state, run.result and run.result["fitted"]) == ("done", 0)
    with runtime.database.session() as session:
        (label,) = taxonomies.labels_of(session, taxonomies.get_version(session, "news").id)
        (told,) = calibrating.report_of(session, "news", None).report["labels"]
    assert (label.threshold_from, told["f05"], told["threshold_from"]) == ("default", 0, "default")
    assert told["reason"].startswith("not told apart yet")


def test_one_class_only_fits_nothing_and_says_so(runtime: Runtime, sixty: list[UUID]) -> None:
    number = define(runtime)
    judge(runtime, *(whole(id, "weather") for id in sixty))
    assert (calibrate(runtime, number).result or {})["fitted"] == 0
    with runtime.database.session() as session:
        told = calibrating.report_of(session, "news", None).report["labels"]
    assert "60 posts have it, 0 have it not" in told[2]["reason"]


def test_too_few_to_begin_with(runtime: Runtime, sixty: list[UUID]) -> None:
    number = define(runtime)
    judge(runtime, whole(sixty[0], "weather"))
    run = calibrate(runtime, number)
    assert (run.state, run.error) == ("failed", "labels: 1 labelled posts are indexed, at least 20 are needed")


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_contradicts_itself_is_refused_as_a_whole(runtime: Runtime, desk: Desk, exclusive: bool) -> None:
    define(runtime, {**NEWS, "exclusive": exclusive})
    post = desk.texts("a goal")[0]
    other = Judgement("line 2", post, None, label="weather", value=False)
    bad: list[tuple[list[Judgement], str]] = [
        ([whole(uuid4(), "weather")], "there is no post"),
        ([whole(post, "nothing")], "there is no label 'nothing'"),
        ([whole(post, "weather"), other], "line 2: contradicts line 1 about 'weather'"),
        ([whole(post, "weather"), whole(post, field="line 2")], "line 2: contradicts"),
        ([whole(post), whole(post, "weather", field="line 2")], "line 2: contradicts line 1"),
    ]
    if exclusive:
        bad.append(([whole(post, "weather", "sport/football")], "exclusive: one a post"))
    for said, reason in bad:
        with pytest.raises(Invalid, match=reason):
            judge(runtime, whole(post, "weather") if len(said) == 1 else said[0], *said)
    assert count(runtime) == 0
    assert judge(runtime, whole(uuid4(), "weather"), skip_unknown=True) == judgements.Kept(0, 1)


def test_the_newest_word_counts(runtime: Runtime, desk: Desk) -> None:
    define(runtime)
    post = desk.texts("a goal")[0]
    judge(runtime, whole(post, "weather", "sport/football"))
    judge(runtime, Judgement("line 1", post, None, label="weather", value=False))
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, "news")
        paths = [label.path for label in taxonomies.labels_of(session, version.id)]
        assert paths == ["sport", "sport/football", "weather"]
        first = judgements.sample_of(session, version.taxonomy_id, paths, exclusive=False)
        assert first.truth.tolist() == [[1, 1, 0]]
    judge(runtime, whole(post))
    with runtime.database.session() as session:
        again = judgements.sample_of(session, version.taxonomy_id, paths, exclusive=False)
    assert again.truth.tolist() == [[0, 0, 0]]
    assert again.data_hash != first.data_hash


def test_posts_to_label_are_new_uncertain_and_unlike_each_other(runtime: Runtime, sixty: list[UUID]) -> None:
    define(runtime)
    judge(runtime, whole(sixty[0]))
    asked = asking.posts_to_label(runtime, "news", None, limit=6, seed=1)
    assert asked == asking.posts_to_label(runtime, "news", None, limit=6, seed=1)
    assert sixty[0] not in {post.post_id for post in asked}
    vectors = [p.dense["post"] for p in runtime.store.retrieve(runtime.live.collection, [p.post_id for p in asked])]
    assert (np.triu(np.stack(vectors) @ np.stack(vectors).T, 1) < 0.99).all()
    assert asked[0].uncertainty >= np.mean([post.uncertainty for post in asked])
