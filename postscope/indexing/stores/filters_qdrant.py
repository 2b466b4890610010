"""``types.Filter`` in the terms of a Qdrant server."""

from __future__ import annotations

import math

from qdrant_client import models

from postscope.indexing.stores.layout import check_path
from postscope.indexing.types import AnyOf, Condition, Filter, HasId, InRange


def to_qdrant(filter: Filter | None) -> models.Filter | None:
    """The server's filter; None where there is nothing to filter.

    Raises:
        ValueError: a field is no payload path, or a bound is not finite.
    """
    return _filter(filter) if filter else None


def _filter(filter: Filter) -> models.Filter:
    return models.Filter(
        must=[_condition(c) for c in filter.must] or None,
        should=[_condition(c) for c in filter.should] or None,
        must_not=[_condition(c) for c in filter.must_not] or None,
    )


def _condition(condition: Condition) -> models.Condition:
    match condition:
        case AnyOf():
            return _any_of(condition)
        case InRange():
            return _in_range(condition)
        case HasId():
            return models.HasIdCondition(has_id=[str(id) for id in condition.ids])
        case Filter():
            return _filter(condition)


def _any_of(condition: AnyOf) -> models.Condition:
    texts = [v for v in condition.values if isinstance(v, str)]
    flags = [v for v in condition.values if isinstance(v, bool)]
    numbers = [v for v in condition.values if isinstance(v, int) and not isinstance(v, bool)]
    matches: list[models.Match] = []
    if texts:
        matches.append(models.MatchAny(any=texts))
    if numbers:
        matches.append(models.MatchAny(any=numbers))
    matches += [models.MatchValue(value=flag) for flag in flags]
    if not matches:
        return models.HasIdCondition(has_id=[])
    return models.Filter(should=[models.FieldCondition(key=check_path(condition.field), match=m) for m in matches])


def _in_range(condition: InRange) -> models.Condition:
    bounds = {"gte": condition.gte, "lte": condition.lte, "gt": condition.gt, "lt": condition.lt}
    given = {name: float(bound) for name, bound in bounds.items() if bound is not None}
    for name, bound in given.items():
        if not math.isfinite(bound):
            raise ValueError(f"{condition.field}: bound {name} is not finite")
    if not given:
        empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=check_path(condition.field)))
        return models.Filter(must_not=[empty])
    return models.FieldCondition(key=check_path(condition.field), range=models.Range(**given))
