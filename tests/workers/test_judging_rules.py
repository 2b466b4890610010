"""What people say at once, one after the other, and of labels within labels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from postscope.backend.errors import Invalid
from postscope.backend.heads import judging
from postscope.backend.heads.learning import lesson
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, Label, Taxonomy, TaxonomyVersion
from postscope.backend.tagging import judgements, taxonomies
from postscope.backend.tagging.definitions import TaxonomyIn
from postscope.backend.tagging.judgements import Judgement
from tests.workers.conftest import Desk
from tests.workers.test_heads import Api, api, run_all, write
from tests.workers.test_tag_calibration import judge, whole
from tests.workers.test_tagging import NEWS, define

__all__ = ["api"]


def alone(post_id: UUID, label: str, value: bool, field: str = "line 1") -> Judgement:
    return Judgement(field, post_id, None, label=label, value=value)


def said(runtime: Runtime) -> dict[str, float]:
    with runtime.database.session() as session:
        return {row.label: row.value for row in session.query(Label)}


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each answers; they start together."""
    answers: list[Any] = [None] * len(calls)
    together = threading.Barrier(len(calls))

    def run(n: int) -> None:
        together.wait()
        answers[n] = calls[n]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_label_without_the_one_above_it_is_a_contradiction(runtime: Runtime, desk: Desk) -> None:
    define(runtime)
    post = desk.texts("a goal")[0]
    no_sport = alone(post, "sport", False, "line 2")
    for first in (alone(post, "sport/football", True), whole(post, "sport/football")):
        with pytest.raises(Invalid, match="line 2: contradicts line 1 about 'sport', by what it says of 'sport/foot"):
            judge(runtime, first, no_sport)
    with pytest.raises(Invalid, match="line 3: contradicts line 2"):
        judge(runtime, no_sport, alone(post, "sport/football", True, "line 3"))
    assert said(runtime) == {}
    judge(runtime, whole(post, "sport/football"), alone(post, "sport", True, "line 2"))
    assert said(runtime) == {"sport/football": 1, "*": 0, "sport": 1}, "which the one below says anyway"


def test_a_newer_word_on_a_label_takes_back_what_it_makes_untrue(runtime: Runtime, desk: Desk) -> None:
    define(runtime)
    post = desk.texts("a goal")[0]
    judge(runtime, alone(post, "sport/football", True))
    judge(runtime, alone(post, "sport", False))
    assert said(runtime) == {"sport": 0}
    judge(runtime, alone(post, "sport/football", True))
    assert said(runtime) == {"sport/football": 1}


def test_of_an_exclusive_taxonomy_the_newest_label_is_the_one_that_a_post_has(runtime: Runtime, desk: Desk) -> None:
    define(runtime, {**NEWS, "exclusive": True})
    post = desk.texts("a goal")[0]
    judge(runtime, alone(post, "weather", True))
    judge(runtime, alone(post, "sport", True))
    assert said(runtime) == {"sport": 1}
    judge(runtime, alone(post, "sport/football", True))
    assert said(runtime) == {"sport": 1, "sport/football": 1}, "one within the other"
    judge(runtime, alone(post, "weather", True))
    assert said(runtime) == {"weather": 1}


def test_a_post_whose_name_no_post_can_have_is_not_here(runtime: Runtime, desk: Desk, api: Api) -> None:
    define(runtime)
    with pytest.raises(Invalid, match="there is no post"):
        judge(runtime, Judgement("line 1", None, ("a\0", "b"), ("weather",)))
    named = {"source": "a\0", "external_id": "b", "label": "positive"}
    (problem,) = api.call("POST", "/v1/heads/sentiment/judgements", {"judgements": [named]}).json()["errors"]
    assert problem == {"field": "judgements.0.post", "reason": "there is no such post"}


@pytest.mark.parametrize(
    ("task", "wrong", "reason"),
    [
        ("number", {"value": 1e13}, "must be a number from -1e+12 to 1e+12"),
        ("tags", {"label": "a\0b"}, "must not contain NUL characters"),
    ],
)
def test_what_cannot_be_learned_is_refused(desk: Desk, api: Api, task: str, wrong: dict[str, Any], reason: str) -> None:
    api.ok("POST", "/v1/heads", {"name": "own", "task": task})
    post = desk.texts("a goal")[0]
    answer = api.call("POST", "/v1/heads/own/judgements", {"judgements": [{"post_id": str(post), **wrong}]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["reason"] == reason


def test_a_head_of_a_taxonomy_learns_that_a_label_says_those_above_it(desk: Desk, api: Api) -> None:
    """A post that has football has sport, whether somebody said so or not."""
    runtime = desk.runtime
    define(runtime)
    feelings = write(desk, 90)
    places = {"positive": ("sport/football",), "negative": ("weather",), "neutral": ()}
    judge(runtime, *(whole(id, *places[label]) for id, label in feelings.items()))
    api.ok("POST", "/v1/heads", {"name": "news", "task": "tags", "label_set": "taxonomy:news"})
    with runtime.database.session() as session:
        found = lesson(runtime, session.query(Head).one())
    assert found.labels == ["sport", "sport/football", "weather"]
    assert found.targets.sum(axis=0).tolist() == [30, 30, 30]
    assert (found.targets[:, 0] == found.targets[:, 1]).all()
    wrong = {"judgements": [{"post_id": str(next(iter(feelings))), "label": "nonsense"}]}
    refused = api.call("POST", "/v1/heads/news/judgements", wrong)
    assert refused.status_code == 422
    assert "/v1/taxonomies/news/labels" in refused.json()["errors"][0]["reason"]


def test_a_head_of_an_exclusive_taxonomy_learns_its_classes(desk: Desk, api: Api) -> None:
    """That a post has none of them, or not this one, is no class."""
    define(desk.runtime, {**NEWS, "exclusive": True})
    feelings = write(desk, 60)
    places = {"positive": ("sport",), "negative": ("weather",), "neutral": ()}
    judge(desk.runtime, *(whole(id, *places[label]) for id, label in feelings.items()))
    judge(desk.runtime, *(alone(id, "weather", False) for id, label in feelings.items() if label == "neutral"))
    api.ok("POST", "/v1/heads", {"name": "news", "task": "classes", "label_set": "taxonomy:news"})
    run = api.ok("POST", "/v1/heads/news/train")
    run_all(desk.runtime)
    ended = api.ok("GET", f"/v1/runs/{run['id']}")
    assert (ended["state"], ended["error"]) == ("done", None)
    assert ended["result"]["posts"] == 40


def test_people_who_judge_the_same_posts_at_once_wait_for_each_other(desk: Desk, api: Api) -> None:
    define(desk.runtime)
    ids = desk.texts(*(f"post {n}" for n in range(60)))

    def posts(n: int) -> list[UUID]:
        return ids[n:] + ids[:n] if n % 2 else list(reversed(ids))

    def labels(n: int) -> int:
        body = {"posts": [{"post_id": str(id), "labels": ["weather"] if n % 2 else ["sport"]} for id in posts(n)]}
        return api.call("POST", "/v1/taxonomies/news/labels", body).status_code

    def words(n: int) -> int:
        label = "negative" if n % 2 else "positive"
        body = {"judgements": [{"post_id": str(id), "label": label} for id in posts(n)]}
        return api.call("POST", "/v1/heads/sentiment/judgements", body).status_code

    for _ in range(2):
        assert at_once(*(lambda n=n: labels(n) for n in range(4))) == [201] * 4
        assert at_once(*(lambda n=n: words(n) for n in range(4))) == [200] * 4, "the first makes the head"
    with desk.runtime.database.session() as session:
        rows = session.query(Label).filter(Label.label.in_(("positive", "negative"))).all()
    assert len(rows) == 60, "one word a post"
    assert len({row.label for row in rows}) == 1


def test_what_is_made_twice_at_once_is_there_once_and_the_others_are_told(desk: Desk, api: Api) -> None:
    def head() -> int:
        return api.call("POST", "/v1/heads", {"name": "own", "task": "tags"}).status_code

    assert sorted(at_once(*[head] * 4)) == [201, 409, 409, 409]


def test_a_taxonomy_that_is_imported_twice_at_once_gets_a_version_each(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one commits between the look for the name and the insert."""
    definition, create = TaxonomyIn.model_validate(NEWS), taxonomies.create

    def late(*given: Any, **named: Any) -> TaxonomyVersion:
        monkeypatch.setattr(taxonomies, "create", create)
        define(runtime)
        return create(*given, **named)

    monkeypatch.setattr(taxonomies, "create", late)
    with runtime.database.session() as session:
        made = taxonomies.put(session, "news", definition, origin="yaml", actor="ada", now=runtime.clock())
        assert (made.number, session.query(Taxonomy).count()) == (2, 1)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("module", [judging, judgements])
def test_who_deletes_a_post_while_it_is_judged_waits(
    desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch, module: Any, by_name: bool
) -> None:
    """It was there when it was looked for: a judgement of it cannot fail after that."""
    define(desk.runtime)
    posts = desk.texts("a goal", "another goal")
    deleting = threading.Thread(target=desk.delete, args=(posts[0],))
    step = "_problems" if module is judging else "_take_back"
    later = getattr(module, step)

    def meanwhile(*given: Any, **named: Any) -> Any:
        deleting.start()
        deleting.join(0.5)
        return later(*given, **named)

    monkeypatch.setattr(module, step, meanwhile)
    if module is judging:
        named = {"source": "test", "external_id": "0"} if by_name else {"post_id": str(posts[0])}
        body = {"judgements": [{**named, "label": "positive"}]}
        assert api.call("POST", "/v1/heads/sentiment/judgements", body).status_code == 200
    else:
        known_as = ("test", "0") if by_name else None
        found = Judgement("line 1", None if by_name else posts[0], known_as, ("weather",))
        assert judge(desk.runtime, found).posts == 1
    deleting.join()
    assert said(desk.runtime) == {}
