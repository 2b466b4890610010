from __future__ import annotations

import csv
import gzip
import io
import math
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.backend.errors import Invalid
from postscope.backend.importing.formats import open_source
from postscope.backend.importing.lines import TextFile
from postscope.backend.importing.rows import MAX_ROW_BYTES, Row
from postscope.backend.importing.tables import to_post

POST = {"source": "chirper", "external_id": "1", "created_at": "2026-03-02T09:30:00Z"}
HEADER = "source,external_id,created_at,text\n"


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, position: int = 0) -> list[Row]:
    with closing(open_source(path)) as source:
        return list(source.rows(position))


def posts(path: Path) -> list[Any]:
    return [row.post for row in read(path)]


def reasons(path: Path) -> list[tuple[int, str, str]]:
    return [(row.line, p.field, p.reason) for row in read(path) for p in row.problems]


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


# --- which format --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", b"", "jsonl"),
        ("a.NDJSON", b"x", "jsonl"),
        ("a.json", b'\n {"a": 1}', "jsonl"),
        ("export", b'\xef\xbb\xbf{"a": 1}', "jsonl"),
        ("a.csv", b"{a", "csv"),
        ("a.txt", b"a,b", "csv"),
        ("a.jsonl.gz", gzip.compress(b"{}"), "jsonl.gz"),
        ("no-ending", gzip.compress(b"{}"), "jsonl.gz"),
        ("a.csv.gz", gzip.compress(b"a,b"), "csv.gz"),
        ("a.jsonl.gz", b"{}", "jsonl"),
    ],
)
def test_the_format_is_known_by_content_and_ending(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    with closing(open_source(write(tmp_path / name, content))) as source:
        assert source.format == expected
        assert source.size == len(content)


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: ["x"] for name in POST}), tmp_path / "a.csv")
    with closing(open_source(tmp_path / "a.csv")) as source:
        assert source.format == "parquet"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b'[{"a": 1}]', "one JSON array"),
        ("a.parquet", b"PAR1 and then nothing", "not readable as Parquet"),
        ("a.gz", b"\x1f\x8bbroken", "cannot be read"),
        ("a.gz", gzip.compress(b"PAR1...."), "unpack it first"),
    ],
)
def test_a_file_that_is_none_of_them_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        open_source(write(tmp_path / name, content))


def test_no_file_and_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no file"):
        open_source(tmp_path / "missing.jsonl")
    with pytest.raises(Invalid, match="is no file"):
        open_source(tmp_path)


# --- JSONL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_jsonl_goes_on_from_the_end_of_any_row(tmp_path: Path, packed: bool) -> None:
    content = b"\xef\xbb\xbf" + jsonl({"n": 1}) + b"\r\n\n" + jsonl({"n": "\u2028"}, {"n": 3}) + b'{"n": 4}'
    path = write(tmp_path / "a.jsonl", gzip.compress(content) if packed else content)
    rows = read(path)
    assert [row.post for row in rows] == [{"n": 1}, {"n": "\u2028"}, {"n": 3}, {"n": 4}]
    assert [row.line for row in rows] == [1, 4, 5, 6]
    for index, row in enumerate(rows):
        assert read(path, row.end) == rows[index + 1 :]


def test_a_bad_line_is_a_rejected_row_and_not_the_end(tmp_path: Path) -> None:
    bad = [b"not json", b'{"a": ', b"[1]", b"null", b'"text"', b"\xff\xfe{}", b'{"a": NaN}', b"[" * 100_000]
    rows = read(write(tmp_path / "a.jsonl", b"\n".join([*bad, b'{"fine": 1}'])))
    assert [bool(row.problems) for row in rows] == [True] * len(bad) + [False]
    assert [row.line for row in rows] == list(range(1, len(bad) + 2))
    said = [row.problems[0].reason for row in rows[:-1]]
    assert said[0].startswith("is not JSON")
    assert said[2:5] == ["must be a JSON object"] * 3
    assert said[5] == "is not UTF-8 (byte 1)"
    assert rows[0].original == "not json"
    assert rows[5].original == "\\xff\\xfe{}"
    assert len(rows[7].original) <= 10_000


def test_a_line_that_is_too_long_is_not_held_in_memory(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * (3 * MAX_ROW_BYTES) + b'"}\n'
    path = write(tmp_path / "a.jsonl", jsonl({"n": 1}) + long + jsonl({"n": 3}))
    first, second, third = read(path)
    assert (first.line, second.line, third.line) == (1, 2, 3)
    assert second.problems[0].reason == f"is longer than {MAX_ROW_BYTES} bytes"
    assert len(second.original) == 10_000
    assert third.post == {"n": 3}
    assert read(path, second.end) == [third]


def test_a_line_of_just_the_longest_length_is_taken(tmp_path: Path) -> None:
    line = b'{"text": "' + b"x" * (MAX_ROW_BYTES - 13) + b'"}\n'
    assert len(line) == MAX_ROW_BYTES
    assert [bool(row.post) for row in read(write(tmp_path / "a.jsonl", line + b"{}"))] == [True, False]


def test_a_gzip_file_that_breaks_off_gives_its_rows_first(tmp_path: Path) -> None:
    content = b"".join(orjson.dumps({"n": n, "noise": str(hash(str(n)))}) + b"\n" for n in range(20_000))
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(content)[:-2_000])
    rows: list[Row] = []
    with closing(open_source(path)) as source, pytest.raises(Invalid, match="cannot be read after line"):
        for row in source.rows(0):
            rows.append(row)
    assert len(rows) > 10_000
    assert rows[-1].post is not None


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a"])
def test_a_small_gzip_file_that_breaks_off_gives_its_rows_too(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, gzip.compress(jsonl({"n": 1}, {"n": 2}))[:-6])
    found = []
    with closing(open_source(path)) as source, pytest.raises(Invalid, match="cannot be read after line 2"):
        for row in source.rows(0):
            found.append(row.post)
    assert found == [{"n": 1}, {"n": 2}]


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_lines_lose_no_byte(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    content = b"\n".join(parts)
    path = write(tmp_path_factory.mktemp("lines") / "a", content)
    with closing(TextFile(path, packed=False)) as file:
        lines = list(file.lines(0))
        assert b"".join(line.data for line in lines) == content.removeprefix(b"\xef\xbb\xbf")
        assert sum(line.length for line in lines) == len(content)
        for index, line in enumerate(lines):
            assert list(file.lines(line.end)) == lines[index + 1 :]


# --- CSV -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_with_dotted_columns(tmp_path: Path, separator: str) -> None:
    columns = [*POST, "text", "metrics.likes", "metadata.region", "metadata.geo.city", "tags", "media", "language"]
    cells = [
        *POST.values(),
        'say "hi",\nthere; \tyou',
        "12",
        "north",
        "Oslo",
        "sea, big wind",
        "https://a.example/1 b.png",
        "",
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([columns, cells, [], cells])
    path = write(tmp_path / "a.csv", "\ufeff" + out.getvalue())
    expected = {
        **POST,
        "text": 'say "hi",\nthere; \tyou',
        "metrics": {"likes": "12"},
        "metadata": {"region": "north", "geo": {"city": "Oslo"}},
        "tags": ["sea", "big wind"],
        "media": [{"url": "https://a.example/1"}, {"file": "b.png"}],
    }
    rows = read(path)
    assert [row.post for row in rows] == [expected, expected]
    assert [row.line for row in rows] == [2, 5]
    assert read(path, rows[0].end) == rows[1:]
    assert read(path, rows[1].end) == []


def test_csv_cells_that_hold_json() -> None:
    post, problems = to_post(
        {
            "metrics": '{"likes": 1}',
            "metadata": "{broken",
            "tags": '["a,b"]',
            "media": '[{"url": "https://a.example"}]',
            "text": "[1]",
        }
    )
    assert post == {
        "metrics": {"likes": 1},
        "metadata": "{broken",
        "tags": ["a,b"],
        "media": [{"url": "https://a.example"}],
        "text": "[1]",
    }
    assert not problems


@pytest.mark.parametrize(
    "cells",
    [{"metrics": '{"likes": 1}', "metrics.likes": "2"}, {"text": "x", "text.y": "2"}, {"a.b": "1", "a": "2"}],
)
def test_two_columns_for_one_field_are_a_problem(cells: dict[str, str]) -> None:
    _, problems = to_post(cells)
    assert [problem.field for problem in problems] == [list(cells)[1]]


def test_bad_csv_rows_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    body = b'a,1,t,fine\na,2,t\na,3,t,x,y\na,4,t,"quoted"oops\na,5,t,\xff\na,6,t,fine\na,7,t,"never\nclosed\n'
    path = write(tmp_path / "a.csv", HEADER.encode() + body)
    assert [row.post["external_id"] for row in read(path) if row.post] == ["1", "6"]
    said = reasons(path)
    assert [line for line, _, _ in said] == [3, 4, 5, 6, 8]
    assert said[0][2] == "has 3 cells, the header has 4"
    assert said[1][2] == "has 5 cells, the header has 4"
    assert said[3][2] == "is not UTF-8 (byte 7)"
    assert said[4][2].endswith("(lines 8 to 9)")


def test_a_quote_that_never_closes_ends_at_the_limit(tmp_path: Path) -> None:
    lines = b"x" * 1023 + b"\n"
    body = b'a,1,t,"' + lines * (MAX_ROW_BYTES // 1024 + 5) + b"a,2,t,fine\n"
    rows = read(write(tmp_path / "a.csv", HEADER.encode() + body))
    assert rows[0].problems[0].reason.startswith(f"is longer than {MAX_ROW_BYTES} bytes (lines 2 to ")
    assert len(rows[0].original) <= 10_000
    assert rows[-1].post is not None
    assert rows[-1].post["external_id"] == "2"


def test_a_long_cell_is_taken(tmp_path: Path) -> None:
    text = "x" * 1_000_000
    assert posts(write(tmp_path / "a.csv", f"{HEADER}a,1,t,{text}\n"))[0]["text"] == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"source,text\na,b\n", "has no column external_id, created_at"),
        (b"source,external_id,created_at,text,text\n", "two columns are named 'text'"),
        (b"source,external_id,created_at,\n", "column 4 has no name"),
        (b"\xff\xfes\x00o\x00", "header is not UTF-8"),
        (b'"source', "the header"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read(write(tmp_path / "a.csv", content))


cell = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8))
def test_what_the_csv_module_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[*POST, "text", "author"], *([*POST.values(), *pair] for pair in cells)])
    path = write(tmp_path_factory.mktemp("csv") / "a.csv", out.getvalue())
    rows = read(path)
    assert [(row.original["text"], row.original["author"]) for row in rows] == cells
    for index, row in enumerate(rows):
        assert read(path, row.end) == rows[index + 1 :]


# --- Parquet -------------------------------------------------------------------------------------------------------


def test_parquet_nested_and_dotted(tmp_path: Path) -> None:
    when = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    table = pa.table(
        {
            "source": ["chirper"] * 2,
            "external_id": ["1", "2"],
            "created_at": pa.array([when, when], pa.timestamp("ns", "UTC")),
            "text": pa.array(["hi", None]),
            "metrics": pa.array([{"likes": 1, "views": None}, None]),
            "metadata.score": pa.array([Decimal("1.50"), Decimal("2.00")]),
            "metadata.nan": [math.nan, 0.5],
            "tags": [["a", "b"], []],
            "media": [[{"url": "https://a.example/1"}], []],
            "metadata.pairs": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = posts(tmp_path / "a.parquet")
    assert first == {
        "source": "chirper",
        "external_id": "1",
        "created_at": "2026-03-02T09:30:00+00:00",
        "text": "hi",
        "metrics": {"likes": 1},
        "metadata": {"score": 1.5, "pairs": {"k": 1}},
        "tags": ["a", "b"],
        "media": [{"url": "https://a.example/1"}],
    }
    assert second["metadata"] == {"score": 2, "nan": 0.5}
    assert "text" not in second


def test_parquet_ids_that_are_whole_numbers_are_names(tmp_path: Path) -> None:
    rows = {"source": [7], "external_id": [2**63], "author": [12], "created_at": ["2026-03-02T09:30:00Z"], "text": [5]}
    pq.write_table(pa.table({**rows, "external_id": pa.array([2**63], pa.uint64())}), tmp_path / "a.parquet")
    (post,) = posts(tmp_path / "a.parquet")
    assert (post["source"], post["external_id"], post["author"]) == ("7", str(2**63), "12")
    assert post["text"] == 5  # no name: that it is a number is for the check of the post to say


def test_parquet_goes_on_from_any_row_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({**{name: ["x"] * 25 for name in POST}, "n": range(25)})
    pq.write_table(table, path, row_group_size=10)
    rows = read(path)
    assert [row.line for row in rows] == list(range(1, 26))
    for position in (0, 1, 9, 10, 11, 19, 20, 24, 25):
        assert read(path, position) == rows[position:]


def test_parquet_bytes_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({**{name: ["x"] * 2 for name in POST}, "text": [b"fine", b"\xff"]}), path)
    assert posts(path)[0]["text"] == "fine"
    assert reasons(path) == [(2, "text", "is binary, not text")]


def test_parquet_without_rows_and_without_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in POST}), path)
    assert read(path) == []
    pq.write_table(pa.table({"text": ["x"]}), path)
    with pytest.raises(Invalid, match="has no column source, external_id, created_at"):
        open_source(path)


def test_parquet_that_is_damaged_inside_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({name: [f"{name}{n}" for n in range(5_000)] for name in POST}), path, row_group_size=1_000)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = b"\x00" * (len(data) // 2 - len(data) // 3)
    path.write_bytes(bytes(data))
    with pytest.raises(Invalid, match="cannot be read"):
        read(path)
