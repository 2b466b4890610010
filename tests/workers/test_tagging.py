"""Taxonomies over posts: applied to all that are here, said of new ones, switched at once, killed and resumed."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from postscope.backend import audit, runs
from postscope.backend.auth import Role
from postscope.backend.blobs import BlobError
from postscope.backend.errors import Conflict, Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.backend.tables import Run, TaxonomyVersion
from postscope.backend.tagging import ending, reading_tags, taxonomies
from postscope.backend.tagging.adhoc import TagRequest, tag
from postscope.backend.tagging.definitions import TaxonomyIn
from postscope.backend.tagging.going_live import stale
from postscope.backend.trends.requests import TimelineQuery
from postscope.backend.trends.timelines import read_timeline
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.workers import tagging
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from tests.conftest import SetClock
from tests.workers.conftest import Desk

KEY = UUID(int=1)
SURE = {"threshold": 0.1}
"""In sixteen dimensions nothing stands far above the cohort."""
NEWS = {
    "labels": [
        {"name": "sport", "labels": [{"name": "football", **SURE, "positive": [{"text": "a goal"}] * 20}]},
        {"name": "weather", **SURE, "positive": [{"text": "it rains"}] * 20},
    ]
}


def define(runtime: Runtime, content: dict[str, Any] = NEWS, name: str = "news") -> int:
    with runtime.database.session() as session:
        made = taxonomies.put(
            session, name, TaxonomyIn.model_validate(content), origin="api", actor="ada", now=runtime.clock()
        )
        return made.number


def ask(runtime: Runtime, number: int, name: str = "news") -> UUID:
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, name, number)
        return runs.start(
            session, "tags.apply", {"version_id": version.id}, actor="ada", readers=[Role.PRODUCT],
            now=runtime.clock(), exclusive=f"taxonomy:{version.taxonomy_id}",
        ).id  # fmt: skip


def apply(runtime: Runtime, number: int, name: str = "news") -> Run:
    run_id = ask(runtime, number, name)
    work_runs(runtime)
    return see(runtime, run_id)


def see(runtime: Runtime, run_id: UUID) -> Run:
    with runtime.database.session() as session:
        found = session.get(Run, run_id)
        assert found is not None
        return found


def tags(runtime: Runtime, post_id: UUID, versions: Any = "live") -> list[str]:
    with runtime.database.session() as session:
        return [f"{said.version}/{said.label}" for said in reading_tags.tags_of(session, post_id, versions=versions)]


def state(runtime: Runtime, number: int) -> str:
    with runtime.database.session() as session:
        return taxonomies.get_version(session, "news", number).state


def payload(desk: Desk, post_id: UUID) -> Any:
    return desk.points([post_id])[0].payload.get("labels")


def found(runtime: Runtime, **labels: Any) -> list[str]:
    request = SearchRequest.model_validate(
        {"text": "a goal it rains", "mode": "keyword", "min_score": 0, "filters": {"labels": labels}}
    )
    return sorted(hit.post.external_id for hit in search(runtime, request, key_id=KEY).hits)


def test_applied_to_what_is_here_and_said_of_what_comes_later(runtime: Runtime, desk: Desk) -> None:
    goal, rain, other = desk.texts("a goal", "it rains", "something else")
    desk.run(Stage.INDEX, Stage.ENRICH)
    number = define(runtime)
    run = apply(runtime, number)
    assert (run.state, run.done) == ("done", 3)
    assert run.result == {"posts": 3, "labels": 3, "capped": 0}
    assert (tags(runtime, goal), tags(runtime, rain), tags(runtime, other)) == (
        ["1/sport", "1/sport/football"], ["1/weather"], [],
    )  # fmt: skip
    assert payload(desk, goal) == ["news@1/sport", "news@1/sport/football"]
    late = desk.post({"external_id": "late", "text": "a goal"})[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert payload(desk, late) == ["news@1/sport", "news@1/sport/football"]


def test_search_filters_and_counts_labels(runtime: Runtime, desk: Desk) -> None:
    desk.texts("a goal", "it rains", "it rains")
    desk.run(Stage.INDEX, Stage.ENRICH)
    apply(runtime, define(runtime))
    assert found(runtime, any=["news/sport"]) == ["0"]
    assert found(runtime, any=["news/sport", "news/weather"]) == ["0", "1", "2"]
    assert found(runtime, all=["news/sport", "news/weather"]) == []
    assert found(runtime, none=["news/weather"]) == ["0"]
    assert found(runtime, any=["news@1/sport/football"]) == ["0"]
    answer = search(runtime, SearchRequest(text="rains", facets=["labels", "source"]), key_id=KEY)
    assert [(c.value, c.count) for c in answer.facets["labels"]] == [
        ("news/weather", 2), ("news/sport", 1), ("news/sport/football", 1),
    ]  # fmt: skip
    assert [(c.value, c.count) for c in answer.facets["source"]] == [("test", 3)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other/sport", "the taxonomy 'other' has no live version"),
        ("news/nothing", "the taxonomy 'news' has no label 'nothing' in version 1"),
        ("news@7/sport", "the taxonomy 'news' has no version 7 that was applied"),
        ("news@2/sport", "the taxonomy 'news' has no version 2 that was applied"),
    ],
)
def test_a_label_that_is_none(runtime: Runtime, name: str, reason: str) -> None:
    apply(runtime, define(runtime))
    define(runtime)
    with pytest.raises(Invalid, match=reason):
        found(runtime, any=[name])


def test_a_new_version_is_live_at_once_and_the_old_one_still_answers(runtime: Runtime, desk: Desk) -> None:
    goal, rain = desk.texts("a goal", "it rains")
    desk.run(Stage.INDEX, Stage.ENRICH)
    apply(runtime, define(runtime))
    second = define(runtime, {"labels": [{"name": "wet", **SURE, "positive": [{"text": "it rains"}] * 20}]})
    assert found(runtime, any=["news/sport"]) == ["0"]
    apply(runtime, second)
    assert (state(runtime, 1), state(runtime, 2)) == ("old", "live")
    assert (found(runtime, any=["news/wet"]), found(runtime, any=["news@1/sport"])) == (["1"], ["0"])
    assert (tags(runtime, goal), tags(runtime, goal, "all")) == ([], ["1/sport", "1/sport/football"])
    assert payload(desk, rain) == ["news@1/weather", "news@2/wet"]
    apply(runtime, 1)
    assert (state(runtime, 1), state(runtime, 2)) == ("live", "old")
    with runtime.database.session() as session:
        told = [(entry.action, entry.evidence["version"]) for entry in audit.entries(session, limit=10)]
    assert told[:2] == [("taxonomy.live", 1), ("taxonomy.live", 2)]


def test_labels_outlive_a_new_index_and_follow_the_content(runtime: Runtime, desk: Desk) -> None:
    post_id = desk.texts("a goal")[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    apply(runtime, define(runtime))
    desk.post({"external_id": "0", "text": "a goal", "metrics": {"likes": 3}})
    desk.run(Stage.INDEX)
    assert payload(desk, post_id) == ["news@1/sport", "news@1/sport/football"]
    desk.post({"external_id": "0", "text": "it rains"})
    desk.run(Stage.INDEX)
    assert payload(desk, post_id) == ["news@1/sport", "news@1/sport/football"]
    desk.run(Stage.ENRICH)
    assert (payload(desk, post_id), tags(runtime, post_id)) == (["news@1/weather"], ["1/weather"])


def test_a_stop_in_the_middle_goes_on_from_there(runtime: Runtime, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "BLOCK", 2)
    ids = desk.texts(*["a goal"] * 5)
    desk.run(Stage.INDEX, Stage.ENRICH)
    run_id = ask(runtime, define(runtime))
    work_runs(runtime, stop=lambda: see(runtime, run_id).done >= 2)
    assert (see(runtime, run_id).state, see(runtime, run_id).done, state(runtime, 1)) == ("waiting", 2, "applying")
    with pytest.raises(Invalid, match="has no live version"):
        found(runtime, any=["news/sport"])
    work_runs(runtime)
    assert see(runtime, run_id).result == {"posts": 5, "labels": 10, "capped": 0}
    assert all(tags(runtime, id) for id in ids)


def test_cancelled_it_is_a_draft_that_says_nothing(
    runtime: Runtime, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "BLOCK", 2)
    ids = desk.texts(*["a goal"] * 5)
    desk.run(Stage.INDEX, Stage.ENRICH)
    run_id = ask(runtime, define(runtime))

    def cancel() -> bool:
        run = see(runtime, run_id)
        if run.done >= 2 and run.state == "running":
            with runtime.database.session() as session:
                session.get_one(Run, run_id).cancel_asked = True
        return False

    work_runs(runtime, stop=cancel)
    assert (see(runtime, run_id).state, state(runtime, 1)) == ("cancelled", "draft")
    assert [tags(runtime, id, "all") for id in ids] == [[]] * 5


def pretend_another_space(runtime: Runtime) -> None:
    """As if everything had been applied, and calibrated, before a switch."""
    with runtime.database.session() as session:
        for version in session.query(TaxonomyVersion):
            version.applied_space = "another-space"
            if version.calibration is not None:
                version.calibration = version.calibration | {"space": "another-space"}


def test_after_a_switch_of_the_space_it_is_applied_again_by_itself(runtime: Runtime, desk: Desk) -> None:
    goal = desk.texts("a goal")[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    apply(runtime, define(runtime))
    sweep(runtime)
    assert work_runs(runtime) == 0, "nothing is stale"
    pretend_another_space(runtime)
    with runtime.database.session() as session:
        assert [name for name, _ in stale(session)] == ["news"]
    sweep(runtime)
    sweep(runtime)
    assert tags(runtime, goal) == ["1/sport", "1/sport/football"], "what was said stands until it is said anew"
    assert work_runs(runtime) == 1
    with runtime.database.session() as session:
        assert stale(session) == []
        run = session.query(Run).order_by(Run.created_at.desc(), Run.id.desc()).first()
        assert run is not None
        said = {"posts": 1, "labels": 2, "capped": 0}
        assert (run.params["cause"], run.actor, run.result) == ("space", "upkeep", said)
    assert (state(runtime, 1), tags(runtime, goal)) == ("live", ["1/sport", "1/sport/football"])


def test_a_switch_in_the_middle_begins_anew(runtime: Runtime, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "BLOCK", 2)
    desk.texts(*["a goal"] * 5)
    desk.run(Stage.INDEX, Stage.ENRICH)
    run_id = ask(runtime, define(runtime))
    work_runs(runtime, stop=lambda: see(runtime, run_id).done >= 2)
    with runtime.database.session() as session:
        run = session.get_one(Run, run_id)
        assert run.checkpoint is not None
        run.checkpoint = run.checkpoint | {"space": "another-space", "labels": 99}
    work_runs(runtime)
    assert see(runtime, run_id).result == {"posts": 5, "labels": 10, "capped": 0}


def test_two_runs_of_one_taxonomy_exclude_each_other(runtime: Runtime) -> None:
    ask(runtime, define(runtime))
    with pytest.raises(Conflict) as caught:
        ask(runtime, 1)
    assert caught.value.code == "run_exists"


def test_a_post_as_an_example(runtime: Runtime, desk: Desk) -> None:
    post_id = desk.texts("a goal", "it rains")[0]
    number = define(runtime, {"labels": [{"name": "goal", "positive": [{"post_id": str(post_id)}]}]})
    run = apply(runtime, number)
    assert (run.state, run.error_code) == ("failed", "example_not_ready")
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert apply(runtime, number).state == "done"


def test_an_upload_stays_as_long_as_a_label_has_it_as_an_example(runtime: Runtime, desk: Desk, clock: SetClock) -> None:
    out = BytesIO()
    Image.new("RGB", (48, 32), "red").save(out, "PNG")
    picture = out.getvalue()
    with runtime.database.session() as session:
        kept, loose = (
            add_upload(session, runtime.blobs, BytesIO(data), max_bytes=10**7, now=runtime.clock())
            for data in (picture, picture + b"loose")
        )
        kept_id, kept_sha, loose_sha = kept.id, kept.sha256, loose.sha256
    label = {"name": "like this", "prompts": ["a goal"], "positive": [{"upload_id": str(kept_id)}]}
    number = define(runtime, {"labels": [label]})
    clock.forward(hours=runtime.settings.media.unused_upload_hours + 1)
    sweep(runtime)
    clock.forward(hours=2)  # a file outlives its last upload by an hour: somebody may be putting the same one
    sweep(runtime)
    assert runtime.blobs.get(kept_sha) == picture
    with pytest.raises(BlobError):
        runtime.blobs.get(loose_sha)
    desk.texts("a goal")
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert apply(runtime, number).state == "done"
    with runtime.database.session() as session:
        ending.delete_version(session, "news", define(runtime), forget=lambda _: None, actor="ada", now=runtime.clock())
    sweep(runtime)
    assert runtime.blobs.get(kept_sha) == picture, "another version has it"


def test_over_time(runtime: Runtime, desk: Desk) -> None:
    desk.post(
        *(
            {"external_id": str(n), "text": words, "created_at": f"2026-03-0{day}T10:00:00Z"}
            for n, (day, words) in enumerate([(1, "a goal"), (1, "it rains"), (3, "a goal")])
        )
    )
    desk.run(Stage.INDEX, Stage.ENRICH)
    apply(runtime, define(runtime))
    with runtime.database.session() as session:
        label = reading_tags.label_of(session, "news", "sport/football", None)
        assert len(reading_tags.posts_with(session, label, min_score=0.1, limit=10)) == 2
        assert reading_tags.posts_with(session, label, min_score=1.0, limit=10) == []
    asked = TimelineQuery.model_validate(
        {
            "label": ["news/sport/football"],
            "from": "2026-03-01T00:00:00Z",
            "to": "2026-03-04T00:00:00Z",
            "bucket": "1d",
        }
    )
    timeline = read_timeline(runtime.database, asked, author_key=b"key", now=runtime.clock())
    assert [figures.posts for figures in timeline.figures] == [1, 0, 1]


def test_ad_hoc(runtime: Runtime, desk: Desk) -> None:
    post_id = desk.texts("it rains")[0]
    desk.run(Stage.INDEX)
    request = TagRequest.model_validate(
        {"items": [{"text": "a goal"}, {"post_id": str(post_id)}, {"text": "unheard of"}], "labels": NEWS}
    )
    answer = tag(runtime, request)
    given = [[score.label for score in item.labels if score.given] for item in answer.items]
    assert given == [["sport", "sport/football"], ["weather"], []]
    assert [item.none_of_these for item in answer.items] == [False, False, True]
