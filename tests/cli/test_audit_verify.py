"""``postscope audit verify`` as an operator runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from postscope.backend.database import Database
from postscope.cli.main import app
from tests.backend.test_audit import tamper, write
from tests.conftest import SetClock


@pytest.fixture
def _environment(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSCOPE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("POSTSCOPE_DATABASE__URL", database_url)
    monkeypatch.setenv("POSTSCOPE_LOG_LEVEL", "error")


def verify(*options: str) -> Result:
    return CliRunner().invoke(app, ["audit", "verify", *options])


@pytest.mark.usefixtures("_environment")
def test_tampering_ends_it_with_1_and_says_where(database: Database, clock: SetClock) -> None:
    write(database, clock, 4)
    whole = verify()
    assert (whole.exit_code, whole.output.split(";")[0]) == (0, "4 entries, intact")
    head = whole.output.split()[-1]
    assert verify("--head", head).exit_code == 0
    tamper(database, "UPDATE audit_log SET evidence = '{\"to\": 9}' WHERE number = 2")
    changed = verify()
    assert changed.exit_code == 1
    assert changed.output.startswith("BROKEN at entry 2: ")


@pytest.mark.usefixtures("_environment")
def test_an_end_that_was_cut_off_is_found_by_the_head_alone(database: Database, clock: SetClock) -> None:
    write(database, clock, 3)
    head = verify().output.split()[-1]
    tamper(database, "DELETE FROM audit_log WHERE number = 3")
    assert verify().exit_code == 0
    assert verify("--head", head).exit_code == 1
    assert verify("--head", "ab").exit_code == 2
