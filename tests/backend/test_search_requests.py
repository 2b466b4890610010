"""What a search request may say, and the words in which it is refused."""

from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from postscope.backend.searching.pages import Cursor
from postscope.backend.searching.requests import SearchRequest


def reasons(**body: object) -> str:
    with pytest.raises(ValidationError) as caught:
        SearchRequest.model_validate(body)
    return str(caught.value)


def test_an_empty_request_says_what_to_give():
    assert "text, image, post_id, queries or cursor" in reasons()


def test_negatives_alone_are_no_search():
    assert "give something to search with" in reasons(negative=[{"text": "x"}])


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001])
def test_texts_that_are_empty_or_too_long_are_refused(text):
    assert "text" in reasons(text=text)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"text": "x", "limit": 0}, "limit"),
        ({"text": "x", "limit": 101}, "limit"),
        ({"text": "x", "min_score": 1.5}, "min_score"),
        ({"text": "x", "min_score": float("nan")}, "min_score"),
        ({"text": "x", "mode": "magic"}, "mode"),
        ({"text": "x", "colour": "red"}, "colour"),
        ({"queries": [{"text": "x", "post_id": str(uuid4())}]}, "exactly one"),
        ({"queries": [{}]}, "exactly one"),
        ({"queries": [{"text": "x", "weight": 0}]}, "weight"),
        ({"queries": [{"text": "x"}] * 11}, "queries"),
        ({"queries": [{"text": "x"}] * 10, "text": "y"}, "at most 10"),
        ({"image": {}}, "either url or upload_id"),
        ({"image": {"url": "file:///etc/passwd"}}, "image.url"),
        ({"post_id": str(uuid4()), "mode": "keyword"}, "compares words"),
        ({"text": "x", "negative": [{"post_id": str(uuid4())}], "mode": "keyword"}, "compares words"),
    ],
)
def test_what_is_wrong_is_named(body, named):
    assert named in reasons(**body)


def test_several_things_at_once_keep_their_fields():
    request = SearchRequest.model_validate({"text": "a", "queries": [{"text": "b", "weight": 2}]})
    assert [(field, part.text, part.weight) for field, part in request.positives()] == [
        ("text", "a", 1.0),
        ("queries.0", "b", 2.0),
    ]


def test_pages_of_one_search_may_differ_in_size_alone():
    first = SearchRequest(text="a", limit=5)
    assert first.same_search(SearchRequest(text="a", limit=9, cursor="c"))
    assert not first.same_search(SearchRequest(text="b", limit=5))


def test_a_cursor_survives_its_token():
    cursor = Cursor(UUID(int=7), 1_000)
    assert Cursor.parse(cursor.token()) == cursor


@pytest.mark.parametrize("token", ["x", "äöü", "====", "A" * 200, "!!!!", "AAAA\n"])
def test_a_token_of_ones_own_is_refused(token):
    with pytest.raises(Exception, match="is no cursor of this service"):
        Cursor.parse(token)
