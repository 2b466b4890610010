"""The demo: the sample is imported, indexed and searched over HTTP, exactly as a user would do it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select

from postscope.backend import auth
from postscope.backend.errors import PostscopeError
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.backend.tables import Media, Post, Work
from postscope.cli import process, serving
from postscope.cli.importing import import_sample
from postscope.sample import read_image_labels, sample_dir

MARKER = ".postscope-demo"
INDEXING_LIMIT_SECONDS = 900

out = Console(highlight=False, soft_wrap=True)

Hit = dict[str, Any]


class DemoFailed(PostscopeError):
    """Something that the demo shows did not happen."""


@dataclass(frozen=True, slots=True)
class Example:
    """A search and what its best hits must be like."""

    title: str
    request: dict[str, Any]
    expected: str
    holds: Callable[[list[Hit]], bool]


def demo(
    once: Annotated[bool, typer.Option("--once", help="leave after the searches; fail unless all is found")] = False,
    data: Annotated[Path, typer.Option(help="data folder, made afresh")] = Path(".demo"),
) -> None:
    """Import the sample into a fresh data folder, search it, then serve it."""
    folder = data.absolute()
    make_fresh(folder)
    settings = load_settings(data_dir=folder, log_level="warning", log_format="console")
    api = settings.api.model_copy(update={"port": serving.free_port("127.0.0.1"), "host": "127.0.0.1"})
    settings = settings.model_copy(update={"api": api})
    out.print(f"[bold]Postscope demo[/] in {folder}")
    with process.opened(settings) as runtime:
        process.prepare_space(runtime)
        with runtime.database.session() as session:
            _, key = auth.create_key(session, "demo", [auth.Role.ADMIN], now=runtime.clock())
        with serving.working(runtime), listening(runtime):
            import_sample(runtime)
            wait_until_indexed(runtime)
            with httpx.Client(
                base_url=serving.address(runtime), headers={"Authorization": f"Bearer {key}"}, timeout=60
            ) as client:
                failed = [example.title for example in examples(client) if not show(client, example)]
            if failed:
                raise DemoFailed(f"not found as expected: {', '.join(failed)}")
            if once:
                out.print("[green]every post is indexed, and each search found what it should[/]")
                return
            invite(runtime, key)
            wait_for_interrupt()


def make_fresh(folder: Path) -> None:
    """Empty the data folder of an earlier demo; a folder that is not one is never touched."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise DemoFailed(f"{folder} is no demo folder; give another with --data")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


@contextmanager
def listening(runtime: Runtime) -> Iterator[None]:
    """Serve on a thread for the length of the block."""
    server = serving.build_server(runtime)
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise DemoFailed("the API did not start")
        time.sleep(0.05)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)


def wait_until_indexed(runtime: Runtime) -> None:
    """Show the indexing until nothing waits; every post and medium must have made it."""
    deadline = time.monotonic() + INDEXING_LIMIT_SECONDS
    with _progress() as progress:
        task = progress.add_task("indexing", total=None)
        while True:
            with runtime.database.session() as session:
                total = session.scalar(select(func.count()).select_from(Post)) or 0
                indexed = session.scalar(select(func.count()).where(Post.indexed_version == Post.version)) or 0
                open_work = session.scalar(select(func.count()).select_from(Work).where(Work.state != "failed")) or 0
                failures = list(session.execute(select(Work.post_id, Work.error).where(Work.state == "failed")))
                failures += list(session.execute(select(Media.post_id, Media.error).where(Media.state == "failed")))
            progress.update(task, total=total, completed=indexed)
            if not open_work:
                break
            if time.monotonic() > deadline:
                raise DemoFailed(f"only {indexed} of {total} posts were indexed in {INDEXING_LIMIT_SECONDS} s")
            time.sleep(0.2)
    if failures or indexed != total or not total:
        reasons = "; ".join(f"{post_id}: {reason}" for post_id, reason in failures[:5])
        raise DemoFailed(f"{indexed} of {total} posts are indexed, {len(failures)} parts failed: {reasons}")


def examples(client: httpx.Client) -> list[Example]:
    """The searches that are shown."""
    cats = {label.file for label in read_image_labels() if label.concept == "cat"}
    picture = sample_dir() / sorted(cats)[0]
    upload = client.post("/v1/media", files={"file": (picture.name, picture.read_bytes())})
    upload.raise_for_status()
    return [
        Example("text to text", {"text": "who won the city marathon"}, "marathon", _best_is("marathon")),
        Example("text to text, across languages", {"text": "erupción del volcán"}, "volcano", _best_is("volcano")),
        Example(
            "text to image", {"text": "a giant panda", "filters": {"media": ["image"]}}, "zoo, by its picture",
            lambda hits: _best_is("zoo")(hits) and any(m["part"] == "media" for m in hits[0]["matched"]),
        ),
        Example(
            "image to image", {"image": {"upload_id": upload.json()["id"]}}, "pets, by its picture",
            lambda hits: _best_is("pets")(hits) and any(m["part"] == "media" for m in hits[0]["matched"]),
        ),
        Example("product code, exactly", {"text": "NVX2-118"}, "phone", _best_is("phone")),
        Example(
            "filtered: Japanese posts only", {"text": "迷子の犬", "filters": {"language": ["ja"]}}, "lostdog, in ja",
            lambda hits: _best_is("lostdog")(hits) and all(hit["post"]["language"] == "ja" for hit in hits),
        ),
        Example(
            "text to a second of a video", {"text": "a polar bear", "filters": {"media": ["video"]}},
            "zoo, 8 to 12 s in",
            lambda hits: _best_is("zoo")(hits) and _found_in(hits, "media", seconds=(8, 12)),
        ),
        Example(
            "a word that is spoken", {"text": "refrigerator"}, "sourdough, by its speech",
            lambda hits: _best_is("sourdough")(hits) and _found_in(hits, "speech", seconds=(0, 12)),
        ),
        Example(
            "a word in a picture", {"text": "spreadsheet"}, "chatter, by the words in its picture",
            lambda hits: _best_is("chatter")(hits) and _found_in(hits, "picture_words"),
        ),
        Example(
            "a question that nothing answers", {"text": "mortgage interest rates for first-time buyers"}, "no hit",
            lambda hits: not hits,
        ),
    ]  # fmt: skip


def show(client: httpx.Client, example: Example) -> bool:
    """Run a search, print its hits, and say whether they are what they should be."""
    answer = client.post("/v1/search", json={"limit": 3, **example.request})
    out.print(f"\n[bold]{example.title}[/]  {example.request.get('text') or 'a picture of a cat'}")
    if answer.status_code != 200:
        out.print(f"  [red]{answer.status_code} {answer.text}[/]", markup=True)
        return False
    hits = answer.json()["hits"]
    for hit in hits:
        post = hit["post"]
        parts = ", ".join(sorted({match["part"] for match in hit["matched"]}))
        words = (post["text"] or "(no words)").replace("\n", " ")
        out.print(f"  {hit['score']:.2f}  {parts:<16} {post['language'] or '-':<3} {words[:80]}", markup=False)
        placed = [match for match in hit["matched"] if match["seconds"] is not None or match["quote"] is not None]
        for line in dict.fromkeys(map(_where, placed)):
            out.print(f"        {line}", markup=False)
    if not hits:
        out.print("  nothing answers this")
    found = example.holds(hits)
    out.print("  [green]as expected[/]" if found else f"  [red]expected: {example.expected}[/]")
    return found


def invite(runtime: Runtime, key: str) -> None:
    """Say where it serves, with which key, and three calls to try."""
    url = serving.address(runtime)
    head = f'-H "Authorization: Bearer {key}" -H "Content-Type: application/json"'
    out.print(f"\n[bold]serving on {url}[/]\nadmin key: {key}\n\ntry:")
    for line in (
        f"""curl -s {url}/v1/search {head} -d '{{"text": "a white bear", "limit": 3}}'""",
        f"""curl -s {url}/v1/search {head} -d '{{"text": "lost dog", "filters": {{"language": ["es", "ja"]}}}}'""",
        f"""curl -s {url}/v1/posts {head} -d '{{"posts": [{{"source": "me", "external_id": "1", """
        f""""created_at": "2026-03-20T12:00:00Z", "text": "The polar bear cub took its first swim"}}]}}'""",
    ):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print("\nstop with Ctrl-C")


def wait_for_interrupt() -> None:
    """Until the person has seen enough."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        out.print("stopping")


def _best_is(storyline: str) -> Callable[[list[Hit]], bool]:
    return lambda hits: bool(hits) and hits[0]["post"]["metadata"].get("storyline") == storyline


def _found_in(hits: list[Hit], part: str, seconds: tuple[float, float] | None = None) -> bool:
    """Whether the best hit matched in this part, and within these seconds."""
    found = [match for match in hits[0]["matched"] if match["part"] == part]
    if seconds is not None:
        found = [
            match for match in found if match["seconds"] is not None and seconds[0] <= match["seconds"] < seconds[1]
        ]
    return bool(found)


def _where(match: Hit) -> str:
    """Where in the post, for a person."""
    at = "" if match["seconds"] is None else f" at second {match['seconds']:g}"
    quote = "" if match["quote"] is None else f": {' / '.join(match['quote'].splitlines())}"
    return f"{match['part']}{at}{quote}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )
