"""Taxonomies and judgements from files: what is read, and the errors of what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.backend.errors import Invalid
from postscope.backend.tagging.definitions import MAX_LABELS, TaxonomyIn, default_prompts, flatten
from postscope.backend.tagging.judged_files import read_judgements
from postscope.backend.tagging.reading import read_taxonomy

YAML = """\
description: What the desk writes about
background: [an advertisement]
labels:
  - name: sport
    labels:
      - name: football
        prompts: [a football match, ein Fußballspiel]
        threshold: 0.7
  - name: no
    positive: [{text: nothing at all}]
"""


def paths(definition: TaxonomyIn) -> list[str]:
    return [label.path for label in flatten(definition)]


def reason_of(data: str, name: str) -> str:
    with pytest.raises(Invalid) as caught:
        read_taxonomy(data.encode(), name)
    return caught.value.detail


def test_yaml() -> None:
    definition, origin = read_taxonomy(YAML.encode(), "news.yml")
    assert (origin, paths(definition)) == ("yaml", ["sport", "sport/football", "no"])
    football = definition.labels[0].labels[0]
    assert (football.prompts, football.threshold) == (["a football match", "ein Fußballspiel"], 0.7)
    assert definition.background == ["an advertisement"]


def test_json_says_the_same() -> None:
    content = json.dumps({"exclusive": True, "labels": [{"name": "a"}, {"name": "b"}]})
    definition, origin = read_taxonomy(content.encode(), "x.json")
    assert (origin, definition.exclusive, paths(definition)) == ("json", True, ["a", "b"])


def test_csv_makes_parents_that_have_no_row() -> None:
    rows = 'label,prompts,threshold,negative\nsport/football,a match|a goal,0.6,"chess, on a board"\nsport/tennis,,,\n'
    definition, origin = read_taxonomy(rows.encode(), "news.csv", exclusive=True)
    assert (origin, definition.exclusive) == ("csv", True)
    assert paths(definition) == ["sport", "sport/football", "sport/tennis"]
    football = definition.labels[0].labels[0]
    assert (football.prompts, football.threshold) == (["a match", "a goal"], 0.6)
    assert football.negative[0].text == "chess, on a board"


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        ("labels:\n  - name: a\n  - name: A\n", "x.yaml", r"labels.1.name: is the name of labels.0 too (line 3)"),
        ("labels:\n  - name: a\n    prompts: ['  ']\n", "x.yaml", "labels.0.prompts.0: is empty (line 3)"),
        ("labels:\n  - name: a\n    threshold: high\n", "x.yaml", "labels.0.threshold: Input should be a valid number"),
        ("labels:\n  - name: a\n    threshold: 1.5\n", "x.yaml", "(line 3)"),
        ("labels:\n  - name: a\n    nmae: b\n", "x.yaml", "labels.0.nmae: Extra inputs are not permitted (line 3)"),
        ("labels:\n  - name: a/b\n", "x.yaml", "must not contain a slash"),
        ("labels:\n  - name: a\nlabels: []\n", "x.yaml", "labels: is given twice (line 3)"),
        ("labels: [\n", "x.yaml", "is not YAML"),
        ("- a\n", "x.yaml", "must be a mapping"),
        ("labels: []\n", "x.yaml", "labels: List should have at least 1 item"),
        ("", "x.yaml", "must be a mapping"),
        ("labels:\n  - name: a\nopen: false\n", "x.yaml", "open: false needs exclusive: true (line 3)"),
        ("a: &a [*a]\n", "x.yaml", "is nested too deeply"),
        ("[" * 5_000, "x.yaml", "file:"),
        ("label\na\nb\nA\n", "x.csv", "'A' is in line 2 and in line 4"),
        ("label,colour\na,red\n", "x.csv", "has a column 'colour' too many"),
        ("name\na\n", "x.csv", "has no column label"),
        ("label,threshold\na\n", "x.csv", "line 2 has 1 cells, the header has 2"),
        ("label,threshold\na,2\n", "x.csv", "labels.0.threshold: Input should be less than or equal to 1 (line 2)"),
        ("label,prompts\na,x||y\n", "x.csv", "labels.0.prompts.1: is empty (line 2)"),
        ("label\n", "x.csv", "has no labels"),
        ("label\na\n", "x.txt", "must end in .yaml"),
    ],
)
def test_what_cannot_be(data: str, name: str, reason: str) -> None:
    assert reason in reason_of(data, name)


def test_anchors_that_multiply_are_refused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "its anchors make it too large" in reason_of("\n".join(levels), "bomb.yaml")


def test_five_thousand_labels_and_one_more() -> None:
    definition = TaxonomyIn.model_validate({"labels": [{"name": f"label {n}"} for n in range(MAX_LABELS)]})
    assert len(flatten(definition)) == MAX_LABELS
    more = TaxonomyIn.model_validate({"labels": [{"name": f"label {n}"} for n in range(MAX_LABELS + 1)]})
    with pytest.raises(Invalid, match="has 5001 labels, at most 5000"):
        flatten(more)


def test_labels_in_twelve_languages_keep_their_names() -> None:
    names = [
        "sport",
        "Fußball",
        "météo",
        "política",
        "спорт",
        "رياضة",
        "खेल",
        "体育",
        "スポーツ",
        "스포츠",
        "กีฬา",
        "αθλητισμός",
    ]
    definition, _ = read_taxonomy(("label\n" + "\n".join(names) + "\n").encode(), "x.csv")
    assert paths(definition) == names
    assert next(default_prompts("спорт/футбол", "")) == "футбол"


@given(st.text(max_size=200), st.sampled_from(["x.yaml", "x.csv", "x.json"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    try:
        definition, _ = read_taxonomy(text.encode("utf-8", "replace"), name)
    except Invalid as error:
        told = bool(error.problems)
    else:
        told = bool(paths(definition))
    assert told


@given(st.text(max_size=200), st.sampled_from(["x.jsonl", "x.csv"]))
def test_any_text_is_judgements_or_refused(text: str, name: str) -> None:
    try:
        told = bool(read_judgements(text.encode("utf-8", "replace"), name))
    except Invalid as error:
        told = bool(error.problems)
    assert told


def test_judgements_of_both_kinds() -> None:
    first = {"source": "s", "external_id": "1", "labels": ["a", "b"]}
    second = {"source": "s", "external_id": "2", "label": "a", "value": False}
    lines = f"{json.dumps(first)}\n\n{json.dumps(second)}"
    whole, one = read_judgements(lines.encode(), "x.jsonl")
    assert (whole.known_as, whole.labels, whole.label) == (("s", "1"), ("a", "b"), None)
    assert (one.field, one.label, one.value) == ("line 3", "a", False)
    rows = "source,external_id,labels\ns,1,a|b\ns,2,\n"
    assert [judgement.labels for judgement in read_judgements(rows.encode(), "x.csv")] == [("a", "b"), ()]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"labels": []}', "line 1: give post_id, or source and external_id"),
        ('{"post_id": "x", "labels": []}', "line 1: post_id is no id of a post"),
        ('{"source": "s", "external_id": "1"}', "line 1: give either labels or label"),
        ('{"source": "s", "external_id": "1", "labels": "a"}', "line 1: labels must be a list"),
        ('{"source": "s", "external_id": "1", "label": "a", "value": "maybe"}', "line 1: value must be true or false"),
        ('{"source": "s", "external_id": "1", "lables": []}', "line 1: has an unknown field 'lables'"),
        ("nonsense", "line 1: is not JSON"),
        ("[]", "line 1: is not an object"),
        ("", "file: has no rows"),
    ],
)
def test_judgements_that_cannot_be(line: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason.replace("(", r"\(")):
        read_judgements(line.encode(), "x.jsonl")
