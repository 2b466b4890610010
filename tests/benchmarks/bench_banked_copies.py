"""Banked pictures and texts found again after edits, against ``threatexchange`` with its default thresholds.

Run as ``python -m tests.benchmarks.bench_banked_copies [PHOTOS TWEETS.jsonl.gz [every]]``. Half of the photos are
banked as uploads; of these each ``every``-th is edited in all ways and asked about, and so is every photo that was not
banked, as it is. Tweets likewise. What is asked about is content that is not kept: it goes the way that a post goes
when it is enriched, from the file's bytes to the verdict. The peer gets the same bytes: PDQ within 31 bits for
pictures, its Levenshtein distance of 5% for texts.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from PIL import Image
from threatexchange.signal_type.pdq.signal import PdqSignal
from threatexchange.signal_type.raw_text import RawTextSignal

from postscope.backend.banks import catalogue, entries, making
from postscope.backend.banks.judging import judge
from postscope.backend.banks.making import GivenMedium
from postscope.backend.banks.probing import Checkable, KeptSignals, text_probe
from postscope.backend.banks.schema import BankIn, EntryIn, HashIn
from postscope.backend.fingerprinting import making as hashing
from postscope.backend.runtime import Runtime
from postscope.backend.uploads import add_upload
from postscope.indexing.fingerprints import words
from tests.benchmarks.bank_history import CALLER
from tests.benchmarks.bench_copies_texts import load
from tests.benchmarks.image_edits import EDITS as IMAGE_EDITS
from tests.benchmarks.rig import system
from tests.benchmarks.text_edits import EDITS as TEXT_EDITS

BANKED_TEXTS, OTHER_TEXTS = 300, 500

Finder = Callable[[bytes], set[int]]
"""Content to the numbers of the banked contents that it is said to be a copy of."""
Asked = tuple[str, int, bytes]
"""Edit, number of the banked content, edited content."""


@dataclass
class Told:
    """What one method said.

    Attributes:
        hits: by edit, for each copy whether its original was named.
        wrong: how often another content was named.
        false: contents that are in no bank, and were said to be.
    """

    hits: dict[str, list[bool]] = field(default_factory=dict)
    wrong: int = 0
    false: int = 0

    @property
    def recall(self) -> float:
        """Over all edits."""
        return float(np.mean([hit for hits in self.hits.values() for hit in hits]))


def compare(
    finders: dict[str, Finder],
    asked: Iterable[Asked],
    others: Sequence[bytes],
    fair: Callable[[int, int], bool] = lambda asked, found: False,
) -> dict[str, Told]:
    """All methods on the same contents, in turns. Another content that is ``fair`` to name is not wrong."""
    told = {name: Told() for name in finders}
    for edit, number, content in asked:
        for name, find in finders.items():
            found = find(content)
            told[name].hits.setdefault(edit, []).append(number in found)
            told[name].wrong += sum(other != number and not fair(number, other) for other in found)
    for content in others:
        for name, find in finders.items():
            told[name].false += bool(find(content))
    return told


def pictures(runtime: Runtime, folder: Path, every: int) -> None:
    """Print the half with pictures."""
    files = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    banked, others = files[::2], files[1::2]
    bank = _bank(runtime)
    numbers = {}
    for number, data in enumerate(banked):
        with runtime.database.session() as session:
            upload_id = add_upload(
                session, runtime.blobs, io.BytesIO(data), max_bytes=10**8, now=runtime.clock()
            ).id  # fmt: skip
        numbers[_entry(runtime, bank, EntryIn(upload_id=upload_id))] = number
    theirs = PdqSignal.get_index_cls()(
        [(made, number) for number, data in enumerate(banked) if (made := PdqSignal.hash_from_bytes(data))]
    )
    told = compare(
        {
            "ours": lambda data: _judged(
                runtime, making.checkable(runtime, runtime.live, None, [GivenMedium(data)]), numbers
            ),
            "threatexchange": lambda data: _theirs(theirs, PdqSignal.hash_from_bytes(data)),
        },
        _edited_pictures(banked, every),
        others,
    )
    _print(f"pictures: {len(banked)} banked, {len(others)} others", told)


def texts(runtime: Runtime, file: Path, every: int) -> None:
    """Print the half with texts."""
    chosen = [text for text in load(file) if text.isascii()]  # the peer's distance knows no other
    banked = chosen[:BANKED_TEXTS]
    further = chosen[BANKED_TEXTS : BANKED_TEXTS + 2 * OTHER_TEXTS]
    told_by = [set(words(text)) for text in banked]
    others = [text for text in further if not any(_alike(set(words(text)), known) for known in told_by)][:OTHER_TEXTS]
    bank = _bank(runtime)
    numbers = {
        _entry(runtime, bank, EntryIn(hashes=[HashIn(kind="text", value=text)])): number
        for number, text in enumerate(banked)
    }
    theirs = RawTextSignal.get_index_cls()()
    theirs.add_all([(text, number) for number, text in enumerate(banked)])

    def ours(data: bytes) -> set[int]:
        probe = text_probe(hashing.of_text(data.decode()))
        return _judged(runtime, Checkable((probe,) if probe else (), ()), numbers)

    told = compare(
        {"ours": ours, "threatexchange": lambda data: _theirs(theirs, data.decode())},
        _edited_texts(banked, every),
        [text.encode() for text in others],
        fair=lambda asked, found: _alike(told_by[asked], told_by[found]),
    )
    _print(f"texts: {len(banked)} banked, {len(others)} others of which no half is in a banked one", told)


def _alike(one: set[str], other: set[str]) -> bool:
    """Whether half of the words of either are in the other: no fair negative."""
    return len(one & other) >= 0.5 * min(len(one), len(other))


def _edited_pictures(banked: Sequence[bytes], every: int) -> Iterable[Asked]:
    rng = np.random.default_rng(0)
    for number in range(0, len(banked), every):
        image = Image.open(io.BytesIO(banked[number])).convert("RGB")
        for name, edit in IMAGE_EDITS.items():
            out = io.BytesIO()
            edit(image, rng).save(out, "JPEG", quality=90)
            yield name, number, out.getvalue()


def _edited_texts(banked: Sequence[str], every: int) -> Iterable[Asked]:
    rng = random.Random(0)
    for number in range(0, len(banked), every):
        for name, edit in TEXT_EDITS.items():
            yield name, number, edit(banked[number], rng).encode()


def _judged(runtime: Runtime, content: Checkable, numbers: dict[UUID, int]) -> set[int]:
    judged = judge(runtime.banks.fresh(), content, now=runtime.clock(), kept=KeptSignals(runtime.database))
    entries = {match.found.entry for match in judged.matches if match.found.tier == "copy"}
    return {numbers[entry] for entry in entries if entry in numbers}


def _theirs(index, signal: str) -> set[int]:  # type: ignore[no-untyped-def]
    try:
        return {match.metadata for match in index.query(signal)} if signal else set()
    except UnicodeEncodeError:  # letters that its distance does not know: it cannot be asked
        return set()


def _bank(runtime: Runtime) -> UUID:
    with runtime.database.session() as session:
        return catalogue.create(session, BankIn(name=uuid4().hex), CALLER, now=runtime.clock()).id


def _entry(runtime: Runtime, bank: UUID, given: EntryIn) -> UUID:
    content = entries.of_hashes(given.hashes) if given.hashes else making.entry_content(runtime, given)
    with runtime.database.session() as session:
        return entries.add(session, bank, given, content, CALLER, now=runtime.clock()).id


def _print(title: str, told: dict[str, Told]) -> None:
    print(f"{title}\n{'':30}" + "".join(f"{name:>16}" for name in told))
    for edit in next(iter(told.values())).hits:
        print(f"{edit:30}" + "".join(f"{np.mean(one.hits[edit]):16.3f}" for one in told.values()))
    print(f"{'recall over all edits':30}" + "".join(f"{one.recall:16.3f}" for one in told.values()))
    print(f"{'another content was named':30}" + "".join(f"{one.wrong:16}" for one in told.values()))
    print(f"{'of the others said to be known':30}" + "".join(f"{one.false:16}" for one in told.values()), flush=True)


def main() -> None:
    """Both halves."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/photos")
    file = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/airline_tweets.jsonl.gz")
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    if not folder.is_dir() or not file.is_file():
        print(f"skipped: there is no {folder} or no {file}")
        return
    with system() as runtime:
        pictures(runtime, folder, every)
        texts(runtime, file, every)


if __name__ == "__main__":
    main()
