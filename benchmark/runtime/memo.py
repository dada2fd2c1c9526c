"""Results that are computed once."""

from collections.abc import Callable, Hashable
from typing import Any


class Memo:
    """What was computed, by all that it depends on; the least recently used go first."""

    def __init__(self, size: int) -> None:
        """For the latest `size` results."""
        self._size = size
        self._kept: dict[Hashable, Any] = {}

    def __call__(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The result under a key, computed if it is not there; nothing is kept of an exception."""
        value = self._kept.pop(key) if key in self._kept else compute()
        self._kept[key] = value
        if len(self._kept) > self._size:
            self._kept.pop(next(iter(self._kept)))
        return value
