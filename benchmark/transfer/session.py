"""What the optimisations of one process share: compiled steps, and how much fits into memory."""

from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from backbones import Backbone
from backbones.network import Network
from benchmark.transfer import backend
from benchmark.transfer.memory import COMPILATION, bytes_of_targets, bytes_per_example
from benchmark.transfer.step import compile_step

SAFE_SHARE = 0.7
"""Of what is free when it is first asked for; the rest is for what others take meanwhile."""


class Session:
    """Compiled steps, the last 16 kinds, and how much fits into memory.

    Whoever optimises again and again passes the same one, so that no step is compiled twice and no
    batch that did not fit is tried twice.
    """

    def __init__(self) -> None:
        """With nothing compiled."""
        self.compiled_step = lru_cache(maxsize=16)(compile_step)
        self._free_memory: int | None = None
        self._largest_batches: WeakKeyDictionary[Network, int] = WeakKeyDictionary()

    def budget(self, memory_gb: float | None) -> int:
        """Bytes that a step may take; None: a safe share of what was free at the first call."""
        if memory_gb is not None:
            return int(memory_gb * 1e9)
        if self._free_memory is None:
            self._free_memory = backend.free_memory()
        return int(SAFE_SHARE * self._free_memory)

    def largest_batch(
        self,
        backbone: Backbone,
        memory_gb: float | None,
        *,
        artists: int,
        paintings: int,
        contents: int,
    ) -> int:
        """Most examples, at least 1, whose step stays within the budget beside all targets."""
        targets = bytes_of_targets(backbone, 2 * artists, paintings)
        left = self.budget(memory_gb) - COMPILATION - targets
        batch = int(np.clip(left // bytes_per_example(backbone), 1, artists * contents))
        return self.fitting(backbone, batch)

    def fitting(self, backbone: Backbone, batch: int) -> int:
        """A batch size, or less where a batch of it did not fit into memory before."""
        return min(batch, self._largest_batches.get(backbone.shared, batch))

    def reduce_batch(self, backbone: Backbone, batch: int) -> None:
        """Remember that no larger batch fits into memory; forget steps that may have failed."""
        self.compiled_step.cache_clear()
        self._largest_batches[backbone.shared] = self.fitting(backbone, batch)
