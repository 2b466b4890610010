"""A page as PDF, printed by a browser that is here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from postscope.backend.errors import NotReady

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
SECONDS: Final = 60.0
"""A browser that takes longer than this has got stuck."""


class NoBrowser(NotReady):
    """There is no browser that could print, or it failed."""

    code = "no_browser"


def print_pdf(page: str, *, seconds: float = SECONDS) -> bytes:
    """Print a page that fetches nothing.

    The browser runs without a window, with a profile that is thrown away, without scripts (the page's policy) and
    with every host name made unknown, so that whatever is on the page reaches nobody.

    Raises:
        NoBrowser: none of ``BROWSERS`` is on the ``PATH``; it failed; or it took longer than ``seconds``.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoBrowser(f"a PDF needs a browser: install one of {', '.join(BROWSERS)}, or take the HTML")
    with tempfile.TemporaryDirectory(prefix="postscope-print-", ignore_cleanup_errors=True) as folder:
        html, pdf = Path(folder, "page.html"), Path(folder, "page.pdf")
        html.write_text(page, encoding="utf-8")
        _run([browser, *_flags(folder), f"--print-to-pdf={pdf}", html.as_uri()], seconds)
        if not pdf.is_file() or not (printed := pdf.read_bytes()).startswith(b"%PDF-"):
            raise NoBrowser(f"{Path(browser).name} has written no PDF")
        return printed


def _flags(folder: str) -> list[str]:
    flags = [
        "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync",
        "--disable-background-networking", "--no-first-run", "--no-default-browser-check", "--no-pdf-header-footer",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile",
    ]  # fmt: skip
    # Chromium's own sandbox refuses to start as root, as which containers often run.
    return [*flags, "--no-sandbox"] if os.geteuid() == 0 else flags


def _run(command: list[str], seconds: float) -> None:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise NoBrowser(f"{Path(command[0]).name} did not print within {seconds:.0f} seconds") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its children too
            process.wait()
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise NoBrowser(f"{Path(command[0]).name} failed ({process.returncode}): {last[0][:300]}")
