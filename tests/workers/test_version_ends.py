"""Versions of a taxonomy that are withdrawn or deleted."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tables import AuditEntry, Taxonomy
from postscope.backend.tagging import ending, going_live, reading_tags, taxonomies
from postscope.backend.tagging.definitions import TaxonomyIn
from postscope.backend.tagging.writing import forget_tags
from postscope.backend.work import Stage
from tests.workers.conftest import Desk
from tests.workers.test_heads import Api, api
from tests.workers.test_tagging import NEWS, apply, define

__all__ = ["api"]

SEARCH = {"text": "a goal", "filters": {"labels": {"any": ["news/sport"]}}}


def delete(api: Api, number: int) -> int:
    return api.call("DELETE", f"/v1/taxonomies/news/versions/{number}").status_code


def labels(api: Api, post_id: object, versions: str = "live") -> list[tuple[int, str]]:
    found = api.ok("GET", f"/v1/posts/{post_id}/tags?versions={versions}")["tags"]
    return [(tag["version"], tag["label"]) for tag in found]


def test_a_number_is_given_once(runtime: Runtime, api: Api) -> None:
    """Audit log, reports and queries name a version by its number."""
    assert [define(runtime), define(runtime), define(runtime)] == [1, 2, 3]
    assert delete(api, 3) == 204
    assert define(runtime) == 4
    assert [delete(api, number) for number in (1, 2, 4)] == [204] * 3
    gone = api.call("GET", "/v1/taxonomies/news")
    assert (gone.status_code, gone.json()["detail"]) == (404, "the taxonomy 'news' has no version")
    assert define(runtime) == 5


def test_what_is_withdrawn_is_not_seen_and_can_come_back(runtime: Runtime, desk: Desk, api: Api) -> None:
    define(runtime)
    old = desk.texts("a goal")[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    refused = api.call("POST", "/v1/taxonomies/news/withdraw")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_live")
    assert api.call("POST", "/v1/taxonomies/nothing/withdraw").status_code == 404
    assert apply(runtime, 1).state == "done"
    assert labels(api, old) == [(1, "sport"), (1, "sport/football")]
    assert delete(api, 1) == 409
    assert api.ok("POST", "/v1/taxonomies/news/withdraw")["state"] == "old"
    assert labels(api, old) == []
    assert labels(api, old, "all") == [(1, "sport"), (1, "sport/football")]
    assert api.call("POST", "/v1/search", SEARCH).status_code == 422
    new = desk.post({"external_id": "new", "text": "a goal"})[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert labels(api, new, "all") == []
    assert apply(runtime, 1).state == "done"
    assert len(api.ok("POST", "/v1/search", SEARCH)["hits"]) == 2
    assert api.ok("POST", "/v1/taxonomies/news/withdraw")["version"] == 1
    assert delete(api, 1) == 204
    with runtime.database.session() as session:
        actions = [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.number)]
    assert actions.count("taxonomy.withdraw") == 2
    assert actions[-1] == "taxonomy.delete"


@pytest.mark.parametrize("work", ["apply", "calibrate"])
def test_a_version_that_a_run_has_to_do_with_is_not_deleted(runtime: Runtime, api: Api, work: str) -> None:
    define(runtime)
    path = "versions/1/apply" if work == "apply" else "calibrate"
    run = api.ok("POST", f"/v1/taxonomies/news/{path}", {})
    refused = api.call("DELETE", "/v1/taxonomies/news/versions/1")
    assert (refused.status_code, refused.json()["code"]) == (409, "version_in_use")
    assert f"the run tags.{work} of version 1" in refused.json()["detail"]
    api.ok("POST", f"/v1/runs/{run['id']}/cancel")
    assert delete(api, 1) == 204


def test_who_applies_a_version_while_it_is_deleted_waits_and_finds_it_gone(runtime: Runtime, desk: Desk) -> None:
    """It would go live without the labels that were removed meanwhile."""
    define(runtime)
    post = desk.texts("a goal")[0]
    desk.run(Stage.INDEX, Stage.ENRICH)
    assert apply(runtime, 1).state == "done"
    define(runtime)
    assert apply(runtime, 2).state == "done"
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, "news", 1).id
    begun: list[Any] = []

    def begin() -> None:
        try:
            with runtime.database.session() as session:
                begun.append(going_live.begin_applying(session, version).state)
        except Exception as error:
            begun.append(str(error))

    applying = threading.Thread(target=begin)

    def forget(version_id: int) -> None:
        forget_tags(runtime, version_id)
        applying.start()
        time.sleep(0.3)
        assert begun == []

    with runtime.database.session() as session:
        ending.delete_version(session, "news", 1, forget=forget, actor="ada", now=runtime.clock())
    applying.join()
    assert begun == ["the version was deleted"]
    with runtime.database.session() as session:
        assert {said.version for said in reading_tags.tags_of(session, post, versions="all")} == {2}


def test_a_name_that_the_api_would_not_take_is_not_taken_from_a_command(runtime: Runtime) -> None:
    with pytest.raises(Invalid, match="name: must have 1 to 64 small letters"), runtime.database.session() as session:
        taxonomies.put(
            session, "a/b", TaxonomyIn.model_validate(NEWS), origin="yaml", actor="operator", now=runtime.clock()
        )
    with runtime.database.session() as session:
        assert session.query(Taxonomy).count() == 0
