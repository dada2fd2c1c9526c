"""A style transfer as a value: what is optimised, apart from the images."""

from dataclasses import dataclass, field
from functools import cache, lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from backbones import Backbone
from backbones.network import Network
from benchmark.transfer import backend
from benchmark.transfer.aggregation import SIMPLE, Aggregation
from benchmark.transfer.losses import STUDY_LOSS, Loss
from benchmark.transfer.memory import bytes_per_example, estimate_bytes
from benchmark.transfer.step import ADAM, OptimizerChoice, Stylization

SAFE_SHARE = 0.7
"""Of what is free when it is first asked for; the rest is for what others take meanwhile."""


class Session:
    """Compiled steps, the last 16 kinds, and how much fits into memory.

    Whoever optimises again and again passes the same one, so that no step is compiled twice and no
    batch that did not fit is tried twice.
    """

    def __init__(self) -> None:
        self.compiled_step = lru_cache(maxsize=16)(Stylization)
        self._free_memory = cache(backend.free_memory)
        self._largest_batches: WeakKeyDictionary[Network, int] = WeakKeyDictionary()

    def largest_batch(
        self,
        backbone: Backbone,
        memory_gb: float | None,
        *,
        artists: int,
        paintings: int,
        contents: int,
    ) -> int:
        """Most examples, at least 1, whose step stays within the memory beside all targets.

        Without `memory_gb` that is a safe share of what was free at the first call.
        """
        memory = SAFE_SHARE * self._free_memory() if memory_gb is None else memory_gb * 1e9
        others = estimate_bytes(backbone, artists=artists, paintings=paintings, examples=0)
        fitting = (int(memory) - others) // bytes_per_example(backbone)
        return self.fitting(backbone, int(np.clip(fitting, 1, artists * contents)))

    def fitting(self, backbone: Backbone, batch: int) -> int:
        """A batch size, or less where a batch of it did not fit into memory before."""
        return min(batch, self._largest_batches.get(backbone.shared, batch))

    def reduce_batch(self, backbone: Backbone, batch: int) -> None:
        """Remember that no larger batch fits into memory; forget steps that may have failed."""
        self.compiled_step.cache_clear()
        self._largest_batches[backbone.shared] = self.fitting(backbone, batch)


@dataclass(frozen=True)
class StyleTransfer:
    """A network, an aggregation, a loss and an optimiser; by default the study's with Adam.

    Attributes:
        backbone: extracts the features that are matched.
        aggregation: over the paintings, after the mean over layers (the study, section 1).
        loss: of content, style and total variation.
        optimizer: every batch has its own state of it.
        session: keeps compiled steps; to be shared with other transfers.
    """

    backbone: Backbone
    aggregation: Aggregation = SIMPLE
    loss: Loss = STUDY_LOSS
    optimizer: OptimizerChoice = ADAM
    session: Session = field(default_factory=Session, repr=False)
