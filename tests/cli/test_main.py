"""What a person sees of a command that cannot do its work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from postscope.cli.main import main
from postscope.indexing.stores.edge import EdgeStore
from tests.servers import free_port


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What a command that fails says last; nothing of it is a trace."""
    monkeypatch.setattr("sys.argv", ["postscope", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    output = capsys.readouterr().err
    assert "Traceback" not in output
    return output.splitlines()[-1]


@pytest.mark.parametrize("command", [("status",), ("keys", "list"), ("space", "status"), ("migrate",)])
def test_a_database_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    given = {
        "MODE": "distributed",
        "DATA_DIR": str(tmp_path),
        "DATABASE__URL": f"postgresql://postscope:hidden-password@127.0.0.1:{free_port()}/postscope",
        "STORE__URL": "http://127.0.0.1:1",
        "QUEUE__URL": "redis://127.0.0.1:1/0",
        "AUTHOR_KEY": "k" * 32,
    }
    for name, value in given.items():
        monkeypatch.setenv(f"POSTSCOPE_{name}", value)
    line = said(capsys, monkeypatch, *command)
    assert line.startswith("postscope: the database")
    assert "hidden-password" not in line


@pytest.mark.slow
def test_a_data_folder_that_is_served_already_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTSCOPE_DATA_DIR", str(tmp_path))
    store = EdgeStore(tmp_path / "vectors")
    try:
        line = said(capsys, monkeypatch, "serve")
    finally:
        store.close()
    assert line.startswith("postscope: the vector store: ")
    assert "is open" in line
