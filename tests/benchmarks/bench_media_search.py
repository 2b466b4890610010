"""Search by a spoken word, by a word in a picture, and by what is seen in second N of a video: hit rates on 120 posts
made for it among the texts of the sample, embedded mode, the bundled models: ``python -m
tests.benchmarks.bench_media_search [POSTS OF EACH KIND]``. Needs espeak-ng for the voices.

A hit is a post among the first ten whose match says where: the part, and of a video a second of the right scene.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import av
from PIL import Image, ImageOps
from sqlalchemy import select

from postscope.backend.media_words import NO_WORDS, words_of
from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import MatchAnswer
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.backend.tables import Post
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.workers.stages import run_stage
from tests.benchmarks.memes import SHARED_PHOTOS, caption, font_files
from tests.benchmarks.rig import posts_of, sample_texts, system

KINDS = 40
"""Posts of each kind, at most."""
SCENES, SCENE_SECONDS, FPS = 4, 3, 8
SIZE = (320, 240)
DISTRACTORS = 300

SPOKEN = [
    "lantern",
    "bicycle",
    "pumpkin",
    "raincoat",
    "telescope",
    "blanket",
    "carpet",
    "dentist",
    "engine",
    "fountain",
    "garlic",
    "helmet",
    "insurance",
    "jacket",
    "kettle",
    "ladder",
    "magazine",
    "necklace",
    "orange",
    "passport",
    "quarry",
    "restaurant",
    "sandwich",
    "thermometer",
    "uniform",
    "vinegar",
    "wallet",
    "yogurt",
    "anchor",
    "butter",
    "candle",
    "desert",
    "elevator",
    "feather",
    "guitar",
    "hospital",
    "island",
    "jungle",
    "kitchen",
    "laptop",
]
WRITTEN = [
    "saxophone",
    "broccoli",
    "cathedral",
    "dolphin",
    "envelope",
    "flamingo",
    "gorilla",
    "hammock",
    "iceberg",
    "jellyfish",
    "kangaroo",
    "lobster",
    "mustache",
    "noodles",
    "octopus",
    "penguin",
    "quilt",
    "rainbow",
    "scarecrow",
    "trampoline",
    "unicycle",
    "volleyball",
    "waffle",
    "xylophone",
    "yacht",
    "zipper",
    "avocado",
    "bathtub",
    "cactus",
    "donut",
    "eyebrow",
    "firefly",
    "giraffe",
    "hedgehog",
    "igloo",
    "jigsaw",
    "karaoke",
    "lemonade",
    "mailbox",
    "napkin",
]
SAYING = (
    "Has anybody seen my {} near the station this morning?", "I would like to buy a new {} before the weekend.",
    "My brother forgot his {} again, can you believe it?", "Please do not talk to me about the {} today.",
)  # fmt: skip
WRITING = ("WHEN THE {} ARRIVES", "MY {} AND I", "NOBODY ASKED FOR A {}", "ONE MORE {} PLEASE")


@dataclass(frozen=True)
class Asked:
    """A query, the post that answers it, and what its match has to say."""

    query: str
    name: str
    holds: Callable[[MatchAnswer], bool]


def spoken(words: str) -> bytes:
    """A voice note, WAV."""
    return subprocess.run(
        ["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", words], check=True, capture_output=True
    ).stdout


def written(photo: Path, words: str, n: int) -> bytes:
    """A captioned photo, JPEG."""
    fonts = [font for font in font_files() if font] or [None]
    image = ImageOps.fit(Image.open(photo).convert("RGB"), (640, 480))
    out = io.BytesIO()
    caption(image, [words], fonts[n % len(fonts)], 48, True, (-12.0, 0.0, 12.0)[n % 3]).save(out, "JPEG", quality=85)
    return out.getvalue()


def video(pictures: Sequence[Path]) -> bytes:
    """Scenes one after the other, MP4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            stream.options = {"crf": "28", "preset": "veryfast"}
            for picture in pictures:
                image = ImageOps.fit(Image.open(picture).convert("RGB"), SIZE)
                for _ in range(SCENE_SECONDS * FPS):
                    container.mux(stream.encode(av.VideoFrame.from_image(image)))
            container.mux(stream.encode(None))
        return path.read_bytes()


def in_scene(number: int) -> Callable[[MatchAnswer], bool]:
    """Whether a match is of this scene."""
    start = number * SCENE_SECONDS
    return lambda match: (
        match.part == "media" and match.seconds is not None and start - 0.2 <= match.seconds < start + SCENE_SECONDS
    )


def has_part(part: str) -> Callable[[MatchAnswer], bool]:
    """Whether a match is of this part."""
    return lambda match: match.part == part


def made(count: int) -> tuple[dict[str, bytes], dict[str, list[Asked]]]:
    """The files by the name of their post, and the queries by kind."""
    rows = [json.loads(line) for line in (SHARED_PHOTOS / "labels.jsonl").read_text().splitlines()]
    files: dict[str, bytes] = {}
    asked: dict[str, list[Asked]] = {"spoken word": [], "word in a picture": [], "second of a video": []}
    for n in range(count):
        files[f"voice-{n}"] = spoken(SAYING[n % len(SAYING)].format(SPOKEN[n]))
        asked["spoken word"].append(Asked(SPOKEN[n], f"voice-{n}", has_part("speech")))
        files[f"meme-{n}"] = written(SHARED_PHOTOS / rows[-1 - n]["file"], WRITING[n % 4].format(WRITTEN[n].upper()), n)
        asked["word in a picture"].append(Asked(WRITTEN[n], f"meme-{n}", has_part("picture_words")))
        scenes = rows[n * SCENES : (n + 1) * SCENES]
        files[f"video-{n}"] = video([SHARED_PHOTOS / row["file"] for row in scenes])
        shown = n % SCENES
        asked["second of a video"].append(Asked(scenes[shown]["label"], f"video-{n}", in_scene(shown)))
    return files, asked


def take_in(runtime: Runtime, files: dict[str, bytes]) -> None:
    """Posts of one file each and nothing else, among posts of text."""
    rows = posts_of(sample_texts(DISTRACTORS))
    with runtime.database.session() as session:
        for name, data in files.items():
            kept = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock())
            rows.append(
                {
                    "source": "made",
                    "external_id": name,
                    "created_at": "2026-03-02T09:00:00Z",
                    "media": [{"upload_id": str(kept.id)}],
                }
            )
        runtime.posts.create(session, rows, now=runtime.clock())
    for stage in (Stage.INDEX, Stage.UNDERSTAND, Stage.INDEX):
        started = time.perf_counter()
        count = run_stage(runtime, stage)
        print(f"{stage.value}: {count} posts in {time.perf_counter() - started:.0f} s", flush=True)


def words_in(runtime: Runtime, name: str) -> str:
    """What was heard and read in the media of a post."""
    with runtime.database.session() as session:
        post = session.scalars(select(Post).where(Post.external_id == name)).one()
        found = words_of(session, [post.id]).get(post.id, NO_WORDS)
    return repr(f"{found.spoken} {found.written}".strip()) if found is not NO_WORDS else "no word in it"


def main() -> None:
    """Print hit rates."""
    if not SHARED_PHOTOS.is_dir():
        sys.exit(f"the shared photos are not at {SHARED_PHOTOS}")
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed, and makes the voices")
    count = min(int(sys.argv[1]), KINDS) if len(sys.argv) > 1 else KINDS
    files, asked = made(count)
    print(f"{len(files)} posts are made", flush=True)
    with system() as runtime:
        take_in(runtime, files)
        for kind, queries in asked.items():
            first = found = placed = 0
            for item in queries:
                request = SearchRequest.model_validate({"text": item.query, "limit": 10, "min_score": 0.1})
                hits = search(runtime, request, key_id=uuid4()).hits
                names = [hit.post.external_id for hit in hits]
                if item.name in names:
                    found += 1
                    first += names[0] == item.name
                    held = any(item.holds(match) for match in hits[names.index(item.name)].matched)
                    placed += held
                    if not held:
                        print(f"  {item.query}: another place of {item.name}")
                else:
                    print(f"  {item.query}: {item.name} is not among them; there is {words_in(runtime, item.name)}")
            total = len(queries)
            print(
                f"{kind:18} among the first ten {found / total:.2f}, first {first / total:.2f},"
                f" with the right place {placed / total:.2f}  ({total} posts)"
            )


if __name__ == "__main__":
    main()
