"""After a change of the space, entries get vectors of the new one; until then look-alikes could not be checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, cycle
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.orm import Session

from postscope.backend.banks.history import Resembling
from postscope.backend.banks.sought import Sought
from postscope.backend.database import Database
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.settings import EncoderSettings, Settings
from postscope.backend.tables import BankSignal, BankVector
from postscope.backend.work import Stage
from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.known.index import KnownIndex
from postscope.indexing.types import Centres, Space, Vectors
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers import bank_retro, respace
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from tests.conftest import SetClock
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import SCAM, BankDesk, banks
from tests.workers.small_encoder import DIM, SmallEncoder, vectors, write_calibration

__all__ = ["banks"]

OTHER = Space("other", "1" * 64, "1", DIM)
HARMLESS = "a quite harmless text about gulls, ferries and the weather"


class OtherEncoder(SmallEncoder):
    """The same in another space: every vector is another one."""

    @property
    def space(self) -> Space:
        return OTHER

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return -super().encode_texts(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return -super().encode_images(images)


@pytest.fixture
def runtime(settings: Settings, database: Database, clock: SetClock) -> Iterator[Runtime]:
    """The English model has another space."""
    write_calibration(settings.model_cache)
    nothing, cohort = np.zeros(DIM, np.float32), vectors([bytes([n]) for n in range(8)])
    SpaceCalibration(Centres(nothing, nothing, nothing), cohort, cohort, {}).save(
        settings.model_cache / f"calibration-{OTHER.id}.npz"
    )
    encoders = {"bundled": SmallEncoder(), "bundled-en": OtherEncoder()}
    made = Runtime(settings, database, clock=clock, open_encoder=lambda chosen: encoders[chosen.name])
    ensure_live_space(made)
    yield made
    made.close()


def change_space(banks: BankDesk) -> None:
    row = respace.begin(banks.runtime, EncoderSettings(name="bundled-en"))
    assert respace.backfill(banks.runtime, row)
    spaces = respace.spaces_of(banks.runtime)
    assert spaces.audit(row.id).passed
    spaces.finish(row.id)
    banks.runtime.forget_live()
    assert banks.runtime.live.encoder.space.id == OTHER.id


def parts(banks: BankDesk, entry: str, space: str) -> set[str]:
    with banks.runtime.database.session() as session:
        rows = session.query(BankVector.part).filter_by(entry_id=UUID(entry), space=space)
        return {row.part for row in rows}


def test_vectors_are_made_anew_and_look_alikes_could_not_be_checked_until_then(banks: BankDesk) -> None:
    bank = banks.bank()
    # known by its vector alone: the hashes of an edited text are far away
    text = banks.text_entry(bank)
    of_post = banks.entry(bank, post_id=str(banks.post(HARMLESS, uploads=[banks.upload(picture(3))])))
    of_upload = banks.entry(bank, upload_id=banks.upload(picture(1)))
    told = banks.verdict(banks.post("nothing like any of them"))
    assert (told["look_alike_verdict"], told["look_alikes_unchecked"]) == ("no_match", 0)
    change_space(banks)
    copy, other = banks.post(SCAM), banks.post("nothing like any of them either")
    assert banks.verdict(copy)["verdict"] == "match", "copies need no space"
    late = banks.verdict(other)
    assert (late["verdict"], late["unchecked"]) == ("no_match", [])
    assert (late["look_alike_verdict"], late["look_alikes_unchecked"]) == ("could_not_check", 3)
    asked = banks.ask("POST", "/api/ml/moderation", {"text": "nothing at all"})["banks"]
    assert (asked["look_alike_verdict"], asked["look_alikes_unchecked"]) == ("could_not_check", 3)
    sweep(banks.runtime)
    sweep(banks.runtime)
    assert work_runs(banks.runtime) == 1
    assert parts(banks, text["id"], OTHER.id) == {"text"}
    assert parts(banks, of_post["id"], OTHER.id) == {"text", "media"}
    assert parts(banks, of_upload["id"], OTHER.id) == {"media"}
    with banks.runtime.database.session() as session:
        row = session.query(BankVector).filter_by(entry_id=UUID(text["id"]), space=OTHER.id).one()
        made = np.frombuffer(row.vector, np.float32)
    assert np.allclose(made, -vectors([SCAM.lower().encode()])) or np.allclose(made, -vectors([SCAM.encode()]))
    assert banks.desk.work(other, Stage.ENRICH) is not None, "it is compared with what was lacking"
    banks.desk.run(Stage.ENRICH)
    now = banks.verdict(other)
    assert (now["look_alike_verdict"], now["look_alikes_unchecked"]) == ("no_match", 0)
    sweep(banks.runtime)
    assert work_runs(banks.runtime) == 0, "nothing is lacking any more"


def test_an_entry_whose_content_is_gone_stays_unchecked_and_is_not_tried_for_ever(banks: BankDesk) -> None:
    entry = banks.entry(banks.bank(), upload_id=banks.upload(picture(1)))
    with banks.runtime.database.session() as session:
        [signal] = session.query(BankSignal).filter_by(entry_id=UUID(entry["id"]), kind="sha256")
        sha256 = signal.value.hex()
    banks.runtime.blobs.delete(sha256)
    change_space(banks)
    sweep(banks.runtime)
    assert work_runs(banks.runtime) == 1
    post = banks.post(HARMLESS)
    told = banks.verdict(post)
    assert (told["verdict"], told["look_alike_verdict"]) == ("no_match", "could_not_check")
    sweep(banks.runtime)
    assert work_runs(banks.runtime) == 0
    banks.ask("PATCH", f"/v1/banks/entries/{entry['id']}", {"enabled": False})
    assert banks.verdict(banks.post(HARMLESS))["look_alikes_unchecked"] == 0, "what matches nothing lacks nothing"


def test_a_sweep_compares_vectors_of_one_space_while_another_is_switched_to(
    banks: BankDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks.post(HARMLESS)
    bank = banks.bank()
    banks.text_entry(bank)
    banks.ask("POST", f"/v1/banks/{bank}/retro", {}, status=202)
    before = banks.runtime.live
    after = replace(before, encoder=OtherEncoder())
    models = chain([before], cycle([before, after]))
    monkeypatch.setattr(Runtime, "live", property(lambda _: next(models)))
    seen: list[tuple[str, str]] = []

    def resembling(
        _: Runtime, model: SpaceModel, index: KnownIndex, ids: Sequence[UUID], *, least: float
    ) -> tuple[list[Resembling], int]:
        seen.append((model.encoder.space.id, asked[-1]))
        return [], 0

    asked: list[str] = []
    sought = bank_retro.sought.sought

    def told(session: Session, params: dict[str, Any], space: str, before: Sought | None = None) -> Sought:
        asked.append(space)
        return sought(session, params, space, before)

    monkeypatch.setattr(bank_retro.history, "resembling", resembling)
    monkeypatch.setattr(bank_retro.sought, "sought", told)
    assert work_runs(banks.runtime) == 1
    assert seen
    assert all(of_model == of_entries for of_model, of_entries in seen)
