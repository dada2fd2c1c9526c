"""Results that are computed once."""

from collections.abc import Callable, Hashable
from typing import Any


class Memo:
    """What was computed, by all that it depends on; the least recently used go first."""

    def __init__(self, size: int) -> None:
        """For the latest `size` results."""
        self._size = size
        self._kept: dict[Hashable, tuple[Any]] = {}

    def __call__(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The result under a key, computed if it is not there; nothing is kept of an exception."""
        found = self._kept.pop(key, None) or (compute(),)
        self._kept[key] = found  # As the latest.
        if len(self._kept) > self._size:
            self._kept.pop(next(iter(self._kept)))
        return found[0]
