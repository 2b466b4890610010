"""From ``open_clip:<model>/<pretrained>`` to a loaded model, running nothing that it brings along."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from postscope.indexing import hub
from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.torch_device import fingerprint, loading, require

PREFIX = "open_clip:"
LOCAL_DIR = "local-dir:"
HF_HUB = "hf-hub:"
WEIGHTS_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_TOKENIZER = ("tokenizer", "vocab", "merges.txt", "special_tokens_map.json", "sentencepiece", "spiece", "added_tokens")
HINT = "Check the encoder setting; without access to the hub give a local file or local-dir:<folder>"


@dataclass(frozen=True, slots=True)
class OpenClipSpec:
    """Which model, and where its weights are.

    Attributes:
        name: what the space is called; it does not say where the weights lie.
        model: what open_clip calls the model: an architecture, ``hf-hub:...`` or ``local-dir:...``.
        source: kind of ``pretrained``.
        pretrained: the tag or the path; None when the model says it all.
    """

    name: str
    model: str
    source: Literal["tag", "file", "folder", "hub"]
    pretrained: str | None


@dataclass(frozen=True, slots=True)
class LoadedClip:
    """An open_clip model in evaluation mode on its device, with what belongs to it.

    Attributes:
        model: the torch module.
        tokenizer: its own tokenizer.
        context: tokens that its text side takes.
        preprocess: the image preprocessing that its authors recorded (size, mean, std, interpolation, mode).
        weights: fingerprint of the state.
        config: SHA-256 of the architecture's configuration (the activation, for one, is not in the weights).
    """

    model: Any
    tokenizer: Any
    context: int
    preprocess: dict[str, Any]
    weights: str
    config: str


def parse_spec(spec: str) -> OpenClipSpec:
    """Read an encoder setting.

    Accepted: ``open_clip:ViT-B-32/laion2b_s34b_b79k`` (a tag), ``open_clip:ViT-B-32/<weights file>``,
    ``open_clip:ViT-B-32/local-dir:<folder>``, ``open_clip:local-dir:<folder>`` and
    ``open_clip:hf-hub:<owner>/<repo>``.

    Raises:
        EncoderUnavailable: it is none of these.
    """
    body = spec.removeprefix(PREFIX)
    if body.startswith(HF_HUB) and body != HF_HUB:
        return OpenClipSpec(PREFIX + body.rpartition("/")[2].removeprefix(HF_HUB), body, "hub", None)
    model, _, pretrained = ("", "", body) if body.startswith(LOCAL_DIR) else body.partition("/")
    if not spec.startswith(PREFIX) or not pretrained or pretrained == LOCAL_DIR:
        raise EncoderUnavailable(f"encoder {spec!r} is not of the form {PREFIX}<model>/<pretrained>")
    if pretrained.startswith(LOCAL_DIR):
        name = model or Path(pretrained.removeprefix(LOCAL_DIR)).name
        return OpenClipSpec(PREFIX + name, pretrained, "folder", None)
    is_path = "/" in pretrained or pretrained.endswith(WEIGHTS_SUFFIXES)
    return OpenClipSpec(PREFIX + model, model, "file" if is_path else "tag", pretrained)


def load_clip(spec: OpenClipSpec, *, cache_dir: Path) -> LoadedClip:
    """Load the model and its tokenizer on the CPU, in float32.

    Pickled weights go through torch's ``weights_only`` reader, which rebuilds tensors and refuses everything
    else; a configuration that asks for code of its own is refused before anything is loaded.

    Raises:
        EncoderUnavailable: a library is missing, the setting is wrong, or the weights are not here and cannot
            be fetched.
    """
    open_clip = require("open_clip")
    _check(open_clip, spec)
    with loading(spec.name, HINT):
        source = _source(open_clip, spec, cache_dir)
        config = dict(open_clip.get_model_config(source.model))
        _refuse_code(config)
        quick_gelu = _tag_wants_quick_gelu(open_clip, spec)
        model = open_clip.create_model(
            source.model,
            source.pretrained,
            cache_dir=str(cache_dir),
            force_quick_gelu=quick_gelu,
            force_preprocess_cfg=source.preprocess,
            pretrained_text=False,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(source.tokenizer, cache_dir=str(cache_dir))
    identity = json.dumps({"config": config, "quick_gelu": quick_gelu}, sort_keys=True)
    return LoadedClip(
        model=model.eval().requires_grad_(False),
        tokenizer=tokenizer,
        context=tokenizer.context_length,
        preprocess=open_clip.get_model_preprocess_cfg(model),
        weights=fingerprint(model),
        config=hashlib.sha256(identity.encode()).hexdigest(),
    )


def hub_repo(spec: OpenClipSpec) -> str | None:
    """The repository on the hub that a model comes from; None where its weights lie here, or elsewhere.

    Raises:
        EncoderUnavailable: open_clip is not installed, or knows no such model.
    """
    if spec.source == "hub":
        return spec.model.removeprefix(HF_HUB)
    if spec.source != "tag":
        return None
    open_clip = require("open_clip")
    _check(open_clip, spec)
    return _of_tag(open_clip, spec)[0] or None


def fetch_clip(spec: OpenClipSpec, cache_dir: Path, *, tell: hub.Tell | None = None) -> hub.HubModel | None:
    """Get a model's files from the hub, those that are wanted; None where it is not from there.

    Raises:
        EncoderUnavailable: there is none of this name, or no way to it.
    """
    if (repo := hub_repo(spec)) is None:
        return None
    named = "" if spec.source == "hub" else _of_tag(require("open_clip"), spec)[1]
    return hub.fetch(repo, cache_dir, lambda names: _wanted(names, spec, named), tell=tell)


@dataclass(frozen=True, slots=True)
class _Source:
    """What open_clip is asked for, so that it goes to no network itself.

    Attributes:
        model: a name that open_clip knows, or ``local-dir:...``.
        pretrained: weights, for a name.
        tokenizer: what it is asked for a tokenizer.
        preprocess: what the tag says of it, where the weights are given as a file.
    """

    model: str
    pretrained: str | None
    tokenizer: str
    preprocess: dict[str, Any] | None = None


def _source(open_clip: Any, spec: OpenClipSpec, cache_dir: Path) -> _Source:
    """Where a model is once it is here; what is not here yet is fetched."""
    as_given = _Source(spec.model, spec.pretrained, spec.model)
    if (repo := hub_repo(spec)) is None:
        return as_given
    fetched = hub.fetched(repo, cache_dir) or fetch_clip(spec, cache_dir)
    if fetched is None:
        return as_given
    folder = fetched.check()
    if spec.source == "hub":
        local = f"{LOCAL_DIR}{folder}"
        own = any(name.startswith(_TOKENIZER) for name in fetched.files)
        asks_elsewhere = open_clip.get_model_config(local).get("text_cfg", {}).get("hf_tokenizer_name") and not own
        return _Source(local, None, spec.model if asks_elsewhere else local)
    _, named = _of_tag(open_clip, spec)
    weights = _weights_among(list(fetched.files), named)
    if weights is None:  # fetched for another purpose
        raise EncoderUnavailable(f"the weights of {spec.name} are not here: `postscope models --download` fetches them")
    said = open_clip.get_pretrained_cfg(spec.model, spec.pretrained)
    # The size is that of the model itself, as where open_clip fetches a tag.
    preprocess = {name: value for name, value in said.items() if name != "size"}
    return _Source(spec.model, str(folder / weights), spec.model, preprocess)


def _of_tag(open_clip: Any, spec: OpenClipSpec) -> tuple[str, str]:
    """Repository and file that a tag stands for; the file is empty for the usual one."""
    repo, _, name = str(open_clip.get_pretrained_cfg(spec.model, spec.pretrained).get("hf_hub", "")).rpartition("/")
    return repo, name


def _wanted(names: Sequence[str], spec: OpenClipSpec, named: str) -> list[str]:
    weights = _weights_among(names, named)
    if weights is None:
        raise EncoderUnavailable(f"{spec.name}: there are no weights for open_clip in it")
    if spec.source == "tag":
        return [weights]
    if "open_clip_config.json" not in names:
        raise EncoderUnavailable(f"{spec.name} is no model of open_clip: it has no open_clip_config.json")
    return ["open_clip_config.json", weights, *(name for name in names if name.startswith(_TOKENIZER))]


def _weights_among(names: Sequence[str], named: str) -> str | None:
    """As open_clip chooses: the safe format before the others."""
    if named:
        stem = named.rpartition(".")[0]
        return hub.first_of(names, f"{stem}.safetensors", named)
    return hub.first_of(names, "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
                        "open_clip_pytorch_model.bin")  # fmt: skip


def _check(open_clip: Any, spec: OpenClipSpec) -> None:
    """Say what is wrong with the setting before open_clip does, in words that name it."""
    if spec.source == "folder" and not Path(spec.model.removeprefix(LOCAL_DIR)).is_dir():
        raise EncoderUnavailable(f"{spec.name}: there is no folder {spec.model.removeprefix(LOCAL_DIR)}")
    if spec.source in {"folder", "hub"} or spec.pretrained is None:
        return
    if spec.model not in open_clip.list_models():
        near = difflib.get_close_matches(spec.model, open_clip.list_models(), n=3)
        raise EncoderUnavailable(f"open_clip has no model {spec.model!r}; near it: {', '.join(near) or 'none'}")
    if spec.source == "tag" and not open_clip.is_pretrained_cfg(spec.model, spec.pretrained):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(spec.model)) or "none"
        raise EncoderUnavailable(f"open_clip has no weights {spec.pretrained!r} for {spec.model}; it has: {tags}")
    if spec.source == "file" and not spec.pretrained.endswith(WEIGHTS_SUFFIXES):
        raise EncoderUnavailable(f"{spec.pretrained}: weights end in {', '.join(WEIGHTS_SUFFIXES)}")
    if spec.source == "file" and not Path(spec.pretrained).is_file():
        raise EncoderUnavailable(f"{spec.name}: there is no weights file {spec.pretrained}")


def _refuse_code(config: Any) -> None:
    """open_clip hands ``tokenizer_kwargs`` of a model's configuration to transformers as they are."""
    if isinstance(config, dict):
        if config.get("trust_remote_code"):
            raise EncoderUnavailable("the model's configuration asks for trust_remote_code, which stays off")
        config = list(config.values())
    for value in config if isinstance(config, list) else ():
        _refuse_code(value)


def _tag_wants_quick_gelu(open_clip: Any, spec: OpenClipSpec) -> bool:
    """``ViT-B-32/openai`` names an architecture with another activation than its weights were trained with.

    open_clip only warns, and the vectors are quietly worse.
    """
    if spec.source != "tag":
        return False
    return bool(open_clip.get_pretrained_cfg(spec.model, spec.pretrained).get("quick_gelu", False))
