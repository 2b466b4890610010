"""The documents against what they speak of."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo
from typer.main import get_command

from postscope import __version__
from postscope.backend import routes
from postscope.cli.main import app
from tests.setting_names import walk

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(text: str) -> str:
    """What stands in code blocks and between backticks."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))


def shown(field: FieldInfo) -> str:
    """A default as docs/settings.md writes it."""
    if field.default_factory is not None:
        return "`~/.local/share/postscope`"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, float):
        value = f"{value:g}"
    elif isinstance(value, tuple):
        value = json.dumps(value)  # as a variable has it
    return f"`{value}`"


def test_every_setting_is_listed_with_its_default_and_nothing_else() -> None:
    listed = dict(re.findall(r"^\| `(POSTSCOPE_\w+)` \| (.*?) \|", read("docs/settings.md"), flags=re.MULTILINE))
    assert listed == {name: shown(field) for name, field in walk()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_variable_that_is_named_is_a_setting(document: Path) -> None:
    named = set(re.findall(r"POSTSCOPE_[A-Z_]+", document.read_text(encoding="utf-8")))
    assert named <= {name for name, _ in walk()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", code_of(document.read_text(encoding="utf-8")))) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_exists(document: Path) -> None:
    root = get_command(app)
    for line in re.findall(r"\bpostscope((?: [a-z-]+)+)", code_of(document.read_text(encoding="utf-8"))):
        words = line.split()
        command: Any = root
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"postscope{line}"
            command = command.commands[words.pop(0)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert "://" in target or (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_benchmark_that_is_named_exists(document: Path) -> None:
    for module in re.findall(r"tests\.benchmarks\.(\w+)", document.read_text(encoding="utf-8")):
        assert (ROOT / "tests" / "benchmarks" / f"{module}.py").is_file()


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {__version__}\n" in read("CHANGELOG.md")


def test_the_api_page_lists_every_call_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+ /\S+)` \|", read("docs/api.md"), flags=re.MULTILINE))
    assert listed == {
        f"{method} {route.path}"
        for module in pkgutil.iter_modules(routes.__path__)
        for router in vars(importlib.import_module(f"{routes.__name__}.{module.name}")).values()
        if isinstance(router, APIRouter)
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods or ()
    }
