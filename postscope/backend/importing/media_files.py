"""Media that lie beside the imported file: ``{"file": "images/a.jpg"}`` becomes an upload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobStore
from postscope.backend.database import Clock
from postscope.backend.errors import FieldProblem, PostscopeError, UnsupportedMedia
from postscope.backend.uploads import add_upload_once
from postscope.indexing.media.inspect import Inspect, inspect_media

KeepFile = Callable[[Session, Path], UUID]
"""Keeps a media file and gives its upload id; raises ``PostscopeError`` with the reason it cannot be kept."""


def keep_in(blobs: BlobStore, *, max_bytes: int, clock: Clock, inspect: Inspect = inspect_media) -> KeepFile:
    """Keeps media files as uploads; the same file again is the same upload, so that its post is unchanged."""

    def keep(session: Session, path: Path) -> UUID:
        with path.open("rb") as file:
            return add_upload_once(session, blobs, file, max_bytes=max_bytes, now=clock(), inspect=inspect)

    return keep


class MediaFiles:
    """Puts upload ids in the place of file names.

    Args:
        folder: where the imported file lies; media lie in it or below.
        keep: None refuses every file.
    """

    def __init__(self, folder: Path, keep: KeepFile | None) -> None:
        self._folder = folder.resolve()
        self._keep = keep

    def uploaded(self, session: Session, post: dict[str, Any]) -> tuple[dict[str, Any], list[FieldProblem]]:
        """The post with upload ids, and what was wrong with its files."""
        media = post.get("media")
        if not isinstance(media, list) or not any(isinstance(item, dict) and "file" in item for item in media):
            return post, []
        items: list[Any] = []
        problems = []
        for number, item in enumerate(media):
            if not isinstance(item, dict) or "file" not in item:
                items.append(item)
                continue
            try:
                items.append(self._upload(session, item))
            except PostscopeError as error:
                problems.append(FieldProblem(f"media.{number}.file", error.detail.removeprefix("file: ")))
            except OSError as error:
                problems.append(FieldProblem(f"media.{number}.file", f"cannot be read: {error.strerror}"))
        return {**post, "media": items}, problems

    def _upload(self, session: Session, item: dict[str, Any]) -> dict[str, Any]:
        if self._keep is None:
            raise UnsupportedMedia("files are not taken here")
        upload_id = self._keep(session, self.find(item["file"]))
        return {**{key: value for key, value in item.items() if key != "file"}, "upload_id": str(upload_id)}

    def find(self, name: object) -> Path:
        """The file of this name below the folder.

        Raises:
            UnsupportedMedia: it is no name of a file there; links that lead out of the folder are not followed.
        """
        if not isinstance(name, str) or not name or "\x00" in name:
            raise UnsupportedMedia("must be the name of a file")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UnsupportedMedia("must lie in the folder of the imported file")
        try:
            path = (self._folder / name).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise UnsupportedMedia("there is no such file") from None
        if not path.is_relative_to(self._folder):
            raise UnsupportedMedia("must lie in the folder of the imported file")
        if not path.is_file():
            raise UnsupportedMedia("is no file")
        return path
