"""Labels within labels: whoever has one has all above it."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def path_to(label: str) -> list[str]:
    """A label and all above it, the uppermost first."""
    parts = label.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def with_parents(labels: Iterable[str]) -> set[str]:
    """These labels and all above them."""
    return {above for label in labels for above in path_to(label)}


def on_one_path(labels: Collection[str]) -> bool:
    """Whether one of them says all the others."""
    return set(labels) <= set(path_to(max(labels, key=len, default="")))


def contradict(label: str, has: bool, other: str, has_other: bool) -> bool:
    """Whether a post that has, or has not, the one label cannot be as is said of the other."""
    if label == other:
        return has != has_other
    if has and not has_other:
        return label.startswith(f"{other}/")
    return has_other and not has and other.startswith(f"{label}/")
