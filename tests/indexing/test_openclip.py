from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from postscope.indexing.encoders.base import Encoder, EncoderUnavailable
from postscope.indexing.encoders.openclip import open_openclip
from postscope.indexing.encoders.openclip_loading import parse_spec

pytest.importorskip("open_clip", reason="the [clip] extra is not installed")
pytest.importorskip("sentence_transformers", reason="the [clip] extra is not installed")

from tests.contracts.encoders_openclip import ARCHITECTURE, make_text_model, make_weights, open_tiny

TEXTS = [
    "",
    "cat",
    "a photo of two cats on a red sofa",
    "word " * 200,
    "¡Qué gol! ⚽ #derbi",
    "海の写真",
    "\x00",
]


@pytest.fixture(scope="module", autouse=True)
def _no_hub() -> None:
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_text_model(tmp_path_factory.mktemp("text-model"))


def load(spec: str, text_model: str | None = None, device: str = "cpu") -> Encoder:
    return open_openclip(spec, text_model=text_model, cache_dir=Path("absent"), device=device, threads=2)


def noise(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


# --- the setting


@pytest.mark.parametrize(
    ("spec", "name", "model", "source", "pretrained"),
    [
        ("open_clip:ViT-B-32/openai", "open_clip:ViT-B-32", "ViT-B-32", "tag", "openai"),
        ("open_clip:RN50//m/x.safetensors", "open_clip:RN50", "RN50", "file", "/m/x.safetensors"),
        ("open_clip:RN50/x.pt", "open_clip:RN50", "RN50", "file", "x.pt"),
        ("open_clip:RN50/local-dir:/m/a", "open_clip:RN50", "local-dir:/m/a", "folder", None),
        ("open_clip:local-dir:/m/a", "open_clip:a", "local-dir:/m/a", "folder", None),
        ("open_clip:hf-hub:org/repo", "open_clip:repo", "hf-hub:org/repo", "hub", None),
    ],
)
def test_a_setting_is_read(spec: str, name: str, model: str, source: str, pretrained: str | None) -> None:
    read = parse_spec(spec)
    assert (read.name, read.model, read.source, read.pretrained) == (name, model, source, pretrained)


@pytest.mark.parametrize(
    "spec", ["bundled", "open_clip:", "open_clip:ViT-B-32", "open_clip:ViT-B-32/", "open_clip:local-dir:"]
)
def test_a_setting_that_is_none_of_the_forms_is_refused(spec: str) -> None:
    with pytest.raises(EncoderUnavailable, match="not of the form"):
        parse_spec(spec)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("open_clip:ViT-B-23/openai", "ViT-B-32"),
        ("open_clip:ViT-B-32/laion", "laion2b_s34b_b79k"),
        ("open_clip:ViT-B-32//nowhere/x.pt", "/nowhere/x.pt"),
        ("open_clip:ViT-B-32//nowhere/x.npz", "weights end in"),
        ("open_clip:local-dir:/nowhere", "no folder /nowhere"),
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", "hub"),
        ("open_clip:hf-hub:nobody/nothing", "hub"),
    ],
)
def test_weights_that_are_not_here_say_what_to_mend(spec: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=reason):
        open_openclip(spec, text_model=None, cache_dir=tmp_path, device="cpu", threads=1)


@pytest.mark.parametrize("missing", ["torch", "open_clip", "sentence_transformers"])
def test_a_missing_library_names_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, weights: dict[str, Path]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EncoderUnavailable, match=r"pip install 'postscope\[clip\]'"):
        load(f"open_clip:{ARCHITECTURE}/{weights['pt']}", text_model="any")


@pytest.mark.parametrize(("device", "reason"), [("tpu", "unknown"), ("cuda:x", "unknown"), ("cuda:99", "not here")])
def test_a_device_that_is_not_here_is_named(device: str, reason: str) -> None:
    with pytest.raises(EncoderUnavailable, match=f"{device}.*{reason}"):
        load("open_clip:RN50/openai", device=device)


# --- loading


def test_the_same_weights_by_any_file_are_the_same_space(weights: dict[str, Path]) -> None:
    a = load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}")
    b = load(f"open_clip:{ARCHITECTURE}/{weights['pt']}")
    assert a.space == b.space
    np.testing.assert_allclose(a.encode_texts(TEXTS), b.encode_texts(TEXTS), atol=1e-5)


def test_a_folder_brings_its_own_preprocessing_so_it_is_another_space(weights: dict[str, Path]) -> None:
    file = load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}")
    folder = load(f"open_clip:{ARCHITECTURE}/local-dir:{weights['folder']}")
    assert folder.space.weights == file.space.weights
    assert folder.space.name == file.space.name
    assert folder.space.id != file.space.id
    np.testing.assert_allclose(folder.encode_texts(TEXTS), file.encode_texts(TEXTS), atol=1e-5)
    assert float(folder.encode_images([noise(1)])[0] @ file.encode_images([noise(1)])[0]) < 0.9999


def test_other_weights_are_another_space(weights: dict[str, Path], tmp_path: Path) -> None:
    other = make_weights(tmp_path, seed=1)
    spaces = [load(f"open_clip:{ARCHITECTURE}/{paths['pt']}").space for paths in (weights, other)]
    assert spaces[0].weights != spaces[1].weights


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_poisoned_pickle_is_refused_and_nothing_runs(zipped: bool, tmp_path: Path, weights: dict[str, Path]) -> None:
    import torch

    proof, poisoned = tmp_path / "ran", tmp_path / "weights.pt"
    torch.save({"state_dict": Payload(proof)}, poisoned, _use_new_zipfile_serialization=zipped)
    with pytest.raises(EncoderUnavailable, match="could not be loaded"):
        load(f"open_clip:{ARCHITECTURE}/{poisoned}")
    assert not proof.exists()
    with pytest.raises(FileExistsError):  # the payload does run where pickles are trusted
        (proof.mkdir(), pickle.loads(pickle.dumps(Payload(proof))))


def test_a_poisoned_pickle_in_a_folder_is_refused(tmp_path: Path, weights: dict[str, Path]) -> None:
    import torch

    folder, proof = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(weights["folder"], folder)
    (folder / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Payload(proof)}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(EncoderUnavailable, match="could not be loaded"):
        load(f"open_clip:local-dir:{folder}")
    assert not proof.exists()


def test_a_folder_without_weights_is_not_filled_with_noise(tmp_path: Path, weights: dict[str, Path]) -> None:
    shutil.copy(weights["folder"] / "open_clip_config.json", tmp_path)
    with pytest.raises(EncoderUnavailable, match="could not be loaded"):
        load(f"open_clip:local-dir:{tmp_path}")


def test_a_configuration_that_asks_for_its_own_code_is_refused(tmp_path: Path, weights: dict[str, Path]) -> None:
    folder = shutil.copytree(weights["folder"], tmp_path / "model")
    described = json.loads((folder / "open_clip_config.json").read_text())
    described["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    with pytest.raises(EncoderUnavailable, match="trust_remote_code"):
        load(f"open_clip:local-dir:{folder}")


def test_damaged_weights_are_refused(tmp_path: Path, weights: dict[str, Path]) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights["safetensors"].read_bytes()[:1000])
    with pytest.raises(EncoderUnavailable, match="could not be loaded"):
        load(f"open_clip:{ARCHITECTURE}/{cut}")


# --- what it computes


@pytest.fixture(scope="module")
def encoder(weights: dict[str, Path]) -> Encoder:
    return load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}")


def test_texts_are_what_open_clip_itself_computes(encoder: Encoder, weights: dict[str, Path]) -> None:
    import open_clip
    import torch

    model = open_clip.create_model(ARCHITECTURE, str(weights["safetensors"])).eval()
    with torch.inference_mode():
        wanted = model.encode_text(open_clip.get_tokenizer(ARCHITECTURE)(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), wanted, atol=1e-5)


def test_images_are_what_open_clip_itself_computes(encoder: Encoder, weights: dict[str, Path]) -> None:
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(ARCHITECTURE, str(weights["safetensors"]))
    images = [noise(seed, (40 + seed, 30)) for seed in range(70)]
    with torch.inference_mode():
        wanted = model.eval().encode_image(torch.stack([transform(i) for i in images]), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_images(images), wanted, atol=1e-5)


def test_a_strip_is_cut_to_its_middle(encoder: Encoder) -> None:
    middle, strip = noise(3, (4, 4)), Image.new("RGB", (4, 4000), "white")
    strip.paste(middle, (0, 1998))
    found = encoder.encode_images([strip, middle])
    assert float(found[0] @ found[1]) > 0.95


def test_queries_are_texts(encoder: Encoder) -> None:
    np.testing.assert_array_equal(encoder.encode_queries(TEXTS), encoder.encode_texts(TEXTS))


def test_the_tokenizer_remembers_a_bounded_number_of_words(
    weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from postscope.indexing.encoders import openclip_text

    fresh = load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}")
    texts = [f"{chr(97 + i)}{chr(97 + j)}q" for i in range(26) for j in range(4)]
    before = fresh.encode_texts(texts)
    monkeypatch.setattr(openclip_text, "REMEMBERED_WORDS", 10)
    small = load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}")
    np.testing.assert_allclose(small.encode_texts(texts), before, atol=1e-6)


# --- an aligned text model


def test_an_aligned_text_model_takes_the_text_side(
    encoder: Encoder, weights: dict[str, Path], text_model: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    both = load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}", text_model=str(text_model))
    assert both.space.id != encoder.space.id
    np.testing.assert_allclose(both.encode_images([noise(1)]), encoder.encode_images([noise(1)]), atol=1e-6)
    wanted = SentenceTransformer(str(text_model)).encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(both.encode_texts(TEXTS), wanted, atol=1e-4)


def test_a_text_model_of_another_dimension_is_refused(weights: dict[str, Path], tmp_path: Path) -> None:
    wrong = make_text_model(tmp_path, dim=7)
    with pytest.raises(EncoderUnavailable, match="7 dimensions and images 24"):
        load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}", text_model=str(wrong))


def test_a_text_model_that_brings_code_is_refused(weights: dict[str, Path], text_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(text_model, tmp_path / "hostile")
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\nclass Evil: ...\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["type"] = "evil.Evil"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderUnavailable, match="could not be loaded"):
        load(f"open_clip:{ARCHITECTURE}/{weights['safetensors']}", text_model=str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_text_model_that_is_not_here_says_so(weights: dict[str, Path]) -> None:
    with pytest.raises(EncoderUnavailable, match=r"clip-ViT-B-32-multilingual-v1.*local folder"):
        load(f"open_clip:{ARCHITECTURE}/{weights['pt']}", text_model="clip-ViT-B-32-multilingual-v1")


def test_the_tiny_encoder_of_the_contract_suite_opens(tmp_path: Path) -> None:
    assert open_tiny(tmp_path).encode_texts([]).shape == (0, 24)
