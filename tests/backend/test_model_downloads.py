"""`postscope models --download` against a hub on this machine, through the hub's own client."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from postscope.backend.errors import PostscopeError
from postscope.cli.main import app
from postscope.indexing.build import open_encoder, open_hearing
from postscope.indexing.encoders.base import EncoderUnavailable, WeightsChanged
from postscope.indexing.encoders.openclip_loading import fetch_clip, load_clip, parse_spec
from postscope.indexing.media.decoding.sound import SoundLimits, decode_sound
from postscope.indexing.media.decoding.speech import SpeechGates
from postscope.indexing.media.hearing import model_folder
from postscope.indexing.media.sandbox.files import in_memory
from postscope.indexing.media.speech_weights import WHISPER_SIZES
from tests.hub_server import Hub, Repo, hub_server

pytestmark = pytest.mark.slow
SMALL = WHISPER_SIZES["small"]
SPEECH = {"POSTSCOPE_SPEECH__MODEL": "small"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Send the client, which reads its environment once, to an address."""

    def to(address: str) -> None:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    monkeypatch.delenv("HF_TOKEN", raising=False)
    return to


@pytest.fixture
def hub(point: Callable[[str], None]) -> Iterator[Hub]:
    with hub_server() as server:
        point(server.url)
        yield server


@pytest.fixture
def whisper(hub: Hub) -> dict[str, bytes]:
    """A model as far as its files go, on the hub under the name of a larger one, with files that nobody needs."""
    weights = np.random.default_rng(1).bytes(400_000)
    files = {"model.bin": weights, "config.json": b"{}", "tokenizer.json": b"{ }", "vocabulary.txt": b"a\n"}
    hub.repos[SMALL] = Repo(files | {"README.md": b"A model.", "run.py": b"raise SystemExit"})
    return hub.repos[SMALL].files


@pytest.fixture
def models(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, with these settings."""

    def run(*more: str, **settings: str) -> Result:
        for name, value in (SPEECH | settings | {"POSTSCOPE_DATA_DIR": str(data), "COLUMNS": "300"}).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, ["models", *more])

    return run


def why(result: Result) -> str:
    """The one line that the command ends with."""
    assert isinstance(result.exception, PostscopeError), result.output
    return result.exception.detail


def test_a_larger_speech_model_is_fetched_listed_and_used_when_the_hub_is_gone(data: Path, tmp_path: Path) -> None:
    """As a user does it, in processes of their own, with a model that hears."""
    whisper = tmp_path / "whisper"
    whisper.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(model_folder("bundled", tmp_path) / name, whisper)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTSCOPE_", "HF_"))}
    command = [sys.executable, "-m", "postscope", "models"]
    with hub_server() as hub:
        hub.add(SMALL, whisper)
        env = kept | SPEECH | {"HF_ENDPOINT": hub.url, "POSTSCOPE_DATA_DIR": str(data), "COLUMNS": "300"}
        done = subprocess.run([*command, "--download"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        size = (whisper / "model.bin").stat().st_size
        assert f"model.bin: {size:,} bytes, as the hub says" in done.stdout
    listed = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert listed.returncode == 0
    sha256 = hashlib.sha256((whisper / "model.bin").read_bytes()).hexdigest()
    for said in (sha256, f"{size:,} bytes", "mit", f"{SMALL} at 5a1b5a1b5a1b", f"https://huggingface.co/{SMALL}"):
        assert said in listed.stdout
    hearing = open_hearing("small", cache_dir=data / "models", threads=1, gates=SpeechGates(), processes=1)
    assert hearing is not None
    samples = bytearray()
    with (Path(__file__).parents[1] / "speech" / "english.opus").open("rb") as file:
        decode_sound(file.fileno(), SoundLimits(60.0, 20.0), samples.extend)
    try:
        with in_memory(bytes(samples)) as sound:
            spoken, report = hearing.hear(sound, seconds=60.0)
    finally:
        hearing.close()
    assert report.state == "done"
    assert "the tide is coming in" in " ".join(part.text for part in spoken)


def test_what_is_here_is_not_fetched_again(
    hub: Hub, whisper: dict[str, bytes], data: Path, models: Callable[..., Result]
) -> None:
    assert "it is not here, or not wholly" in models().output
    assert models("--download").exit_code == 0
    names = sorted(file.name for file in model_folder("small", data / "models").iterdir())
    assert names == ["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"]
    asked = len(hub.asked)
    assert f"{SMALL} at 5a1b5a1b5a1b is here already" in models("--download").output
    assert len(hub.asked) == asked


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    hub: Hub,
    whisper: dict[str, bytes],
    data: Path,
    models: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    hub.repos[SMALL].cut["model.bin"] = (350_000, 1)
    assert models("--download").exit_code == 0
    assert hub.given("model.bin") == [None, "bytes=300000-"]
    assert (model_folder("small", data / "models") / "model.bin").read_bytes() == whisper["model.bin"]


def test_what_stopped_halfway_is_no_model_and_is_completed(
    hub: Hub, whisper: dict[str, bytes], data: Path, models: Callable[..., Result]
) -> None:
    repo, tokenizer = hub.repos[SMALL], whisper["tokenizer.json"]
    repo.said["tokenizer.json"], whisper["tokenizer.json"] = tokenizer, b"[ ]"
    assert "tokenizer.json of Systran/faster-whisper-small came twice with the git hash" in why(models("--download"))
    with pytest.raises(EncoderUnavailable, match="--download"):
        model_folder("small", data / "models")
    whisper["tokenizer.json"] = tokenizer
    assert models("--download").exit_code == 0
    assert len(hub.given("model.bin")) == 1
    assert model_folder("small", data / "models")


def test_what_is_not_what_the_hub_says_is_refused(
    hub: Hub, whisper: dict[str, bytes], data: Path, models: Callable[..., Result]
) -> None:
    true = whisper["model.bin"]
    hub.repos[SMALL].said["model.bin"], whisper["model.bin"] = true, b"\0" + true[1:]
    reason = why(models("--download"))
    assert "model.bin of Systran/faster-whisper-small came twice with SHA-256" in reason
    assert hashlib.sha256(true).hexdigest() in reason
    assert not list((data / "models").rglob("model.bin"))
    assert not [blob for blob in (data / "models").rglob("blobs/*") if blob.stat().st_size == len(true)]


def test_a_file_that_changed_later_is_not_used_and_is_fetched_again(
    whisper: dict[str, bytes], data: Path, models: Callable[..., Result]
) -> None:
    models("--download")
    (model_folder("small", data / "models") / "config.json").resolve().write_text("[]")
    with pytest.raises(WeightsChanged, match=r"config\.json of Systran/faster-whisper-small has SHA-256"):
        model_folder("small", data / "models")
    listed = models()
    assert listed.exit_code == 1
    assert "fetched was" in listed.output
    assert models("--download").exit_code == 0
    assert (model_folder("small", data / "models") / "config.json").read_bytes() == whisper["config.json"]


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "127.0.0.1:1", "http://user:secret@127.0.0.1:1", "http://"])
def test_an_address_that_can_be_no_hub_is_named(
    address: str, point: Callable[[str], None], models: Callable[..., Result]
) -> None:
    point(address)
    assert why(models("--download")).startswith("HF_ENDPOINT must be the address of a hub, such as")


def test_a_token_is_not_sent_for_all_to_read(
    point: Callable[[str], None], models: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    point("http://hub.example")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert why(models("--download")).endswith("use https")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("gigantic", "it is no folder, no owner/name, and none of tiny.en"),
        ("nobody/nothing", "has none of this name, or not for everybody"),
        ("some/clip", "some/clip is no model of Whisper for CTranslate2: it has no model.bin"),
    ],
)
def test_what_cannot_be_had_says_why(model: str, reason: str, hub: Hub, models: Callable[..., Result]) -> None:
    hub.repos["some/clip"] = Repo({"config.json": b"{}"})
    assert reason in why(models("--download", POSTSCOPE_SPEECH__MODEL=model))


def test_a_hub_that_is_not_there_says_so(point: Callable[[str], None], models: Callable[..., Result]) -> None:
    point("http://127.0.0.1:9")
    assert "cannot be fetched: http://127.0.0.1:9: " in why(models("--download"))


def test_a_folder_that_is_no_model_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(EncoderUnavailable, match=r"it has no config\.json, tokenizer\.json, a vocabulary"):
        model_folder(str(tmp_path), tmp_path)


def test_the_sizes_are_those_that_faster_whisper_knows() -> None:
    from faster_whisper import utils

    assert utils._MODELS == WHISPER_SIZES


def test_an_open_clip_model_and_a_text_model_load_when_the_hub_is_gone(
    point: Callable[[str], None], data: Path, tmp_path: Path, models: Callable[..., Result]
) -> None:
    pytest.importorskip("open_clip", reason="the [clip] extra is not installed")
    pytest.importorskip("sentence_transformers", reason="the [clip] extra is not installed")
    from tests.contracts.encoders_openclip import make_text_model, make_weights

    name, folder, text = "open_clip:hf-hub:some/tiny", make_weights(tmp_path)["folder"], make_text_model(tmp_path)
    env = {"POSTSCOPE_SPEECH__MODEL": "off", "POSTSCOPE_ENCODER__NAME": name}
    env["POSTSCOPE_ENCODER__TEXT_MODEL"] = "some/texts"
    with hub_server() as hub:
        point(hub.url)
        hub.add("some/tiny", folder, licence="apache-2.0").files["open_clip_pytorch_model.bin"] = b"a pickle" * 9_000
        hub.add("some/texts", text, licence=None).files["model.py"] = b"raise SystemExit"
        assert models(**env).output.count("it is not here, or not wholly") == 2
        assert models("--download", **env).exit_code == 0
        assert not hub.given("open_clip_pytorch_model.bin")
        assert not hub.given("model.py")
    listed = models(**env)
    assert listed.exit_code == 0
    for said in ("apache-2.0", "some/tiny at 5a1b5a1b5a1b", "some/texts at 5a1b5a1b5a1b", "not said"):
        assert said in listed.output
    fetched = open_encoder(name, text_model="some/texts", cache_dir=data / "models", device="cpu", threads=1)
    local = f"open_clip:local-dir:{folder}"
    given = open_encoder(local, text_model=str(text), cache_dir=tmp_path / "none", device="cpu", threads=1)
    assert fetched.space.weights == given.space.weights
    np.testing.assert_array_equal(fetched.encode_texts(["a gull"]), given.encode_texts(["a gull"]))


def test_a_tag_of_open_clip_prepares_pictures_as_it_says(
    hub: Hub, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_clip = pytest.importorskip("open_clip", reason="the [clip] extra is not installed")
    from tests.contracts.encoders_openclip import ARCHITECTURE, PREPROCESS, make_weights

    hub.add("some/tagged", make_weights(tmp_path)["folder"])
    said = {"hf_hub": "some/tagged/", "url": "", "quick_gelu": True, **PREPROCESS}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, ARCHITECTURE, {"seagull": said})
    spec = parse_spec(f"open_clip:{ARCHITECTURE}/seagull")
    fetch_clip(spec, data)
    clip = load_clip(spec, cache_dir=data)
    theirs = open_clip.create_model(ARCHITECTURE, "seagull", cache_dir=str(tmp_path), force_quick_gelu=True)
    assert clip.preprocess == open_clip.get_model_preprocess_cfg(theirs)
    asked = len(hub.asked)
    assert load_clip(spec, cache_dir=data).weights == clip.weights
    assert len(hub.asked) == asked, "what is here is loaded without asking the hub"
