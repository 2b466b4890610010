from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.recent import RecentVectors
from postscope.indexing.text_parts import CHUNK, MAX_CHUNKS, TextWeights, chunks, join, text_parts
from postscope.indexing.types import Vector

EVEN = TextWeights()


def unit(*values: float) -> Vector:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def test_an_own_text_alone_is_its_vector_unchanged() -> None:
    vector = unit(0.3, 0.4, 0.5)
    assert join(text_parts("hello", "", "", EVEN), {"hello": vector}) is vector


def test_no_text_has_no_vector() -> None:
    assert join(text_parts(" ", "\n", "", EVEN), {}) is None


def test_parts_are_averaged_by_their_weights() -> None:
    vectors = {"own": unit(1, 0), "said": unit(0, 1)}
    joined = join(text_parts("own", "said", "", TextWeights(spoken=0.5)), vectors)
    assert joined == pytest.approx(unit(1, 0.5))


def test_a_part_of_no_weight_counts_nothing() -> None:
    assert text_parts("", "said", "", TextWeights(spoken=0.0)) == []


def test_opposite_parts_leave_the_first() -> None:
    vectors = {"own": unit(1, 0), "said": unit(-1, 0)}
    assert join(text_parts("own", "said", "", EVEN), vectors) is vectors["own"]


def test_a_long_transcript_is_looked_at_from_beginning_to_end() -> None:
    lines = [f"sentence number {n} of a long talk" for n in range(2_000)]
    found = chunks("\n".join(lines))
    assert len(found) == MAX_CHUNKS
    assert found[0].startswith(lines[0])
    assert found[-1].endswith(lines[-1])


@given(st.text(max_size=4 * CHUNK))
def test_chunks_hold_every_word_in_order(text: str) -> None:
    found = chunks(text)
    assert all(0 < len(chunk) <= CHUNK for chunk in found)
    if len(found) < MAX_CHUNKS:
        whole = "".join(" ".join(found).split())
        assert "".join("".join(chunks(line)) for line in text.split("\n")).replace(" ", "") == whole


def test_a_long_transcript_takes_nothing_from_the_words_of_a_short_post() -> None:
    keywords = KeywordEncoder()
    alone = keywords.document("harbour gulls")
    joined = keywords.document_of(("harbour gulls", "and so on " * 500, ""))
    weights = dict(zip(joined.indices, joined.values, strict=True))
    assert all(weights[index] == value for index, value in zip(alone.indices, alone.values, strict=True))
    assert list(joined.indices) == sorted(set(joined.indices))


def test_what_is_in_no_text_is_in_no_document() -> None:
    keywords = KeywordEncoder()
    assert not keywords.document_of(())
    assert not keywords.document_of(("", ""))


def test_what_comes_again_is_not_made_again() -> None:
    made: list[str] = []

    def make(keys: object) -> list[Vector]:
        made.extend(keys)  # type: ignore[arg-type]
        return [unit(len(key), 1) for key in keys]  # type: ignore[attr-defined]

    recent = RecentVectors(2)
    recent.all_of(["a", "bb", "a"], make, slice_of=1)
    recent.all_of(["bb", "a"], make, slice_of=8)
    assert made == ["a", "bb"]
    recent.all_of(["ccc"], make, slice_of=8)
    recent.all_of(["bb"], make, slice_of=8)
    assert made == ["a", "bb", "ccc", "bb"], "the one that was not used for longest made room"
