"""Heads from judgements to what is shown: trained as runs, compared, tried in the shadow, rolled back, watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from structlog.testing import capture_logs

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.errors import Conflict
from postscope.backend.heads import drift, learning, registry, tracking
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadScore, HeadVersion, Post, Run
from postscope.backend.work import Stage
from postscope.workers import head_training, head_upkeep
from postscope.workers.head_training import train_head
from postscope.workers.head_upkeep import watch_heads
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from tests.conftest import ApiKeyMaker, SetClock, bearer
from tests.workers.conftest import Desk

WORDS = {
    "positive": ["lovely", "wonderful", "great", "happy"],
    "negative": ["awful", "terrible", "broken", "sad"],
    "neutral": ["station", "timetable", "street", "report"],
}


class Api:
    """Calls with a key; ``ok`` expects success."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client, self._headers = client, bearer(key)

    def call(self, method: str, path: str, body: Any = None) -> Response:
        return self._client.request(method, path, json=body, headers=self._headers)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
def api(runtime: Runtime, api_key: ApiKeyMaker) -> Iterator[Api]:
    with TestClient(create_app(runtime)) as client:
        yield Api(client, api_key(Role.ANALYST))


def write(desk: Desk, count: int, *, start: int = 0, likes: bool = False) -> dict[UUID, str]:
    """Posts that say what they feel, and the feeling of each."""
    feelings = [list(WORDS)[n % 3] for n in range(start, start + count)]
    ids = desk.post(
        *(
            {
                "external_id": str(n),
                "text": f"{WORDS[feeling][n % 4]} {WORDS[feeling][(n + 1) % 4]} thing number {n}",
                "created_at": f"2026-02-{1 + n % 28:02d}T{n % 24:02d}:00:00Z",
                "metrics": {"likes": 10 * (n % 5)} if likes else {},
                "metadata": {"followers": 10.0 ** (n % 5)} if likes else {},
            }
            for n, feeling in enumerate(feelings, start)
        )
    )
    desk.run()
    return dict(zip(ids, feelings, strict=True))


def judgements(feelings: dict[UUID, str], **more: Any) -> dict[str, Any]:
    return {"judgements": [{"post_id": str(id), "label": label} for id, label in feelings.items()], **more}


def run_all(runtime: Runtime) -> int:
    return work_runs(runtime, runners={head_training.KIND: train_head, head_upkeep.KIND: watch_heads})


def trained(desk: Desk, api: Api, count: int = 90) -> dict[UUID, str]:
    feelings = write(desk, count)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    return feelings


def test_from_judgements_to_answers(desk: Desk, api: Api) -> None:
    trained(desk, api)
    (version,) = api.ok("GET", "/v1/heads/sentiment")["versions"]
    assert (version["number"], version["state"], version["cause"], version["posts"]) == (1, "live", "asked", 90)
    assert version["report"]["held_out"]["accuracy"] > 0.9
    items = [{"text": "a wonderful lovely day"}, {"text": "the awful terrible train"}]
    answer = api.ok("POST", "/v1/heads/sentiment/predict", {"items": items})
    assert [item["label"] for item in answer["items"]] == ["positive", "negative"]
    assert sum(answer["items"][0]["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert api.ok("GET", "/v1/heads/sentiment")["versions"][0]["served"] == 2


def test_new_posts_are_scored_when_they_are_enriched(desk: Desk, api: Api) -> None:
    trained(desk, api)
    fresh = write(desk, 6, start=200)
    desk.run(Stage.ENRICH)
    with desk.runtime.database.session() as session:
        rows = {row.post_id: row for row in session.query(HeadScore)}
    assert set(fresh) <= set(rows)
    order = ["negative", "neutral", "positive"]
    right = sum(order[max(range(3), key=rows[id].values.__getitem__)] == label for id, label in fresh.items())
    assert right == 6
    assert all(rows[id].shown for id in fresh)


def test_without_a_live_version_there_is_no_answer(api: Api, desk: Desk) -> None:
    feelings = write(desk, 30)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    answer = api.call("POST", "/v1/heads/sentiment/predict", {"items": [{"text": "x"}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_trained")
    assert api.call("GET", "/v1/heads/nothing").status_code == 404


def test_too_few_judgements_fail_the_run_with_the_reason(api: Api, desk: Desk) -> None:
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 6)))
    run = api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    ended = api.ok("GET", f"/v1/runs/{run['id']}")
    assert (ended["state"], ended["error_code"]) == ("failed", "too_few_labels")
    assert "20 or more" in ended["error"]


def test_one_wrong_judgement_and_none_is_kept(api: Api, desk: Desk) -> None:
    good = judgements(write(desk, 3))["judgements"]
    cases = [
        ({"post_id": str(UUID(int=9)), "label": "positive"}, "post", "no such post"),
        ({**good[0], "label": "joyful"}, "label", "one of negative, neutral, positive"),
        ({**good[0], "label": "negative"}, "judgements.3", "contradicts judgements.0"),
        ({**good[0], "value": 0.5}, "value", "1 or absent"),
    ]
    for wrong, field, reason in cases:
        answer = api.call("POST", "/v1/heads/sentiment/judgements", {"judgements": [*good, wrong]})
        assert answer.status_code == 422, wrong
        (problem,) = answer.json()["errors"]
        assert field in problem["field"]
        assert reason in problem["reason"]
    run = api.ok("POST", "/v1/heads/sentiment/judgements", {"judgements": good})
    assert run == {"judgements": 3, "posts": 3}


def test_the_newest_word_counts(api: Api, desk: Desk, runtime: Runtime) -> None:
    feelings = write(desk, 3)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    turned = dict.fromkeys(feelings, "neutral")
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(turned, correction=True))
    from postscope.backend.tables import Label

    with runtime.database.session() as session:
        rows = [(row.label, row.source) for row in session.query(Label)]
    assert rows == [("neutral", "correction")] * 3


def test_a_version_that_is_no_better_stays_a_candidate(desk: Desk, api: Api) -> None:
    trained(desk, api)
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    second, first = api.ok("GET", "/v1/heads/sentiment")["versions"]
    assert (second["state"], first["state"]) == ("candidate", "live")
    found = api.ok("GET", "/v1/heads/sentiment/versions/2/comparison")
    assert not found["better"]
    assert found["live_was_taught"] == found["posts"]
    refused = api.call("POST", "/v1/heads/sentiment/versions/2/promote")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_better")
    assert "the live version was taught all of them" in refused.json()["detail"]
    assert "fair once 20 held-out posts" in found["reason"]


def test_two_trainings_on_the_same_posts_are_compared_on_what_neither_was_taught(desk: Desk, api: Api) -> None:
    trained(desk, api, 120)
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    found = api.ok("GET", "/v1/heads/sentiment/versions/2/comparison")
    assert (found["posts"], found["live_was_taught"], found["against"]) == (24, 0, 1)
    assert found["objective"] == found["live_objective"], "they learned the same from the same"
    assert not found["better"]


def edit_report(runtime: Runtime, number: int, **changed: object) -> None:
    with runtime.database.session() as session:
        version = session.query(HeadVersion).filter_by(number=number).one()
        version.report = version.report | changed


def test_a_version_is_not_compared_on_posts_that_it_was_taught(desk: Desk, api: Api) -> None:
    """Judgements of older posts move what counts as the newest fifth onto posts that it learned from."""
    trained(desk, api, 120)
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    edit_report(desk.runtime, 2, taught=120)
    found = api.ok("GET", "/v1/heads/sentiment/versions/2/comparison")
    assert (found["posts"], found["better"]) == (0, False)
    edit_report(desk.runtime, 2, taught=96)
    with desk.runtime.database.session() as session:
        version = session.query(HeadVersion).filter_by(number=2).one()
        held = {version.trained_on[start : start + 16] for start in range(96 * 16, 120 * 16, 16)}
        posts = session.query(Post.id, Post.created_at).order_by(Post.created_at.desc()).limit(24)
        assert held == {row.id.bytes for row in posts}, "those that were held out come last"


def test_another_version_that_went_live_meanwhile_is_compared_with_first(desk: Desk, api: Api) -> None:
    trained(desk, api)
    for _ in range(2):
        api.ok("POST", "/v1/heads/sentiment/train", {"promote": False})
        run_all(desk.runtime)
    with desk.runtime.database.session() as session:
        head = session.query(Head).one()
        seen: dict[str, object] = {"better": True, "against": 1}
        now = desk.runtime.clock()
        registry.promote(session, head, 2, better=seen, actor="a", now=now)
        with pytest.raises(Conflict, match="meanwhile"):
            registry.promote(session, head, 3, better=seen, actor="b", now=now)


def test_a_live_version_that_does_not_know_a_new_label_is_compared_all_the_same(desk: Desk, api: Api) -> None:
    feelings = write(desk, 150)
    two = {id: label for id, label in feelings.items() if label != "neutral"}
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(two))
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/sentiment/train", {"promote": False})
    run_all(desk.runtime)
    found = api.ok("GET", "/v1/heads/sentiment/versions/2/comparison")
    assert found["better"]
    assert found["posts"] >= 20
    assert found["live_objective"] < found["objective"] <= 1


def test_a_run_that_is_done_has_done_all_its_steps(desk: Desk, api: Api) -> None:
    trained(desk, api)
    (run,) = api.ok("GET", "/v1/runs")["runs"]
    assert run["state"] == "done"
    assert run["done"] == run["total"] > 0


def test_a_label_that_hardly_any_post_has_is_left_out_and_the_others_are_learned(desk: Desk, api: Api) -> None:
    feelings = write(desk, 90)
    rare = [id for id, label in feelings.items() if label == "neutral"]
    few = {id: label for id, label in feelings.items() if id not in rare[2:]}
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(few))
    run = api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    told = api.ok("GET", f"/v1/runs/{run['id']}")["result"]
    assert (told["posts"], told["left_out"], told["live"]) == (60, {"neutral": 2}, True)
    (version,) = api.ok("GET", "/v1/heads/sentiment")["versions"]
    assert version["report"]["left_out"] == {"neutral": 2}


def test_of_too_many_judgements_the_newest_are_learned_from_and_no_label_of_the_others(
    desk: Desk, api: Api, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feelings = write(desk, 90)
    api.ok("POST", "/v1/heads", {"name": "own", "task": "classes"})
    old = {id: "forgotten" for id, label in feelings.items() if label == "neutral"}
    new = {id: label for id, label in feelings.items() if label != "neutral"}
    api.ok("POST", "/v1/heads/own/judgements", judgements(old))
    clock.forward(hours=1)
    api.ok("POST", "/v1/heads/own/judgements", judgements(new))
    monkeypatch.setattr(learning, "MOST", 60)
    with desk.runtime.database.session() as session:
        found = learning.lesson(desk.runtime, session.query(Head).filter_by(name="own").one())
    assert (len(found.ids), found.labels, found.left_out) == (60, ["negative", "positive"], {})


def test_a_tag_that_was_shown_and_that_a_correction_does_not_name_was_wrong(
    desk: Desk, api: Api, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feelings = write(desk, 120)
    api.ok("POST", "/v1/heads", {"name": "moods", "task": "tags"})
    api.ok("POST", "/v1/heads/moods/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/moods/train")
    run_all(desk.runtime)
    seen = write(desk, 90, start=1_000)
    desk.run(Stage.ENRICH)
    clock.forward(hours=1)
    said = {id: label if n < 60 else "other" for n, (id, label) in enumerate(seen.items())}
    api.ok("POST", "/v1/heads/moods/judgements", judgements(said, correction=True))
    monkeypatch.setattr(drift, "LEAST", 20)
    with desk.runtime.database.session() as session:
        version = session.query(HeadVersion.id).one().id
    measured = drift.measure_drift(desk.runtime, version)
    assert measured is not None
    assert measured.judged >= 60
    assert measured.precision == pytest.approx(2 / 3, abs=0.1)


def test_nothing_of_another_space_is_brought_back(desk: Desk, api: Api) -> None:
    trained(desk, api)
    spoil(desk.runtime, 1)
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    with desk.runtime.database.session() as session:
        session.query(HeadVersion).filter_by(number=1).update({HeadVersion.space_id: "another-space"})
    refused = api.call("POST", "/v1/heads/sentiment/rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_before")
    assert [v["state"] for v in api.ok("GET", "/v1/heads/sentiment")["versions"]] == ["live", "retired"]


def test_a_version_of_another_space_is_no_shadow(desk: Desk, api: Api) -> None:
    trained(desk, api, 60)
    api.ok("POST", "/v1/heads/sentiment/train", {"promote": False})
    run_all(desk.runtime)
    with desk.runtime.database.session() as session:
        session.query(HeadVersion).filter_by(number=2).update({HeadVersion.space_id: "another-space"})
    refused = api.call("POST", "/v1/heads/sentiment/versions/2/shadow")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_space")


def spoil(runtime: Runtime, number: int) -> None:
    """Make a version one that was taught nothing true, as an old one would be."""
    with runtime.database.session() as session:
        version = session.query(HeadVersion).filter_by(number=number).one()
        from postscope.indexing.heads.head import TrainedHead

        head = TrainedHead.loads(version.model)
        object.__setattr__(head, "labels", tuple(reversed(head.labels)))
        version.model = head.dumps()
        version.trained_on = b""
    runtime.heads._open.clear()


def test_a_better_version_is_promoted_and_can_be_taken_back(desk: Desk, api: Api) -> None:
    trained(desk, api)
    spoil(desk.runtime, 1)
    api.ok("POST", "/v1/heads/sentiment/train", {"promote": True})
    run_all(desk.runtime)
    assert [v["state"] for v in api.ok("GET", "/v1/heads/sentiment")["versions"]] == ["live", "retired"]
    assert api.ok("POST", "/v1/heads/sentiment/rollback")["number"] == 1
    assert [v["state"] for v in api.ok("GET", "/v1/heads/sentiment")["versions"]] == ["retired", "live"]
    assert api.ok("POST", "/v1/heads/sentiment/rollback")["number"] == 2


def test_a_shadow_scores_unseen_and_a_share_of_posts_sees_it(desk: Desk, api: Api) -> None:
    trained(desk, api)
    api.ok("POST", "/v1/heads/sentiment/train", {"promote": False})
    run_all(desk.runtime)
    api.ok("POST", "/v1/heads/sentiment/versions/2/shadow")
    ids = list(write(desk, 40, start=300))
    desk.run(Stage.ENRICH)

    def shown() -> dict[int, int]:
        with desk.runtime.database.session() as session:
            rows = session.query(HeadVersion.number, HeadScore.shown, HeadScore.post_id).join(
                HeadScore, HeadScore.version_id == HeadVersion.id
            )
            counts = {1: 0, 2: 0}
            scored = {1: 0, 2: 0}
            for number, seen, post_id in rows:
                if post_id in ids:
                    counts[number] += seen
                    scored[number] += 1
            assert scored == {1: 40, 2: 40}
            return counts

    assert shown() == {1: 40, 2: 0}
    api.ok("POST", "/v1/heads/sentiment/versions/2/shadow", {"share": 0.5})
    with desk.runtime.database.session() as session:
        from postscope.backend import work

        work.add(session, Stage.ENRICH, ids, now=desk.runtime.clock(), request_id=None)
    desk.run(Stage.ENRICH)
    counts = shown()
    assert sum(counts.values()) == 40
    assert 8 <= counts[2] <= 32
    bad = api.call("POST", "/v1/heads/sentiment/versions/2/shadow", {"share": 2})
    assert bad.status_code == 422


def test_popularity_is_learned_from_old_posts_alone(desk: Desk, api: Api, clock: SetClock) -> None:
    write(desk, 60, likes=True)
    desk.post({"external_id": "now", "text": "too young to tell", "created_at": "2026-03-02T11:00:00Z",
               "metrics": {"likes": 9}})  # fmt: skip
    desk.run()
    refused = api.call("POST", "/api/ml/popularity", {"items": [{"text": "x"}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_trained")
    api.ok("POST", "/v1/heads/popularity/train")
    run_all(desk.runtime)
    (version,) = api.ok("GET", "/v1/heads/popularity")["versions"]
    assert version["posts"] == 60
    answer = api.ok("POST", "/api/ml/popularity", {"items": [{"text": "a thing", "metadata": {"followers": 100.0}}]})
    (item,) = answer["items"]
    assert item["low"] <= item["engagement"] <= item["high"]
    assert "metrics" not in answer["known"]
    (tried,) = answer["held_out"]
    told = version["report"]["held_out"]
    assert tried == {
        "version": 1, "posts": 12, "explained": told["r2"], "interval_coverage": told["interval_coverage"],
    }  # fmt: skip


def test_a_new_space_trains_heads_again_and_drift_is_measured(desk: Desk, api: Api, clock: SetClock) -> None:
    trained(desk, api, 240)
    write(desk, 210, start=1_000)
    desk.run(Stage.ENRICH)
    sweep(desk.runtime)
    assert run_all(desk.runtime) == 1
    (measured,) = api.ok("GET", "/v1/heads/sentiment/drift")["measurements"]
    assert measured["posts"] >= 200
    assert not measured["drifted"], measured
    with desk.runtime.database.session() as session:
        session.query(HeadVersion).update({HeadVersion.space_id: "another-space"})
    assert api.ok("GET", "/v1/heads")["heads"][0]["stale"]
    silent = api.call("POST", "/v1/heads/sentiment/predict", {"items": [{"text": "x"}]}).json()
    assert (silent["code"], "a space that is not live: it is trained again" in silent["detail"]) == (
        "not_trained",
        True,
    )
    clock.forward(hours=7)
    sweep(desk.runtime)
    sweep(desk.runtime)
    assert run_all(desk.runtime) == 2, "one look, one training"
    newest = api.ok("GET", "/v1/heads/sentiment")["versions"][0]
    assert (newest["cause"], newest["state"], newest["space_id"]) == ("space", "live", desk.runtime.encoder.space.id)


def test_drift_and_doubt_are_seen_and_train_again(desk: Desk, api: Api, clock: SetClock) -> None:
    trained(desk, api, 240)
    angry = desk.post(
        *(
            {"external_id": f"new {n}", "text": f"{WORDS['negative'][n % 4]} terrible train, {n}"}
            for n in range(220)
        )
    )  # fmt: skip
    desk.run()
    desk.run(Stage.ENRICH)
    corrected = {post_id: "positive" if n % 4 == 0 else "negative" for n, post_id in enumerate(angry[:40])}
    clock.forward(hours=21)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(corrected, correction=True))
    sweep(desk.runtime)
    assert run_all(desk.runtime) == 2, "one look, one training"
    (measured,) = api.ok("GET", "/v1/heads/sentiment/drift")["measurements"]
    assert measured["drifted"]
    assert max(measured["embedding"], measured["score"]) > 0.25
    assert (measured["judged"], measured["precision"]) == (40, pytest.approx(0.75, abs=0.05))
    newest = api.ok("GET", "/v1/heads/sentiment")["versions"][0]
    assert (newest["number"], newest["cause"], newest["posts"]) == (2, "drift", 280)
    assert 'postscope_head_drift{head="sentiment",of="embeddings"}' in figures(api, newest["state"] == "live")


def figures(api: Api, anew: bool) -> str:
    """What is measured; of a version that has just gone live nothing is yet, so the one before is brought back."""
    if anew:
        api.ok("POST", "/v1/heads/sentiment/rollback")
    text = api.call("GET", "/metrics").text
    assert 'postscope_head_precision{head="sentiment"} 0.7' in text
    return text


def test_heads_are_in_the_metrics(desk: Desk, api: Api) -> None:
    trained(desk, api)
    text = api.call("GET", "/metrics").text
    assert 'postscope_head_served{head="sentiment"} 0.0' in text


def test_a_killed_training_leaves_nothing_and_starts_anew(
    desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    feelings = write(desk, 60)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/sentiment/train")

    def dies(*_: object) -> dict[str, Any]:
        train_head(*_)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(head_training, "_keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_all(desk.runtime)
    with desk.runtime.database.session() as session:
        assert session.query(HeadVersion).count() == 0
        assert session.query(Run).one().state == "waiting"
        assert session.query(Head).count() == 1
    run_all(desk.runtime)
    assert api.ok("GET", "/v1/heads/sentiment")["versions"][0]["state"] == "live"


def test_mlflow_hears_of_a_training(
    desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", folder.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    trained(desk, api, 60)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=folder.as_uri())
    experiment = client.get_experiment_by_name("postscope")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["posts"] == "60"
    assert run.data.metrics["held_out.accuracy"] > 0.8
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"head.skops", "report.json"}


def test_what_mlflow_says_against_a_training_is_told_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no answer from https://ada:secret@mlflow.example")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:secret@mlflow.example")
    monkeypatch.setattr(tracking, "_log", refuse)
    with capture_logs() as said:
        assert not tracking.log_training("sentiment", 1, {}, b"")
    assert said[0]["reason"] == "OSError: no answer from https://mlflow.example"


def test_heads_have_roles(runtime: Runtime, api_key: ApiKeyMaker) -> None:
    with TestClient(create_app(runtime)) as client:
        moderator = Api(client, api_key(Role.MODERATOR))
        assert moderator.call("GET", "/v1/heads").status_code == 200
        assert moderator.call("POST", "/v1/heads/sentiment/train").status_code == 403
        ingest = Api(client, api_key(Role.INGEST))
        assert ingest.call("GET", "/v1/heads").status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "No Name", "task": "classes"}, "name"),
        ({"name": "x", "task": "dance"}, "task"),
        ({"name": "x", "task": "number", "fields": ["metrics"]}, "fields.0"),
        ({"name": "x", "task": "classes", "target": "engagement"}, "target"),
        ({"name": "x", "task": "classes", "window_days": 0}, "window_days"),
    ],
)
def test_a_head_that_cannot_be_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.call("POST", "/v1/heads", body)
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]


def test_a_name_is_taken_once(api: Api) -> None:
    body = {"name": "complaints", "task": "tags", "fields": ["source"]}
    assert api.ok("POST", "/v1/heads", body)["live"] is None
    again = api.call("POST", "/v1/heads", body)
    assert (again.status_code, again.json()["code"]) == (409, "head_exists")
    other = api.call("POST", "/v1/heads", {"name": "more", "task": "classes", "label_set": "complaints"})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "label_set")


def test_segments_without_a_head_are_said_without_training(api: Api) -> None:
    answer = api.ok("POST", "/api/ml/segments", {"items": [{"text": "a recipe for soup"}]})
    (item,) = answer["items"]
    assert (item["by"], item["version"]) == ("zero_shot", None)
    assert len(item["probabilities"]) == 18
    assert api.call("POST", "/api/ml/segments", {"items": [{"text": " "}]}).status_code == 422


def test_segments_are_those_of_the_head_once_there_is_one(desk: Desk, api: Api) -> None:
    feelings = write(desk, 60)
    api.ok("POST", "/v1/heads/segments/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/segments/train")
    run_all(desk.runtime)
    answer = api.ok("POST", "/api/ml/segments", {"items": [{"text": "a wonderful lovely day"}]})
    assert (answer["items"][0]["by"], answer["items"][0]["segment"]) == ("head", "positive")


def test_sentiment_that_is_switched_off_says_so(runtime: Runtime, api_key: ApiKeyMaker) -> None:
    runtime.settings = runtime.settings.model_copy(
        update={"sentiment": runtime.settings.sentiment.model_copy(update={"scorer": "off"})}
    )
    runtime.__dict__.pop("sentiment", None)
    with TestClient(create_app(runtime)) as client:
        api = Api(client, api_key(Role.PRODUCT))
        off = api.call("POST", "/api/ml/sentiment", {"items": [{"text": "x"}]})
        assert (off.status_code, off.json()["code"]) == (409, "not_trained")


def test_sentiment_is_that_of_the_head_once_there_is_one(desk: Desk, api: Api) -> None:
    plain = api.ok("POST", "/api/ml/sentiment", {"items": [{"text": "what a wonderful day"}]})["items"][0]
    assert plain["by"] != "head"
    assert sum(plain["probabilities"].values()) == pytest.approx(1, abs=0.01)
    trained(desk, api, 60)
    headed = api.ok("POST", "/api/ml/sentiment", {"items": [{"text": "a wonderful lovely day"}]})["items"][0]
    assert (headed["by"], headed["version"], headed["sentiment"]) == ("head", 1, "positive")
