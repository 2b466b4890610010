"""What every ``Fingerprinter`` promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from postscope.indexing.fingerprints import PDQ_RADIUS, ExactText, FileHash, Fingerprinter, Pdq, Shingles


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize((480, 360), Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Case:
    fingerprinter: Fingerprinter[Any]
    content: Any
    same: Any
    other: Any
    nothing: Any
    size: int


LONG = "The ferry to the island leaves at nine, and again at noon if the tide allows"
CASES = {
    "pdq": Case(Pdq(), picture(1), picture(1).resize((240, 180)), picture(2), None, 32),
    "sha256": Case(FileHash("sha256"), b"one", b"one", b"two", b"", 32),
    "md5": Case(FileHash("md5"), b"one", b"one", b"two", b"", 16),
    "text": Case(ExactText(), LONG, LONG.upper() + "!!! https://example.org/a", "another text", "https://e.org/", 32),
    "shingles": Case(Shingles(), LONG, LONG.replace(",", " -"), "Nothing of it is like the other one", "short", 32),
}


@pytest.fixture(params=CASES, name="case")
def _case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def made(case: Case, content: Any) -> bytes:
    found = case.fingerprinter.fingerprint(content)
    assert found is not None
    assert 0 <= found.quality <= 100
    return found.value


def test_the_size_is_one(case: Case) -> None:
    assert len(made(case, case.content)) == len(made(case, case.other)) == case.size


def test_equal_content_has_equal_fingerprints(case: Case) -> None:
    assert made(case, case.content) == made(case, case.content)
    assert case.fingerprinter.distance(made(case, case.content), made(case, case.content)) == 0


def test_the_distance_tells_the_same_from_another(case: Case) -> None:
    one, same, other = made(case, case.content), made(case, case.same), made(case, case.other)
    assert case.fingerprinter.distance(one, same) < case.fingerprinter.distance(one, other)
    assert case.fingerprinter.distance(one, other) == case.fingerprinter.distance(other, one)


def test_a_fingerprint_of_another_kind_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="bytes"):
        case.fingerprinter.distance(made(case, case.content), b"short")


def test_content_that_says_nothing_has_none(case: Case) -> None:
    if case.nothing is not None:
        assert case.fingerprinter.fingerprint(case.nothing) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3, 2)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_pdq_of_any_picture_is_defined(size: tuple[int, int], mode: str) -> None:
    found = Pdq().fingerprint(Image.new(mode, size))
    assert found is not None
    assert found.quality == 0


def test_pdq_finds_a_picture_whichever_way_it_was_turned() -> None:
    pdq, original = Pdq(), picture(3)
    stored = made(CASES["pdq"], original)
    for turn in Image.Transpose:
        variants = pdq.turned(original.transpose(turn))
        assert min(pdq.distance(stored, variant) for variant in variants) <= PDQ_RADIUS, turn


def test_letters_that_pass_for_others_are_seen_through() -> None:
    plain, dressed = "Free vouchers at the harbour", "Frее vоuсhеrs аt thе hаrb0ur"
    assert made(CASES["text"], plain) == made(CASES["text"], dressed)


def test_shingles_tell_the_resemblance() -> None:
    shingles = Shingles()
    first, second = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789"
    # 23 pieces of 33 in common
    far = shingles.distance(made(CASES["shingles"], first), made(CASES["shingles"], second))
    assert abs(far - 128 * (1 - 23 / 33)) < 30


def test_an_unknown_file_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="crc32"):
        FileHash("crc32")
