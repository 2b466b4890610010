from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.keywords import AVERAGE_LENGTH, K1, B, KeywordEncoder, hashtags, term_id
from postscope.indexing.tokens import Kind, document_tokens, pieces

encoder = KeywordEncoder()
any_text = st.text(st.characters(), max_size=120)
social = st.text(st.sampled_from(list("aBé1漢カกह् #@$.-/_:+'\u200d\u200cх👩🏽🚀🇩🇪\ufe0f\u0301\x00")), max_size=80)


def finds(query: str, text: str) -> bool:
    """Whether every term of the query is in the document."""
    asked = encoder.query(query)
    return bool(asked) and set(asked.indices) <= set(encoder.document(text).indices)


def touches(query: str, text: str) -> bool:
    """Whether any term of the query is in the document."""
    return bool(encoder.matched(query, text))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cafe", "Ein Café am Meer"),
        ("CAFÉ", "ein café am Meer"),
        ("strasse", "Die Straße"),
        ("елка", "ёлка"),
        ("كتاب", "هذا كِتَاب جميل"),
        ("میخواهم", "می‌خواهم"),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
        ("#climateaction", "Now! #ClimateAction"),
        ("climate action", "Now! #ClimateAction"),
        ("climateaction", "Now! #ClimateAction"),
        ("#東京タワー", "見て #東京タワー"),
        ("東京", "見て #東京タワー"),
        ("@jetblue", "thanks @JetBlue's crew"),
        ("jetblue", "thanks @JetBlue"),
        ("@ana.bsky.social", "hey @ana.bsky.social!"),
        ("@ana@mastodon.example", "hey @ana@mastodon.example."),
        ("nvx2-118", "Recall of NVX2-118, see"),
        ("NVX2‑118", "Recall of NVX2-118"),
        ("118", "Recall of NVX2-118"),
        ("SM-G991B/DS", "my (SM-G991B/DS) broke"),
        ("G991B", "my SM-G991B/DS broke"),
        ("v2.1.0", "released v2.1.0."),
        ("3.5", "it is 3.5, not 4"),
        ("C++", "C++, mostly"),
        ("c#", "I write C#."),
        ("$AAPL", "$aapl is up"),
        ("example.com", "read https://www.Example.com:8080/a?b#c now"),
        ("example.com", "read example.com/a"),
        ("example", "read https://example.com"),
        ("mara@example.com", "write to Mara@Example.com"),
        ("👍", "great 👍🏽"),
        ("❤️", "I ❤ it"),
        ("🚀", "👩🏽‍🚀 went up"),
        ("🇩🇪", "los 🇩🇪🇫🇷"),
        ("東京タワー", "昨日東京タワーに行った"),
        ("猫", "黒猫がいる"),
        ("iPhone15", "新しいiPhone15を買った"),
        ("서울", "서울에서 만나요"),
        ("สวย", "ที่นี่สวยมาก"),
        ("ＦＲＥＥ", "free"),
        ("𝓯𝓻𝓮𝓮", "free"),
        ("free", "f\u200bree"),
        ("don't", "I don't"),
    ],
)
def test_finds(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("#climate", "#ClimateAction and climate"),
        ("#climateaction", "climateaction climate action"),
        ("@jetblue", "JetBlue jetblue #jetblue"),
        ("@ana", "@ana.bsky.social"),
        ("NVX2-118", "NVX2-119 and NVX2 and 118"),
        ("SM-G991B/DS", "SM-G991B"),
        ("C++", "C and C#"),
        ("example.com", "an example, com"),
        ("🚀", "rocket"),
        ("мой", "мои"),
        ("京都", "東京と大都市"),
        ("cat", "category"),
    ],
)
def test_does_not_find(query: str, text: str) -> None:
    assert not touches(query, text)


@pytest.mark.parametrize("text", ["", " \n", "\x00", "!?!", "\u200b\u200d", "#", "@", "# $ @ - _", "\u0301\u0301"])
def test_no_words_give_an_empty_vector(text: str) -> None:
    assert not encoder.document(text)
    assert not encoder.query(text)


def test_weights_are_those_of_bm25() -> None:
    vector = encoder.document("wind wind sea")
    norm = K1 * (1 - B + B * 3 / AVERAGE_LENGTH)
    weights = dict(zip(vector.indices, vector.values, strict=True))
    assert weights[term_id("wind")] == pytest.approx(2 * (K1 + 1) / (2 + norm))
    assert weights[term_id("sea")] == pytest.approx((K1 + 1) / (1 + norm))


def test_a_term_saturates_and_a_long_text_counts_less() -> None:
    def weight(text: str) -> float:
        vector = encoder.document(text)
        return vector.values[vector.indices.index(term_id("sea"))]

    assert weight("sea") < weight("sea sea") < weight("sea " * 50) < K1 + 1
    assert weight("sea " + "other " * 100) < weight("sea other")
    assert weight("sea") > weight("@sea")


def test_query_terms_say_what_was_written() -> None:
    terms = encoder.query_terms("Café #Sea KB-2041 café")
    assert [(t.word, t.token, t.kind) for t in terms] == [
        ("Café", "café", Kind.WORD),
        ("Café", "cafe", Kind.WORD),
        ("#Sea", "#sea", Kind.HASHTAG),
        ("KB-2041", "kb-2041", Kind.CODE),
    ]
    assert [t.word for t in encoder.matched("cafe #sea NVX2-118", "le café #SEA")] == ["cafe", "#sea"]


def test_ids_are_the_same_for_ever() -> None:
    assert [term_id(token) for token in ("cafe", "café", "#sea", "東京", "👍")] == [
        1835051997,
        3671061617,
        2376936368,
        2190074356,
        670478791,
    ]


def test_hashtags_of_a_text() -> None:
    assert hashtags("#Sea ＃Wind #sea #1 x#no #東京 &#39; https://a.example/#frag #2fast") == [
        "sea",
        "wind",
        "東京",
        "2fast",
    ]
    assert hashtags("none") == []


@given(any_text | social)
def test_vectors_are_well_formed(text: str) -> None:
    for vector in (encoder.document(text), encoder.query(text)):
        assert len(vector.indices) == len(vector.values)
        assert all(a < b for a, b in zip(vector.indices, vector.indices[1:], strict=False))
        assert all(0 <= index < 2**32 for index in vector.indices)
        assert all(0 < value < K1 + 1 for value in vector.values)


@given(any_text | social)
def test_a_text_finds_itself(text: str) -> None:
    assert set(encoder.query(text).indices) <= set(encoder.document(text).indices)


@given(st.lists(social | any_text, max_size=6))
def test_what_was_seen_before_changes_nothing(texts: list[str]) -> None:
    used = KeywordEncoder()
    for text in texts:
        assert used.document(text) == KeywordEncoder().document(text)


@given(st.text(st.sampled_from("abXY.,:;!?\"'()"), max_size=12))
def test_the_short_way_for_plain_words_gives_the_same(word: str) -> None:
    tokens = {term_id(token) for piece in pieces(word) for token, _ in document_tokens(piece)}
    assert set(encoder.document(word).indices) == tokens


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "a-", "#1", "@a", "a+", "@a.", "www.", "http://", "1.", "東京", "👩‍🚀", "🇩", "\ufdfa", "c+", "lorem "],
)
@pytest.mark.timeout(30)
def test_a_hundred_thousand_characters_end(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    assert len(encoder.document(text).indices) < 10
    encoder.query(text)


@given(st.text(max_size=200), st.text(max_size=50))
def test_the_terms_among_others_are_those_of_the_document(text: str, other: str) -> None:
    keywords = KeywordEncoder()
    wanted = set(keywords.document(text + " " + other).indices)
    finder = keywords.finder(wanted)
    for texts in ([text, other[:3]], [other], [text]):  # what it remembers of one document tells nothing of another
        assert finder.among(texts) == set(keywords.document_of(texts).indices) & wanted
