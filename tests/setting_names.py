"""The environment variables that the settings read, walked from the tree itself."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from postscope.backend.settings import Settings


def walk(model: type[BaseModel] = Settings, prefix: str = "POSTSCOPE_") -> Iterator[tuple[str, FieldInfo]]:
    """Each variable with the field behind it."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from walk(kind, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", field
