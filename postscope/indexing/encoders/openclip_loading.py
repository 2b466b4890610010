"""From ``open_clip:<model>/<pretrained>`` to a loaded model, running nothing that it brings along."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.torch_device import fingerprint, loading, require

PREFIX = "open_clip:"
LOCAL_DIR = "local-dir:"
HF_HUB = "hf-hub:"
WEIGHTS_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
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
    cache = str(cache_dir)
    with loading(spec.name, HINT):
        config = _model_config(open_clip, spec, cache)
        _refuse_code(config)
        quick_gelu = _tag_wants_quick_gelu(open_clip, spec)
        model = open_clip.create_model(
            spec.model,
            spec.pretrained,
            cache_dir=cache,
            force_quick_gelu=quick_gelu,
            pretrained_text=False,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(spec.model, cache_dir=cache)
    identity = json.dumps({"config": config, "quick_gelu": quick_gelu}, sort_keys=True)
    return LoadedClip(
        model=model.eval().requires_grad_(False),
        tokenizer=tokenizer,
        context=tokenizer.context_length,
        preprocess=open_clip.get_model_preprocess_cfg(model),
        weights=fingerprint(model),
        config=hashlib.sha256(identity.encode()).hexdigest(),
    )


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


def _model_config(open_clip: Any, spec: OpenClipSpec, cache: str) -> dict[str, Any]:
    """The architecture; from the hub by way of our cache (``get_model_config`` would use another)."""
    if spec.source != "hub":
        return dict(open_clip.get_model_config(spec.model))
    path = open_clip.pretrained.download_pretrained_from_hf(
        spec.model.removeprefix(HF_HUB), filename="open_clip_config.json", cache_dir=cache
    )
    return dict(json.loads(Path(path).read_text(encoding="utf-8"))["model_cfg"])


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
