"""``postscope evaluate trends``: what it refuses, before anything is encoded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postscope.cli.evaluating import app

ROW = json.dumps({"text": "a", "label": 1}).encode()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", b'{"text": "a"}\n', "line 1 has no text and label"),
        ("a.jsonl", ROW + b"\n[]\n", "line 2 has no text and label"),
        ("a.jsonl", b"", "has no posts"),
        ("a.jsonl", b"\xff\xfe\x8b", "cannot be read"),
        ("a.jsonl.gz", ROW, "cannot be read"),
        (None, b"", "there is no such file"),
    ],
    ids=["no label", "no object", "empty", "binary", "no gzip", "missing"],
)
def test_a_background_that_cannot_be_used_is_named(
    tmp_path: Path, name: str | None, content: bytes, reason: str
) -> None:
    file = tmp_path / (name or "missing.jsonl")
    if name:
        file.write_bytes(content)
    found = CliRunner().invoke(app, ["trends", "--background", str(file)], env={"COLUMNS": "200"})
    assert found.exit_code == 2
    assert "--background" in found.output
    assert reason in found.output


@pytest.mark.parametrize("wrong", [["--days", "3"], ["--budget", "0"], ["--bursts", "0"], ["--sweep-minutes", "0"]])
def test_numbers_out_of_range_are_named(wrong: list[str]) -> None:
    found = CliRunner().invoke(app, ["trends", *wrong])
    assert found.exit_code == 2
    assert wrong[0] in found.output
