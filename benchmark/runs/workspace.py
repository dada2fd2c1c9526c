"""What the runs of one process share."""

from functools import lru_cache, partial

from backbones import BackboneCache
from benchmark.metrics.scoring import FeatureCache
from benchmark.runs.networks import load_evaluator
from benchmark.runs.style_sets import group_features
from benchmark.runs.target_cache import style_targets
from benchmark.transfer.session import Session


class Workspace:
    """Caches of what runs load, extract and compile; of each the least recently used go first.

    Whoever does or checks several runs owns one and passes it to them.
    """

    def __init__(self) -> None:
        """With nothing in it."""
        self.session = Session()
        self.backbones = BackboneCache()
        self.evaluator = lru_cache(maxsize=32)(partial(load_evaluator, self.backbones))
        self.evaluation = FeatureCache()
        self.load_images = self.evaluation.load
        self.group_features = lru_cache(maxsize=64)(group_features)
        self.style_targets = lru_cache(maxsize=16)(style_targets)
