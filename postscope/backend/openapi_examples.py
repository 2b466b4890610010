"""Examples of the OpenAPI document, made of what the models say.

A call's body and answer get an example without more ado: that of the whole model where it has one
(``model_config = ConfigDict(json_schema_extra={"examples": [...]})``), else one put together from its fields
(``Field(examples=[...])``). Numbers, ids, times, choices and defaults need none: something fitting is found for them. A
plain string cannot be guessed, so a field of that type must have an example; a test says which has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

JSON: Final = "application/json"
DEEPEST: Final = 12
"""Models within models: deeper, a schema that holds itself is cut off."""

UNKNOWN: Final = "…"
"""Stands where nothing fits: see ``unknown_fields``."""

_BY_FORMAT: Final = {
    "uuid": "0199b3c4-6d0e-7c3a-9f57-0d7a2c5e8b11",
    "date-time": "2026-03-02T09:30:00Z",
    "date": "2026-03-02",
    "duration": "PT1H",
    "uri": "https://example.org/harbour.jpg",
}


class Examples:
    """Makes examples of the schemas of one document.

    Args:
        schemas: its ``components.schemas``.
    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        for schema in schemas.values():
            for example in schema.get("examples", ()):
                self._restore_nulls(schema, example, 0)

    def add_to(self, operation: dict[str, Any]) -> None:
        """Give the operation's JSON body and its JSON answers an example each where they have none."""
        content = operation.get("requestBody", {}).get("content", {}).get(JSON)
        if content is not None:
            self._add(content, whole=False)
        for status, answer in operation["responses"].items():
            if str(status).startswith("2") and JSON in answer.get("content", {}):
                self._add(answer["content"][JSON], whole=True)

    def of(self, schema: Mapping[str, Any], *, whole: bool = True) -> Any:
        """A value that fits ``schema``. ``whole``: with every field; else only those that have to be there."""
        return self._value(schema, whole, 0)

    def _add(self, content: dict[str, Any], *, whole: bool) -> None:
        if "example" not in content and "examples" not in content:
            content["example"] = self.of(content.get("schema", {}), whole=whole)

    def _restore_nulls(self, schema: Mapping[str, Any], example: Any, depth: int) -> None:
        """FastAPI drops every null on its way into the document, those of examples too."""
        schema = self._schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
        if depth > DEEPEST:
            return
        if isinstance(example, list):
            for item in example:
                self._restore_nulls(schema.get("items", {}), item, depth + 1)
        if not isinstance(example, dict):
            return
        for name, field in schema.get("properties", {}).items():
            if name in example:
                self._restore_nulls(field, example[name], depth + 1)
            elif name in schema.get("required", ()) and {"type": "null"} in field.get("anyOf", ()):
                example[name] = None

    def _value(self, schema: Mapping[str, Any], whole: bool, depth: int) -> Any:
        if depth > DEEPEST:
            return None
        if schema.get("examples"):
            return schema["examples"][0]
        if "$ref" in schema:
            return self._value(self._schemas[schema["$ref"].rsplit("/", 1)[-1]], whole, depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("default") is not None:
            return schema["default"]
        for choice in ("anyOf", "oneOf", "allOf"):
            if schema.get(choice):
                return self._choice(schema[choice], whole, depth)
        return self._of_type(schema, whole, depth)

    def _choice(self, options: list[Mapping[str, Any]], whole: bool, depth: int) -> Any:
        """The first of them that something is known for; where one may be null, null rather than a guess."""
        values = [self._value(option, whole, depth + 1) for option in options if option.get("type") != "null"]
        known = [value for value in values if not unknown_fields(value)]
        if known:
            return known[0]
        return None if len(values) < len(options) else values[0]

    def _of_type(self, schema: Mapping[str, Any], whole: bool, depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, whole, depth)
            case "array":
                items = schema.get("items", {})
                return [self._value(items, whole, depth + 1)] if items else []
            case "integer":
                return max(1, schema.get("minimum", 1))
            case "number":
                return max(0.5, schema.get("minimum", 0.5))
            case "boolean":
                return False
            case "string":
                return _BY_FORMAT.get(schema.get("format", ""), UNKNOWN)
            case "null":
                return None
            case _:
                return {}

    def _object(self, schema: Mapping[str, Any], whole: bool, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self._value(field, whole, depth + 1)
            for name, field in schema.get("properties", {}).items()
            if whole or name in required or "examples" in field
        }


def unknown_fields(example: Any, path: str = "") -> list[str]:
    """Where in an example nothing fits, as dotted paths; none of a good one."""
    if example == UNKNOWN:
        return [path or "the whole"]
    pairs: list[tuple[object, Any]] = []
    if isinstance(example, dict):
        pairs = list(example.items())
    elif isinstance(example, list):
        pairs = list(enumerate(example))
    return [found for name, value in pairs for found in unknown_fields(value, f"{path}.{name}".lstrip("."))]
