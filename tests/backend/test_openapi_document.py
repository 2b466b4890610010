"""The document of the API: complete, and true about problems."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from postscope.backend.openapi_examples import JSON, UNKNOWN, Examples, unknown_fields


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.app.openapi()  # type: ignore[attr-defined]
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert "PostIn" in references
    assert references <= document["components"]["schemas"].keys()


def test_every_call_says_what_it_is_and_answers_problems(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        for status, answer in operation["responses"].items():
            if status.startswith("4") or status.startswith("5"):
                assert list(answer["content"]) == ["application/problem+json"], status


def test_what_fastapi_says_of_errors_by_itself_is_gone(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(document)


def test_every_call_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))


def json_parts(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What goes in and comes out of a call as JSON when all is well."""
    parts = {
        f"answer {status}": answer["content"][JSON]
        for status, answer in operation["responses"].items()
        if status.startswith("2") and JSON in answer.get("content", {})
    }
    if JSON in (content := operation.get("requestBody", {}).get("content", {})):
        parts["body"] = content[JSON]
    return parts


def test_every_call_has_examples_that_keep_to_its_schema(document: dict[str, Any]) -> None:
    """A field that this names needs ``Field(examples=[...])``, or its model an example of the whole:
    ``model_config = ConfigDict(json_schema_extra={"examples": [{...}]})``. See postscope/backend/openapi_examples.py.
    """
    missing, wrong, count = [], [], 0
    for path, operations_of in document["paths"].items():
        for method, operation in operations_of.items():
            for name, content in json_parts(operation).items():
                given = [content["example"]] if "example" in content else content["examples"]
                given = [item["value"] for item in given.values()] if isinstance(given, dict) else given
                assert given, f"{method} {path}, {name}"
                check = jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]})
                where = f"{method.upper()} {path}, {name}"
                for example in given:
                    wrong += [f"{where}: {error.json_path} {error.message}" for error in check.iter_errors(example)]
                    missing += [f"{where}: {field}" for field in unknown_fields(example)]
                    count += 1
    assert not wrong
    assert not missing, "these fields need an example: " + "; ".join(missing)
    assert count > 10


def test_an_example_is_put_together_from_the_fields() -> None:
    schemas = {
        "Author": {"type": "object", "properties": {"name": {"type": "string", "examples": ["mara"]}}},
        "Whole": {"type": "object", "properties": {"a": {"type": "string"}}, "examples": [{"a": "b"}]},
        "Endless": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Endless"}}},
    }
    examples = Examples(schemas)
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "authors": {"type": "array", "items": {"$ref": "#/components/schemas/Author"}},
            "whole": {"$ref": "#/components/schemas/Whole"},
            "count": {"type": "integer", "minimum": 3},
            "state": {"enum": ["done", "failed"], "type": "string"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "title": {"type": "string"},
        },
    }
    found = examples.of(schema)
    assert found["authors"] == [{"name": "mara"}]
    assert found["whole"] == {"a": "b"}
    assert (found["count"], found["state"], found["note"]) == (3, "done", None)
    assert found["title"] == UNKNOWN
    assert unknown_fields(found) == ["title"]
    assert list(examples.of(schema, whole=False)) == ["id"]
    assert unknown_fields(examples.of({"$ref": "#/components/schemas/Endless"})) == []
