"""Taxonomies from files: YAML (and so JSON), and CSV. Every error names the field and the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.tagging.definitions import TaxonomyIn, flatten, invalid

MAX_NODES: Final = 500_000
MAX_LEVELS: Final = 40
SEPARATOR: Final = "|"

_TYPED: Final = frozenset({"threshold", "exclusive", "open"})
_COLUMNS: Final = ("label", "description", "prompts", "threshold", "positive", "negative")

Lines = dict[str, int]
"""Path of a field to the line that it begins in."""


def read_taxonomy(data: bytes, filename: str, *, exclusive: bool | None = None) -> tuple[TaxonomyIn, str]:
    """The taxonomy in a file, and its origin: ``yaml``, ``json`` or ``csv``.

    Args:
        data: the file; UTF-8.
        filename: its ending says what it is.
        exclusive: for CSV, which cannot say it.

    Raises:
        Invalid: it is no such file, or what it says cannot be; names fields and lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid.of("file", f"is not UTF-8 (byte {error.start + 1})") from None
    ending = filename.rsplit(".", 1)[-1].lower()
    if ending in ("yaml", "yml", "json"):
        content, lines = _from_yaml(text)
    elif ending == "csv":
        content, lines = _from_csv(text)
        content["exclusive"] = bool(exclusive)
    else:
        raise Invalid.of("file", "must end in .yaml, .yml, .json or .csv")
    try:
        definition = TaxonomyIn.model_validate(content)
        flatten(definition)
    except ValidationError as error:
        raise invalid([_at_line(problem, lines) for problem in _problems(error)]) from None
    except Invalid as error:
        raise invalid([_at_line(problem, lines) for problem in error.problems]) from None
    return definition, "yaml" if ending == "yml" else ending


def _problems(error: ValidationError) -> list[FieldProblem]:
    return [
        FieldProblem(".".join(map(str, item["loc"])) or "file", item["msg"].removeprefix("Value error, "))
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def _at_line(problem: FieldProblem, lines: Mapping[str, int]) -> FieldProblem:
    path = problem.field
    while path and path not in lines:
        path = path.rpartition(".")[0]
    line = lines.get(path)
    return problem if line is None else FieldProblem(problem.field, f"{problem.reason} (line {line})")


def _from_yaml(text: str) -> tuple[dict[str, Any], Lines]:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise Invalid.of("file", f"is not YAML: {error.problem}{line}") from None
    except yaml.YAMLError as error:
        raise Invalid.of("file", f"is not YAML: {error}") from None
    except RecursionError:
        raise Invalid.of("file", "is nested too deeply") from None
    walk = _YamlWalk()
    content = walk.value(root, "", 0)
    if not isinstance(content, dict):
        raise Invalid.of("file", "must be a mapping with labels")
    return content, walk.lines


class _YamlWalk:
    """Nodes to values. What people write stays as they wrote it: a label may be called ``no`` or ``2024``."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self._met = 0

    def value(self, node: Any, path: str, level: int) -> Any:
        import yaml

        self._met += 1
        # Anchors that name each other would otherwise grow without end.
        if self._met > MAX_NODES or level > MAX_LEVELS:
            raise Invalid.of("file", "is nested too deeply, or its anchors make it too large")
        if node is None:
            return None
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, level)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, _below(path, str(n)), level + 1) for n, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:null":
            return None
        if path.rpartition(".")[2] in _TYPED and node.style is None:
            return _typed(node.value)
        return node.value

    def _mapping(self, node: Any, path: str, level: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            name = str(key.value)
            if name in found:
                raise Invalid.of(_below(path, name), f"is given twice (line {key.start_mark.line + 1})")
            found[name] = self.value(item, _below(path, name), level + 1)
        # A field that is left empty is one that is not given.
        return {name: value for name, value in found.items() if value is not None}


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _typed(text: str) -> Any:
    if (lower := text.lower()) in ("true", "false"):
        return lower == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _from_csv(text: str) -> tuple[dict[str, Any], Lines]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: Lines = {}
    tree = _CsvTree(lines)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise Invalid.of("file", f"line {reader.line_num} has {len(cells)} cells, the header has {len(header)}")
            tree.add(dict(zip(header, (cell.strip() for cell in cells), strict=True)), reader.line_num)
    except csv.Error as error:
        raise Invalid.of("file", f"line {reader.line_num}: {error}") from None
    if not tree.roots:
        raise Invalid.of("file", "has no labels")
    return {"labels": tree.roots}, lines


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in _COLUMNS]
    if "label" not in header:
        raise Invalid.of("file", f"has no column label; possible are {', '.join(_COLUMNS)}")
    if unknown or len(set(header)) != len(header):
        wrong = unknown or [name for name in header if header.count(name) > 1]
        raise Invalid.of("file", f"has a column {wrong[0]!r} too many; possible are {', '.join(_COLUMNS)}")


class _CsvTree:
    """Rows to nested labels. A parent that has no row of its own is made."""

    def __init__(self, lines: Lines) -> None:
        self.roots: list[dict[str, Any]] = []
        self._lines = lines
        self._at: dict[str, tuple[dict[str, Any], str]] = {}
        self._rows: dict[str, int] = {}

    def add(self, row: Mapping[str, str], line: int) -> None:
        path = "/".join(name.strip() for name in row["label"].split("/"))
        key = path.casefold()
        if key in self._rows:
            raise Invalid.of("label", f"{path!r} is in line {self._rows[key]} and in line {line}")
        self._rows[key] = line
        label = self._place(path, line)
        for name in ("prompts", "positive", "negative"):
            parts = [part.strip() for part in row.get(name, "").split(SEPARATOR)] if row.get(name) else []
            label[name] = parts if name == "prompts" else [{"text": part} for part in parts]
        if row.get("description"):
            label["description"] = row["description"]
        if row.get("threshold"):
            label["threshold"] = _typed(row["threshold"])

    def _place(self, path: str, line: int) -> dict[str, Any]:
        key = path.casefold()
        if key in self._at:
            return self._at[key][0]
        above, _, name = path.rpartition("/")
        if above:
            parent = self._place(above, line)
            siblings, field = parent.setdefault("labels", []), f"{self._at[above.casefold()][1]}.labels"
        else:
            siblings, field = self.roots, "labels"
        label: dict[str, Any] = {"name": name}
        here = f"{field}.{len(siblings)}"
        siblings.append(label)
        self._at[key] = (label, here)
        self._lines[here] = line
        return label
