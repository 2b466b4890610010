"""The folder by which a discovery is handed to a process of its own, and its answer handed back.

Everything is in plain arrays and JSON: nothing of it is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO
from uuid import UUID

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.layout import Layout
from postscope.indexing.types import Vectors

_ID: Final = 16


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What is asked.

    Attributes:
        count: posts.
        dim: of their vectors.
        seed: of everything random.
        min_size: distinct posts that make a topic.
        sample: beyond this many posts a sample is clustered and the rest assigned.
        examples: posts that stand for a topic.
    """

    count: int
    dim: int
    seed: int
    min_size: int
    sample: int
    examples: int = 5


@dataclass(frozen=True, slots=True)
class PostLine:
    """What the process needs to know of one post beside its vector.

    Attributes:
        created: in Unix seconds.
        stratum: posts of one stratum are alike as far as a sample goes.
        group: number of the group of copies that it is known to be in; -1 for none.
        author: a number for who wrote it; -1 where that is not known.
    """

    text: str
    language: str | None
    created: int
    stratum: int
    group: int = -1
    author: int = -1

    @property
    def spoken(self) -> str | None:
        """The language of its words; None where it has none or their language is unknown."""
        return self.language if self.text.strip() else None


class JobWriter:
    """Writes posts into a new folder one batch after another; memory does not grow with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.count = 0
        self._vectors: BinaryIO = (folder / "vectors.f32").open("wb")
        self._ids: BinaryIO = (folder / "ids.bin").open("wb")
        self._layout: BinaryIO = (folder / "layout.f32").open("wb")
        self._strata: BinaryIO = (folder / "strata.i64").open("wb")
        self._groups: BinaryIO = (folder / "groups.i64").open("wb")
        self._languages: BinaryIO = (folder / "languages.i32").open("wb")
        self._codes: dict[str, int] = {}
        self._posts: TextIO = (folder / "posts.jsonl").open("w", encoding="utf-8")

    def add(self, ids: Sequence[UUID], vectors: Vectors, posts: Sequence[PostLine], layout: Layout) -> None:
        """Add posts with their vectors (n, dim) and earlier places (n, 2), nan where there is none."""
        self._vectors.write(np.ascontiguousarray(vectors, np.float32).tobytes())
        self._ids.write(b"".join(post_id.bytes for post_id in ids))
        self._layout.write(np.ascontiguousarray(layout, np.float32).tobytes())
        self._strata.write(np.array([post.stratum for post in posts], np.int64).tobytes())
        self._languages.write(np.array([self._code(post) for post in posts], np.int32).tobytes())
        self._groups.write(np.array([post.group for post in posts], np.int64).tobytes())
        for post in posts:
            self._posts.write(json.dumps(astuple(post)) + "\n")
        self.count += len(ids)

    def close(self, spec: JobSpec) -> None:
        """Nothing more comes; this is what is asked."""
        arrays = (self._vectors, self._ids, self._layout, self._strata, self._groups, self._languages)
        for file in (*arrays, self._posts):
            file.close()
        (self.folder / "languages.json").write_text(json.dumps(list(self._codes)), encoding="utf-8")
        (self.folder / "job.json").write_text(json.dumps(asdict(spec)), encoding="utf-8")

    def _code(self, post: PostLine) -> int:
        language = post.spoken
        return -1 if language is None else self._codes.setdefault(language, len(self._codes))


@dataclass(frozen=True, slots=True)
class Job:
    """A folder that a ``JobWriter`` has closed, to read."""

    folder: Path

    @property
    def spec(self) -> JobSpec:
        """What is asked."""
        return JobSpec(**json.loads((self.folder / "job.json").read_text(encoding="utf-8")))

    def vectors(self) -> Vectors:
        """(count, dim), on disk until it is touched."""
        spec = self.spec
        if not spec.count:
            return np.zeros((0, spec.dim), np.float32)
        return np.memmap(self.folder / "vectors.f32", np.float32, "r", shape=(spec.count, spec.dim))

    def layout(self) -> Layout:
        """Earlier places (count, 2)."""
        return np.fromfile(self.folder / "layout.f32", np.float32).reshape(-1, 2)

    def groups(self) -> npt.NDArray[np.int64]:
        """(count,) the group of copies that each post is in; -1 for none."""
        return np.fromfile(self.folder / "groups.i64", np.int64)

    def strata(self) -> npt.NDArray[np.int64]:
        """(count,) the stratum of each post."""
        return np.fromfile(self.folder / "strata.i64", np.int64)

    def languages(self) -> npt.NDArray[np.int32]:
        """(count,) a number for the language of each post's words; -1 where it has none or is not known."""
        return np.fromfile(self.folder / "languages.i32", np.int32)

    def language_names(self) -> list[str]:
        """Of each of these numbers."""
        names: list[str] = json.loads((self.folder / "languages.json").read_text(encoding="utf-8"))
        return names

    def ids(self) -> list[UUID]:
        """In the order of everything else."""
        data = (self.folder / "ids.bin").read_bytes()
        return [UUID(bytes=data[at : at + _ID]) for at in range(0, len(data), _ID)]

    def tell(self, step: str, share: float) -> None:
        """Say how far the computation is; a reader meets the old word or the new one, never half."""
        fresh = self.folder / "progress.new"
        fresh.write_text(json.dumps([step, round(share, 4)]), encoding="utf-8")
        fresh.replace(self.folder / "progress.json")

    def told(self) -> tuple[str, float]:
        """The step that the computation is at, and the share of it that is done."""
        try:
            step, share = json.loads((self.folder / "progress.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return "starting", 0.0
        return str(step), float(share)

    def posts(self) -> Iterator[PostLine]:
        """One at a time."""
        with (self.folder / "posts.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                yield PostLine(*json.loads(line))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one layer's cluster is like.

    Attributes:
        parent: the theme of a topic, the topic of a sub-topic; None for a theme.
        size: its posts.
        keywords: ``[{"word", "weight", "language"}]``.
        examples: places of posts that stand for it.
        reach: cosine with its centre that nearly all of its posts in its main language have.
        floor: cosine with its centre below which a post is far off from all that are in it.
    """

    parent: int | None
    size: int
    keywords: list[dict[str, Any]]
    examples: list[int]
    reach: float
    floor: float


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a discovery found.

    Attributes:
        labels: (count,) topic of each post, -1 for an outlier.
        parts: (count,) sub-topic, -1 for none.
        strengths: (count,).
        places: (count, 2) on the map.
        centres: of each layer, (k, dim).
        found: of each layer: ``theme``, ``topic``, ``subtopic``.
        apart: (languages, dim) what each language does to vectors, in the order of ``Job.language_names``.
    """

    labels: npt.NDArray[np.int32]
    parts: npt.NDArray[np.int32]
    strengths: npt.NDArray[np.float32]
    places: Layout
    centres: dict[str, Vectors]
    found: dict[str, list[Found]]
    apart: Vectors

    def save(self, folder: Path) -> None:
        """Write it into the job's folder."""
        arrays: dict[str, Any] = {f"centres_{layer}": centres for layer, centres in self.centres.items()}
        arrays |= {name: getattr(self, name) for name in ("labels", "parts", "strengths", "places", "apart")}
        np.savez(folder / "result.npz", allow_pickle=False, **arrays)
        told = {layer: [asdict(one) for one in found] for layer, found in self.found.items()}
        (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Result:
        """Read what ``save`` wrote."""
        told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        found = {layer: [Found(**one) for one in many] for layer, many in told.items()}
        with np.load(folder / "result.npz", allow_pickle=False) as arrays:
            centres = {layer: arrays[f"centres_{layer}"] for layer in found}
            of_posts = (arrays["labels"], arrays["parts"], arrays["strengths"], arrays["places"])
            return cls(*of_posts, centres, found, arrays["apart"])
