"""What a search does while the model is at work, and what comes of it when that fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.indexing.encoders.base import EncoderError
from postscope.indexing.stores.base import SparseQuery
from postscope.indexing.types import Vectors
from tests.backend.test_search_service import KEY
from tests.workers.conftest import Desk, OpenRuntime, desk, encoder, open_runtime, runtime
from tests.workers.small_encoder import SmallEncoder, vectors

__all__ = ["OpenRuntime", "desk", "encoder", "open_runtime", "runtime"]


def test_words_are_looked_for_once_and_while_the_model_is_at_work(
    desk: Desk, encoder: SmallEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.texts("the ferry is late", "rain at last")
    desk.run()
    store, asked, words_found = desk.runtime.store, [], threading.Event()

    def query_many(collection: str, queries: Sequence[Any], **options: Any) -> Any:
        answers = type(store).query_many(store, collection, queries, **options)
        asked.append([type(query) for query in queries])
        words_found.set()
        return answers

    def encode_queries(texts: Sequence[str]) -> Vectors:
        assert words_found.wait(10), "nothing was asked while the model was at work"
        return vectors([text.encode() for text in texts])

    monkeypatch.setattr(store, "query_many", query_many)
    monkeypatch.setattr(encoder, "encode_queries", encode_queries)
    answer = search(desk.runtime, SearchRequest(text="ferry"), key_id=KEY)
    assert [hit.post.text for hit in answer.hits] == ["the ferry is late"]
    with_words = [kinds for kinds in asked if SparseQuery in kinds]
    assert (len(with_words), asked[0]) == (1, with_words[0])


def test_a_model_that_fails_beside_is_told_as_ever(
    desk: Desk, encoder: SmallEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode_queries(texts: Sequence[str]) -> Vectors:
        raise EncoderError("the model is gone")

    desk.texts("the ferry is late")
    desk.run()
    monkeypatch.setattr(encoder, "encode_queries", encode_queries)
    with pytest.raises(EncoderError, match="is gone"):
        search(desk.runtime, SearchRequest(text="ferry"), key_id=KEY)
