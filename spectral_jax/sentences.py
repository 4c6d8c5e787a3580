"""Names in the order in which they resemble a wrong one, for sentences about unknown names."""

import difflib
from collections.abc import Iterable


def closest(name: object, names: Iterable[str], most: int | None = None) -> str:
    """`names` with commas between, the one most like `name` first; at most `most` of them."""
    names = list(names)
    found = difflib.get_close_matches(str(name), names, n=most or max(1, len(names)), cutoff=0.0)
    return ", ".join(found)
