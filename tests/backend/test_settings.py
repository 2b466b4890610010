"""Settings whose names are wrong."""

from __future__ import annotations

import pytest

from postscope.backend.errors import BadSettings
from postscope.backend.settings import load_settings, unread_variables
from tests.setting_names import walk


def test_every_setting_is_read() -> None:
    assert unread_variables({name: "x" for name, _ in walk()}) == []


def test_a_variable_that_nothing_reads_is_named() -> None:
    given = ["POSTSCOPE_REQUESTS_PER_MINUTE", "postscope_appi__port", "POSTSCOPE_API__PORT", "PATH", "POSTSCOPES"]
    assert unread_variables(dict.fromkeys(given, "1")) == ["POSTSCOPE_REQUESTS_PER_MINUTE", "postscope_appi__port"]


def test_a_wrong_name_within_a_group_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSCOPE_API__PROT", "1")
    with pytest.raises(BadSettings, match=r"api\.prot"):
        load_settings()
