"""What every encoder promises; a new one is added to ``encoders.py``."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

from postscope.indexing.encoders.base import Encoder
from postscope.indexing.types import Vectors
from tests.contracts.encoders import ENCODERS, EncoderCase

TEXTS = [
    "The keeper saved two penalties and the whole stand sang until midnight.",
    "lost cat",
    "",
    "Nuevo récord: el tren llega a la capital en dos horas 🚄",
    "机场今天因为大雪关闭，所有航班取消。",
    "A long walk. " * 60,
    "#sale 50% off all running shoes http://example.org/x?y=1",
    "قهوة الصباح مع الأصدقاء",
    "tomato soup with basil",
]

ODD_TEXTS = {
    "empty": "",
    "spaces": " \t\n ",
    "100,000 characters": "many words of a very long post " * 3226,
    "100,000 characters without a space": "x" * 100_000,
    "only emoji": "😀🎉🔥👩‍👩‍👧‍👦🇪🇸" * 5,
    "right to left": "שלום עולם، مرحبا بالعالم",
    "direction marks": "\u202eabc\u202c\u200f",
    "NUL bytes": "before\0after\0",
    "only NUL": "\0",
    "a lone surrogate": "caf\ud83d",
    "control characters": "\x01\x02\x1b[31m",
    "a special token": "</s><s>[SEP][CLS]<|endoftext|>",
    "combining marks": "e" + "\u0301" * 500,
}

ODD_SIZES = [(1, 1), (1, 2), (1, 5000), (5000, 1), (7, 3), (4000, 3000)]


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Discs on a coloured ground."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        r = random.integers(10, 80)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


PICTURES = [picture(seed, size) for seed, size in enumerate([(320, 240), (224, 224), (90, 400), (640, 200)] * 3)]


@pytest.fixture(scope="module", params=ENCODERS, ids=lambda case: case.name)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    case: EncoderCase = request.param
    for module in case.needs:
        pytest.importorskip(module, reason="the [clip] extra is not installed")
    return case.open(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(params=["encode_texts", "encode_queries", "encode_images"])
def side(request: pytest.FixtureRequest, encoder: Encoder) -> tuple[Callable[[Sequence], Vectors], list]:
    """A method and a list of what it takes."""
    inputs = PICTURES if request.param == "encode_images" else TEXTS
    return getattr(encoder, request.param), inputs


def assert_sound(vectors: Vectors, n: int, encoder: Encoder) -> None:
    assert isinstance(vectors, np.ndarray)
    assert vectors.dtype == np.float32
    assert vectors.shape == (n, encoder.space.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def assert_alike(found: Vectors, expected: Vectors, cosine: float = 0.999) -> None:
    assert found.shape == expected.shape
    assert (found * expected).sum(axis=1).min() >= cosine


def test_it_is_an_encoder_with_a_space(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.space.name
    assert encoder.space.preprocessing
    assert encoder.space.dim > 0
    assert len(bytes.fromhex(encoder.space.weights)) == 32


def test_shape_type_and_length(side, encoder: Encoder) -> None:
    encode, inputs = side
    assert_sound(encode(inputs), len(inputs), encoder)
    assert_sound(encode(tuple(inputs[:1])), 1, encoder)


def test_nothing_gives_no_rows(side, encoder: Encoder) -> None:
    encode, _ = side
    for nothing in ([], ()):
        vectors = encode(nothing)
        assert vectors.shape == (0, encoder.space.dim)
        assert vectors.dtype == np.float32


def test_the_order_is_that_of_the_input(side) -> None:
    encode, inputs = side
    straight = encode(inputs)
    turned = encode(inputs[::-1])[::-1]
    assert_alike(turned, straight)
    near = straight @ turned.T
    for row in range(len(inputs)):
        assert near[row, row] >= near[row].max() - 1e-3


def test_a_vector_does_not_depend_on_its_batch(side) -> None:
    encode, inputs = side
    alone = np.concatenate([encode([one]) for one in inputs])
    assert_alike(encode(inputs), alone)
    assert_alike(encode([*inputs, *inputs, *inputs])[-len(inputs) :], alone)


def test_the_same_again(side) -> None:
    encode, inputs = side
    assert_alike(encode(inputs), encode(inputs), cosine=1 - 1e-5)


def test_different_contents_differ(side) -> None:
    encode, inputs = side
    inputs = [one for one in inputs if not isinstance(one, str) or one.isascii()]
    cosines = encode(inputs) @ encode(inputs).T
    assert cosines[~np.eye(len(inputs), dtype=bool)].max() < 0.99999


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_any_string_is_defined(text: str, encoder: Encoder) -> None:
    for encode in (encoder.encode_texts, encoder.encode_queries):
        alone = encode([text])
        assert_sound(alone, 1, encoder)
        assert_alike(encode(["before", text, "after"])[1:2], alone)


def test_a_text_beside_odd_ones_is_what_it_is_alone(encoder: Encoder) -> None:
    together = encoder.encode_texts(["tomato soup with basil", *ODD_TEXTS.values()])
    assert_sound(together, 1 + len(ODD_TEXTS), encoder)
    assert_alike(together[:1], encoder.encode_texts(["tomato soup with basil"]))


@pytest.mark.parametrize("size", ODD_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_size_is_defined(size: tuple[int, int], encoder: Encoder) -> None:
    image = picture(1, size)
    alone = encoder.encode_images([image])
    assert_sound(alone, 1, encoder)
    assert_alike(encoder.encode_images([PICTURES[0], image, PICTURES[1]])[1:2], alone)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_other_modes_are_taken_as_converted(mode: str, encoder: Encoder) -> None:
    image = picture(2).convert("I").convert("I;16") if mode == "I;16" else picture(2).convert(mode)
    assert_alike(encoder.encode_images([image]), encoder.encode_images([image.convert("RGB")]))


def test_images_are_left_as_they_were(encoder: Encoder) -> None:
    images = [picture(3), picture(4).convert("RGBA")]
    before = [(image.mode, image.size, image.tobytes()) for image in images]
    encoder.encode_images(images)
    assert [(image.mode, image.size, image.tobytes()) for image in images] == before


def test_queries_and_texts_share_a_space(encoder: Encoder) -> None:
    texts = [text for text in TEXTS if text.isascii() and text]
    cosines = encoder.encode_queries(texts) @ encoder.encode_texts(texts).T
    assert (cosines.argmax(axis=1) == np.arange(len(texts))).all()


def test_several_threads_at_once(encoder: Encoder) -> None:
    calls = [(encoder.encode_texts, TEXTS[i:]) for i in range(4)]
    calls += [(encoder.encode_queries, TEXTS[: i + 1]) for i in range(4)]
    calls += [(encoder.encode_images, PICTURES[i : i + 5]) for i in range(4)]
    expected = [encode(inputs) for encode, inputs in calls]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda call: call[0](call[1]), calls * 2))
    for one, other in zip(found, expected * 2, strict=True):
        assert_alike(one, other)


def longest_pause(work: Callable[[], object]) -> float:
    """The longest time this thread got no turn while ``work`` ran in another, as a share of the whole."""
    thread = threading.Thread(target=work)
    marks = [time.perf_counter()]
    thread.start()
    while thread.is_alive():
        marks.append(time.perf_counter())
    marks.append(time.perf_counter())
    return float(np.diff(marks).max() / (marks[-1] - marks[0]))


def test_the_interpreter_is_free_while_the_model_runs(encoder: Encoder) -> None:
    """A run of the model is no long pause for other threads.

    The best of several tries counts: a pause may also be the machine's.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        long_text, image = "several words of a long post " * 100, picture(5)
        for work in (lambda: encoder.encode_texts([long_text]), lambda: encoder.encode_images([image])):
            work()
            assert min(longest_pause(work) for _ in range(8)) < 0.5
    finally:
        sys.setswitchinterval(usual)
