"""Banks as files: understood by Meta's threatexchange and from it, and no way in for what is hostile."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postscope.backend.auth import Role
from postscope.backend.banks.exchange import Told, read, write
from postscope.indexing.fingerprints import Pdq
from tests.contracts.test_fingerprinters import picture
from tests.media_files import encoded
from tests.workers.bank_desk import SCAM, BankDesk, banks

__all__ = ["banks"]

PDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
MD5 = "cab08b36195edb1a1231d2d09fa450e0"


def send(banks: BankDesk, bank: str, data: bytes, *, status: int = 200, **form: str) -> Any:
    banks.ask("GET", "/v1/banks")
    answer = banks.http.post(
        f"/v1/banks/{bank}/import", files={"file": ("bank.csv", data)}, data=form, headers=banks._headers["moderator"]
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def fetch(banks: BankDesk, bank: str, query: str = "", *, status: int = 200) -> str:
    answer = banks.http.get(f"/v1/banks/{bank}/export{query}", headers=banks._headers["moderator"])
    assert answer.status_code == status, answer.text
    return answer.text


def count(banks: BankDesk, bank: str) -> int:
    return int(banks.ask("GET", f"/v1/banks/{bank}")["entries"])


# --- interoperability ----------------------------------------------------------------------------------------------


def te_types() -> dict[str, Any]:
    pytest.importorskip("threatexchange")
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal
    from threatexchange.signal_type.raw_text import RawTextSignal
    from threatexchange.signal_type.sha256 import VideoSHA256Signal

    return {kind.get_name(): kind for kind in (PdqSignal, VideoMD5Signal, VideoSHA256Signal, RawTextSignal)}


def test_hashes_made_there_match_here(banks: BankDesk, tmp_path: Path) -> None:
    kinds = te_types()
    data = encoded(picture(1), "PNG")
    signals = {
        "pdq": kinds["pdq"].hash_from_bytes(encoded(picture(2), "PNG")),
        "video_md5": kinds["video_md5"].hash_from_bytes(data),
        "raw_text": SCAM,
    }
    out = io.StringIO()
    writer = csv.DictWriter(out, ["signal_type", "signal_str", "collab", "category", "tags"])
    writer.writeheader()
    for name, signal in signals.items():
        writer.writerow({"signal_type": name, "signal_str": signal, "collab": "partner", "category": "POSITIVE_CLASS",
                         "tags": "scam spam"})  # fmt: skip
    bank = banks.bank()
    assert send(banks, bank, out.getvalue().encode())["entries"] == 3
    for text, image, kind in (("", picture(2), "pdq"), ("", data, "md5"), (SCAM.upper(), None, "text")):
        uploads = [banks.upload(image)] if image is not None else []
        [match] = banks.verdict(banks.post(text, uploads=uploads))["copies"]
        assert match["kind"] == kind
    [entry, *_] = banks.ask("GET", f"/v1/banks/{bank}/entries")["entries"]
    assert (entry["source"], entry["tags"]) == ("partner", ["scam", "spam"])


def test_hashes_made_here_match_there(banks: BankDesk, tmp_path: Path) -> None:
    kinds = te_types()
    from threatexchange.exchanges.impl.file_api import FileCollaborationConfig, LocalFileSignalExchangeAPI

    data = encoded(picture(1), "PNG")
    bank = banks.bank()
    banks.entry(bank, upload_id=banks.upload(data))
    banks.text_entry(bank)
    path = tmp_path / "signals.txt"
    path.write_text(fetch(banks, bank, "?format=signals"))
    exchange = LocalFileSignalExchangeAPI(FileCollaborationConfig(name="ours", api="local_file", filename=str(path)))
    [delta] = exchange.fetch_iter([], None)
    fetched = dict(delta.updates.keys())
    assert sorted(fetched) == ["pdq", "raw_text", "video_md5", "video_sha256"]
    for name, signal in fetched.items():
        assert kinds[name].validate_signal_str(signal) == signal
        index = kinds[name].get_index_cls().build([(signal, name)])
        asked = SCAM.upper() if name == "raw_text" else kinds[name].hash_from_bytes(data)
        assert [match.metadata for match in index.query(asked)] == [name]
    assert len(fetched) == len(fetch(banks, bank, "?format=signals").splitlines()), "turned forms stay here"


def test_rows_of_threatexchange_dumps_come_in_and_go_out(banks: BankDesk, tmp_path: Path) -> None:
    pytest.importorskip("threatexchange")
    from threatexchange.cli.dataset.simple_serialization import CliIndicatorSerialization
    from threatexchange.exchanges.clients.fb_threatexchange.descriptor import SimpleDescriptorRollup

    rollup = SimpleDescriptorRollup(7, "2026-01-01", {"scam"})
    [path] = CliIndicatorSerialization.store(tmp_path, [CliIndicatorSerialization("HASH_PDQ", PDQ, rollup)])
    bank = banks.bank()
    assert send(banks, bank, path.read_bytes(), format="te", signal_type="HASH_PDQ")["entries"] == 1
    back = tmp_path / "back"
    back.mkdir()
    (back / "simple.HASH_PDQ.te").write_text(fetch(banks, bank, "?format=te&signal_type=pdq"))
    [loaded] = CliIndicatorSerialization.load(back)
    assert (loaded.indicator, loaded.rollup.labels) == (PDQ, {"scam"})
    assert "signal_type" in fetch(banks, bank, "?format=te", status=422)


def test_vpdq_is_written_as_the_library_reads_it(banks: BankDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("threatexchange")
    stub = types.ModuleType("vpdq")  # the library's own extension, which has to be compiled; it is named, not called
    stub.VpdqFeature = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vpdq", stub)
    from threatexchange.extensions.vpdq.vpdq_brute_matcher import match_VPDQ_hash_brute
    from threatexchange.extensions.vpdq.vpdq_util import VpdqCompactFeature, json_to_vpdq, vpdq_to_json

    theirs = vpdq_to_json([VpdqCompactFeature(PDQ, 100, 0.0), VpdqCompactFeature(PDQ[::-1], 90, 1.5)])
    bank = banks.bank()
    assert send(banks, bank, f"vpdq {theirs}\n".encode(), format="signals")["entries"] == 1
    ours = fetch(banks, bank, "?format=signals").removeprefix("vpdq ").strip()
    assert json_to_vpdq(ours) == json_to_vpdq(theirs)
    result = match_VPDQ_hash_brute(json_to_vpdq(ours), json_to_vpdq(theirs), 50, 31)
    assert result.query_match_percent == 100


def test_our_pdq_is_theirs() -> None:
    kinds = te_types()
    for seed in range(3):
        made = Pdq().fingerprint(picture(seed))
        assert made is not None
        assert kinds["pdq"].hash_from_bytes(encoded(picture(seed), "PNG")) == made.value.hex()


def test_a_bank_survives_the_journey_out_and_in(banks: BankDesk) -> None:
    first, second = banks.bank("first"), banks.bank("second")
    note = "=cmd|'/c calc'!A1"
    banks.entry(first, hashes=[{"kind": "pdq", "value": PDQ}], severity="critical", note=note, source="'quoted",
                tags=["a", "b"], thresholds={"pdq": 12}, enabled=False,
                expires_at="2027-01-01T00:00:00+00:00")  # fmt: skip
    banks.text_entry(first, "+1 for this scam, and\nanother line")
    assert send(banks, second, fetch(banks, first).encode())["entries"] == 2
    kept = ("severity", "note", "source", "tags", "thresholds", "enabled", "expires_at")
    told = [
        sorted(
            json.dumps({name: entry[name] for name in kept} | {"hashes": [s["value"] for s in entry["signals"]]})
            for entry in banks.ask("GET", f"/v1/banks/{bank}/entries")["entries"]
        )
        for bank in (first, second)
    ]
    # where no source was told, it is the bank that it came from
    assert [line.replace('"source": "first"', '"source": ""') for line in told[1]] == told[0]
    assert send(banks, second, fetch(banks, first).encode())["duplicates"] == 2


# --- hostile files -------------------------------------------------------------------------------------------------

HEAD = b"signal_type,signal_str,collab,category,tags,severity,expires_at,thresholds,enabled\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"pdq,abc,,,,,,,", "64 hexadecimal digits, not 3"),
        (b"md5," + b"z" * 32 + b",,,,,,,", "hexadecimal digits alone"),
        (b"tmk," + MD5.encode() + b",,,,,,,", "no signal type"),
        (b"md5," + MD5.encode() + b",,MAYBE,,,,,", "no category"),
        (b"md5," + MD5.encode() + b",,NEGATIVE_CLASS,,,,,", "its category says otherwise"),
        (b"md5," + MD5.encode() + b",,,,awful,,,", "no severity"),
        (b"md5," + MD5.encode() + b",,,,,tomorrow,,", "no ISO 8601"),
        (b"md5," + MD5.encode() + b",,,,,2027-01-01,,", "time zone"),
        (b"md5," + MD5.encode() + b",,,,,9999-12-31T23:59:59-05:00,,", "years 1 to 9999"),
        (b"md5," + MD5.encode() + b',,,,,,"{""pdq"": 1e9}",', "thresholds.pdq"),
        (b"md5," + MD5.encode() + b",,,,,," + b"[" * 100 + b",", "JSON object"),
        (b"md5," + MD5.encode() + b",,,,,,,perhaps", "true or false"),
        (b"md5," + MD5.encode() + b",,,,,,,,,,", "cells under"),
        (b"raw_text,?!,,,,,,,", "no letter or digit"),
        (b'vpdq,"[""x""]",,,,,,,', "frame 0"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_half_applied(banks: BankDesk, line: bytes, reason: str) -> None:
    bank = banks.bank()
    good = b"md5," + hashlib.md5(b"x").hexdigest().encode() + b",,,,,,,\n"
    problem = send(banks, bank, HEAD + good + line + b"\n", status=422)
    assert [error["field"] for error in problem["errors"]] == ["line 3"]
    assert reason in problem["errors"][0]["reason"]
    assert count(banks, bank) == 0
    done = send(banks, bank, HEAD + good + line + b"\n", skip_bad="true")
    assert (done["entries"], done["rejected"], count(banks, bank)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a,b,c\n1,2,3\n", "header lacks"),
        (HEAD + b'md5,"unclosed', "no CSV"),
        (HEAD + b"raw_text," + b"a" * 2_300_000, "more than"),
    ],
)
def test_a_file_that_is_none_is_refused(banks: BankDesk, data: bytes, reason: str) -> None:
    bank = banks.bank()
    assert reason in json.dumps(send(banks, bank, data, status=422))
    assert count(banks, bank) == 0


def test_no_cell_is_a_formula_in_a_spreadsheet(banks: BankDesk) -> None:
    bank = banks.bank("=HYPERLINK(1)")
    for n, start in enumerate("=+-@"):
        banks.entry(bank, hashes=[{"kind": "md5", "value": f"{n:032x}"}], note=f"{start}1+1", source=f"{start}x",
                    tags=[f"{start}tag"])  # fmt: skip
    banks.text_entry(bank, "=SUM(A1:A9) words that are a text")
    cells = [cell for row in csv.reader(io.StringIO(fetch(banks, bank))) for cell in row]
    assert len(cells) > 50
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_only_writers_import_and_only_readers_export(banks: BankDesk) -> None:
    bank = banks.bank("secret", readers=["moderator", "analyst"])
    for role, expected in ((Role.ANALYST, 403), (Role.PRODUCT, 404)):
        banks.ask("GET", "/v1/banks", role=role)
        answer = banks.http.post(
            f"/v1/banks/{bank}/import", files={"file": b"pdq " + PDQ.encode()}, data={"format": "signals"},
            headers=banks._headers[role.value],
        )  # fmt: skip
        assert answer.status_code == expected
    banks.ask("GET", f"/v1/banks/{bank}/export", role=Role.PRODUCT, status=404)


def test_an_import_is_seen_at_the_next_post(banks: BankDesk) -> None:
    bank = banks.bank()
    assert banks.verdict(banks.post(SCAM))["verdict"] == "no_match"
    send(banks, bank, f"raw_text {SCAM}\n".encode(), format="signals")
    assert banks.verdict(banks.post(SCAM))["verdict"] == "match"
    assert "bank.import" in banks.audit()


@pytest.mark.parametrize("format", ["csv", "signals"])
def test_a_file_without_an_entry_is_refused(banks: BankDesk, format: str) -> None:
    bank = banks.bank()
    for data in (b"", b"\xef\xbb\xbf\n", b"  \n\n"):
        [problem] = send(banks, bank, data, format=format, skip_bad="true", status=422)["errors"]
        assert problem["field"] == "file"
        assert problem["reason"].startswith("is empty: ")
    assert "bank.import" not in banks.audit()


def test_an_empty_bank_goes_out_and_comes_in_again(banks: BankDesk) -> None:
    bank = banks.bank()
    told = send(banks, bank, fetch(banks, bank).encode())
    assert (told["entries"], told["duplicates"], told["rejected"], told["problems"]) == (0, 0, 0, [])
    assert told["note"] == "there is no entry in the file, only its header"
    assert "bank.import" not in banks.audit()
    assert send(banks, bank, f"signal_type,signal_str\npdq,{PDQ}\n".encode())["note"] is None


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(TEXTS, max_size=9), max_size=6), st.sampled_from(["csv", "signals", "te"]))
def test_no_file_breaks_the_reader(rows: list[list[str]], format: Any) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["signal_type", "signal_str"], *rows])
    for line in read(io.StringIO(out.getvalue(), newline=""), format, signal_type="raw_text"):
        assert (line.entry is None) != (line.problem is None)
        assert line.number >= 1


@settings(max_examples=100, deadline=None)
@given(note=TEXTS, source=TEXTS.filter(str.strip), words=TEXTS)
def test_what_is_written_is_read_again(note: str, source: str, words: str) -> None:
    from postscope.backend.banks.entries import of_text

    told = Told(tuple(of_text(f"word {words}")), note=note.strip(), source=source.strip())
    written = "".join(write([(told, False)], "csv", collab="c", signal_type=None))
    [line] = read(io.StringIO(written, newline=""), "csv")
    assert line.entry is not None
    assert (line.entry.note, line.entry.source) == (told.note, told.source)
    assert line.entry.signals == told.signals
