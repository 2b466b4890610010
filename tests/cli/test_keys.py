from __future__ import annotations

from typer.testing import CliRunner

from postscope.cli.main import app


def test_what_is_no_key_id_is_told_before_anything_is_opened() -> None:
    result = CliRunner().invoke(app, ["keys", "revoke", "ps_nonsense"])
    assert result.exit_code == 2
    assert "valid UUID" in result.output
