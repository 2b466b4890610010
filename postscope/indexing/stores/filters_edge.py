"""``types.Filter`` in the embedded engine's terms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import qdrant_edge as edge

from postscope.indexing.stores.layout import check_path
from postscope.indexing.types import AnyOf, Condition, Filter, HasId, InRange


def to_edge(filter: Filter | None) -> edge.Filter | None:
    """The engine's filter; None where there is nothing to filter.

    Raises:
        ValueError: a field is no payload path, or a bound is not finite.
    """
    return _filter(filter) if filter else None


def _filter(filter: Filter) -> edge.Filter:
    return edge.Filter(
        must=[_condition(c) for c in filter.must],
        should=[_condition(c) for c in filter.should],
        must_not=[_condition(c) for c in filter.must_not],
    )


def _condition(condition: Condition) -> edge.ConditionType:
    match condition:
        case AnyOf():
            return _any_of(condition)
        case InRange():
            return _in_range(condition)
        case HasId():
            return edge.HasIdCondition(set(condition.ids))
        case Filter():
            return _filter(condition)


def _any_of(condition: AnyOf) -> edge.ConditionType:
    texts = [v for v in condition.values if isinstance(v, str)]
    # bool is an int to Python but not to the engine. The binding takes a plain True for the integer 1;
    # numpy's bool, which is no int, reaches it as a boolean.
    flags: list[Any] = [np.bool_(v) for v in condition.values if isinstance(v, bool)]
    numbers = [v for v in condition.values if isinstance(v, int) and not isinstance(v, bool)]
    matches: list[edge.MatchType] = [edge.MatchAny(group) for group in (texts, numbers) if group]
    matches += [edge.MatchValue(flag) for flag in flags]
    if not matches:
        return edge.HasIdCondition(set())
    return edge.Filter(should=[edge.FieldCondition(check_path(condition.field), match=m) for m in matches])


def _in_range(condition: InRange) -> edge.ConditionType:
    bounds = {"gte": condition.gte, "lte": condition.lte, "gt": condition.gt, "lt": condition.lt}
    given = {name: float(bound) for name, bound in bounds.items() if bound is not None}
    for name, bound in given.items():
        if not math.isfinite(bound):
            raise ValueError(f"{condition.field}: bound {name} is not finite")
    if not given:
        return edge.Filter(must_not=[edge.IsEmptyCondition(check_path(condition.field))])
    return edge.FieldCondition(check_path(condition.field), range=edge.RangeFloat(**given))
