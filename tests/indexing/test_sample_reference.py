from __future__ import annotations

from postscope.sample.reference import CHATTER, load_reference


def test_the_sample_has_what_a_calibration_needs() -> None:
    reference = load_reference()
    assert len(reference.texts) >= 400
    assert len(set(reference.languages)) >= 6
    assert len(reference.images) >= 60
    assert {image.mode for image in reference.images} == {"RGB"}
    assert all(reference.texts)
    assert CHATTER not in {*reference.text_topics, *reference.image_topics}


def test_every_query_with_a_label_has_an_answer_and_enough_have_none() -> None:
    reference = load_reference()
    topics, subjects = set(reference.text_topics), set(reference.image_subjects)
    assert {label for _, label in reference.queries if label} <= topics
    assert {label for _, label in reference.image_queries if label} <= subjects
    for queries in (reference.queries, reference.image_queries):
        assert sum(label is None for _, label in queries) >= 15
        assert sum(label is not None for _, label in queries) >= 50
