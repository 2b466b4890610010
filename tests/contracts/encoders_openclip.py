"""Small open_clip and sentence-transformers models, made with a seed and saved, for tests to load back."""

from __future__ import annotations

import json
from pathlib import Path

from postscope.indexing.encoders.openclip import OpenClipEncoder, open_openclip

ARCHITECTURE = "postscope-tiny"
CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESS = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}


def make_weights(folder: Path, *, seed: int = 0) -> dict[str, Path]:
    """The same weights as ``.safetensors``, as ``.pt`` and as a folder that says its own architecture."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = folder / f"{ARCHITECTURE}.json"
    config.write_text(json.dumps(CONFIG))
    if ARCHITECTURE not in open_clip.list_models():
        open_clip.add_model_config(config)
    torch.manual_seed(seed)
    state = open_clip.create_model(ARCHITECTURE).state_dict()
    paths = {"safetensors": folder / "tiny.safetensors", "pt": folder / "tiny.pt", "folder": folder / "tiny"}
    save_file(state, paths["safetensors"])
    torch.save(state, paths["pt"])
    paths["folder"].mkdir()
    save_file(state, paths["folder"] / "open_clip_model.safetensors")
    described = {"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}
    (paths["folder"] / "open_clip_config.json").write_text(json.dumps(described))
    return paths


def make_text_model(folder: Path, *, dim: int = CONFIG["embed_dim"], seed: int = 0) -> Path:
    """A BERT of two small layers, mean pooling and a projection, saved by sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = folder / "bert"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(bert)
    BertTokenizerFast(vocab_file=str(bert / "vocab.txt"), model_max_length=64).save_pretrained(bert)
    tower = modules.Transformer(str(bert), max_seq_length=64)
    whole = SentenceTransformer(modules=[tower, modules.Pooling(32, "mean"), Dense(32, dim)], device="cpu")
    whole.save(str(folder / "text-model"))
    return folder / "text-model"


def open_tiny(folder: Path, *, aligned_text: bool = False) -> OpenClipEncoder:
    """The encoder as users open it, on weights made in ``folder``."""
    text_model = str(make_text_model(folder)) if aligned_text else None
    spec = f"open_clip:{ARCHITECTURE}/{make_weights(folder)['safetensors']}"
    return open_openclip(spec, text_model=text_model, cache_dir=folder / "cache", device="cpu", threads=2)
