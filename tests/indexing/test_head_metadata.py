"""Metadata as the columns that heads read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.heads.features import Metadata
from postscope.indexing.heads.metadata import MetadataEncoder


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b"]),
            st.one_of(st.none(), st.booleans(), st.floats(allow_nan=True), st.text(max_size=5)),
        ),
        max_size=30,
    )
)
def test_any_metadata_becomes_finite_numbers(rows: list[Metadata]) -> None:
    encoder = MetadataEncoder.fit([row for row in rows if all(v == v for v in row.values())])
    made = MetadataEncoder.from_json(encoder.to_json()).transform(rows)
    assert made.shape == (len(rows), encoder.width)
    assert np.isfinite(made).all()


def test_missing_metadata_is_the_median_and_says_so() -> None:
    encoder = MetadataEncoder.fit([{"n": float(v)} for v in (1, 2, 3, 4, 5)])
    missing, median, other = encoder.transform([{}, {"n": 3.0}, {"n": "three"}])
    assert missing[0] == median[0] == other[0]
    assert [missing[1], median[1], other[1]] == [1, 0, 1]


def test_a_rare_value_gets_no_column_and_an_unseen_one_is_all_zero() -> None:
    encoder = MetadataEncoder.fit([{"s": "x"}] * 5 + [{"s": "y"}] * 2)
    assert encoder.width == 1
    assert encoder.transform([{"s": "x"}, {"s": "y"}, {"s": "z"}]).tolist() == [[1], [0], [0]]
