"""Files of judgements for heads: what cannot be right is refused with its line, and nothing of the file is kept."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from postscope.backend.errors import Invalid
from postscope.backend.heads.reading import read_judgements

POST = "00000000-0000-7000-8000-000000000001"


def read(folder: Path, name: str, content: str | bytes) -> list[tuple[UUID | None, tuple[str, str] | None, str, float]]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(item.post_id, item.identity, item.label, item.value) for item in read_judgements(file)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", f"post_id,label\n{POST},late, and rude\n", "line 2: has more cells than the header"),
        ("x.csv", f'post_id,label\n{POST},"late\n', "is no CSV: unexpected end of data"),
        ("x.csv", b"post_id,label\n\xe9,a\n", "x.csv: is not UTF-8 .byte 15."),
        ("x.jsonl", b"\xff", "x.jsonl: is not UTF-8 .byte 1."),
        ("x.jsonl", f'{{"post_id": "{POST}", "label": ["a"]}}', r"line 1: label \['a'\] is no text"),
        ("x.jsonl", f'{{"post_id": "{POST}", "label": true}}', "line 1: label True is no text"),
        ("x.jsonl", '{"source": null, "external_id": null, "label": "a"}', "line 1: must have post_id, or source and"),
        ("x.jsonl", '"a"', "line 1: is no JSON object"),
        ("x.jsonl", '{"post_id"', "line 1: is no JSON: "),
        ("x.jsonl", f'\n{{"post_id": "{POST}", "labels": []}}', "line 2: unknown field 'labels'"),
        ("x.csv", "post_id,label\n", "there is no judgement in it"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(tmp_path: Path, name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read(tmp_path, name, content)


def test_a_file_as_a_spreadsheet_writes_it_is_read(tmp_path: Path) -> None:
    rows = f'\ufeffpost_id,source,external_id,label,value\r\n{POST},,,"late, and rude",\r\n,web,7,kind,0\r\n'
    assert read(tmp_path, "x.CSV", rows) == [
        (UUID(POST), None, "late, and rude", 1.0),
        (None, ("web", "7"), "kind", 0.0),
    ]
    lines = (
        f'{{"post_id": "{POST}", "label": null, "value": 2.5}}\n\n{{"source": "web", "external_id": 7, "label": "a"}}'
    )
    assert read(tmp_path, "x.jsonl", lines) == [(UUID(POST), None, "", 2.5), (None, ("web", "7"), "a", 1.0)]
