"""Models from the Hugging Face Hub, or a mirror of it in ``HF_ENDPOINT``: fetched once, checked, and then kept.

The hub's client compares sizes only. Here a file counts as fetched when it hashes to what the hub says of it: SHA-256
for large files, git's SHA-1 for small ones. A record is written last, so that a model of which some is missing is none;
it pins the commit and every SHA-256, and whoever loads the model compares with those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from postscope.indexing.encoders.base import EncoderError, EncoderUnavailable, WeightsChanged
from postscope.indexing.encoders.cache_files import write_whole

Choose = Callable[[Sequence[str]], Sequence[str]]
"""From the names of all files of a model, which to fetch; raises ``EncoderUnavailable`` where one is wanting."""
Tell = Callable[[str], None]
"""Takes one line on how it goes."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LOCALLY: Final = "without a way to the hub name a local folder"
_UNSAID: Final = "not said"


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that was fetched.

    Attributes:
        repo: ``owner/name``.
        commit: of the repository.
        licence: as its card says.
        folder: where its files are, by their names.
        files: the SHA-256 of each, in lower-case hexadecimal.
    """

    repo: str
    commit: str
    licence: str
    folder: str
    files: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Where a file of it is."""
        return Path(self.folder) / name

    def check(self) -> Path:
        """Its folder, after every file was read and compared.

        Raises:
            WeightsChanged: a file is another one, or gone.
        """
        for name in sorted(self.files):
            if (reason := self.fault(name)) is not None:
                raise WeightsChanged(reason)
        return Path(self.folder)

    def fault(self, name: str) -> str | None:
        """What is wrong with a file of it; None where it is what was fetched."""
        again = "`postscope models --download` fetches it again"
        try:
            actual = _sha256(self.path(name))
        except OSError as error:
            return f"{name} of {self.repo} cannot be read ({error.strerror}): {again}"
        if actual == self.files[name]:
            return None
        return f"{name} of {self.repo} has SHA-256 {actual}, fetched was {self.files[name]}: {again}"


def fetched(repo: str, cache_dir: Path) -> HubModel | None:
    """A model as it was fetched; None where it was not, or not wholly. Its files are not read."""
    try:
        record = json.loads(_record(repo, cache_dir).read_text(encoding="utf-8"))
        model = HubModel(**record)
    except (OSError, ValueError, TypeError):
        return None
    return model if model.files and all(model.path(name).is_file() for name in model.files) else None


def fetch(repo: str, cache_dir: Path, choose: Choose, *, tell: Tell | None = None) -> HubModel:
    """Get a model; what is here already and whole is not fetched again.

    Args:
        repo: ``owner/name``, at its main branch.
        cache_dir: where models are kept.
        choose: which of its files.
        tell: hears of each file; in a terminal the client draws its progress, too.

    Raises:
        EncoderUnavailable: there is no such model, no way to it, or what came is not what the hub says it is.
    """
    tell = tell or (lambda _: None)
    _check_endpoint()
    try:
        info, wanted = _look_up(repo, choose)
        tell(f"{repo} at {info.sha[:12]}: {len(wanted)} files, {sum(file.size or 0 for file in wanted):,} bytes")
        paths = {file.rfilename: _get(repo, info.sha, file, cache_dir, tell) for file in wanted}
    except EncoderError:
        raise
    except Exception as error:  # the client lets many kinds through
        raise EncoderUnavailable(f"the model {repo} cannot be fetched: {_reason(error)}") from error
    (folder,) = {str(path).removesuffix(name) for name, path in paths.items()}
    licence = str((info.card_data or {}).get("license") or _UNSAID)
    model = HubModel(repo, info.sha, licence, folder, {name: _sha256(path) for name, path in paths.items()})
    before = fetched(repo, cache_dir)
    if before is not None and before.commit == model.commit:
        model = replace(model, files={**before.files, **model.files})
    write_whole(_record(repo, cache_dir), json.dumps(asdict(model), indent=2).encode())
    return model


def at_hand(repo: str, cache_dir: Path, choose: Choose) -> Path:
    """The folder of a model whose files were read and compared; what is not here is fetched.

    Raises:
        EncoderUnavailable: it cannot be fetched.
        WeightsChanged: a file is not the one that was fetched.
    """
    return (fetched(repo, cache_dir) or fetch(repo, cache_dir, choose)).check()


def library_files(names: Sequence[str]) -> list[str]:
    """What transformers and sentence-transformers read, weights in the safe format where there are such: no code, and
    no formats of others."""
    chosen = []
    for name in names:
        folder, _, file = name.rpartition("/")
        safe = f"{folder}/model.safetensors".lstrip("/")
        if folder.split("/")[0] in ("onnx", "openvino") or (file == "pytorch_model.bin" and safe in names):
            continue
        if file.endswith((".json", ".txt", ".model", ".safetensors")) or file == "pytorch_model.bin":
            chosen.append(name)
    return chosen


def first_of(names: Sequence[str], *wanted: str) -> str | None:
    """The first of ``wanted`` that is among the names."""
    return next((name for name in wanted if name in names), None)


def _look_up(repo: str, choose: Choose) -> tuple[Any, list[Any]]:
    """What the hub says of a model, and of the files of it that are wanted."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(repo, files_metadata=True)
    known = {file.rfilename: file for file in info.siblings or () if _harmless(file.rfilename)}
    return info, [known[name] for name in choose(sorted(known))]


def _get(repo: str, commit: str, file: Any, cache_dir: Path, tell: Tell) -> Path:
    """One file, fetched again where what is here, or what came, is not what the hub says."""
    from huggingface_hub import hf_hub_download

    name, said = file.rfilename, file.lfs.sha256 if file.lfs else file.blob_id
    if said is None:
        raise EncoderUnavailable(f"the hub does not say what {name} of {repo} hashes to")
    for again in (False, True):
        path = Path(hf_hub_download(repo, name, revision=commit, cache_dir=str(cache_dir), force_download=again))
        found = _sha256(path) if file.lfs else _git_sha1(path)
        if found == said:
            tell(f"  {name}: {path.stat().st_size:,} bytes, as the hub says")
            return path
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    kind = "SHA-256" if file.lfs else "the git hash"
    raise EncoderUnavailable(
        f"{name} of {repo} came twice with {kind} {found}, where the hub says {said}: it was removed"
    )


def _check_endpoint() -> None:
    """See to it that the hub's address can be one, and that no token is sent to it in the clear."""
    from huggingface_hub import constants, get_token

    try:
        parts = urlsplit(constants.ENDPOINT)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.query
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise EncoderUnavailable("HF_ENDPOINT must be the address of a hub, such as https://huggingface.co")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and get_token():
        raise EncoderUnavailable("HF_ENDPOINT is http: a token of the hub would be sent for all to read; use https")


def _harmless(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _reason(error: Exception) -> str:
    """In one line, and in our words where the client's would not help."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.HFValidationError):
        return "its name must be of the form owner/name"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set; {_LOCALLY}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{constants.ENDPOINT} has none of this name, or not for everybody: a token in HF_TOKEN may open it"
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{constants.ENDPOINT}: {line.rstrip('.')}; {_LOCALLY}"


def _record(repo: str, cache_dir: Path) -> Path:
    return cache_dir / "hub" / f"{repo.replace('/', '--')}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_sha1(path: Path) -> str:
    """What git calls a file with this content (its object id)."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
