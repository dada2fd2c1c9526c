"""The method: losses, aggregation, features, the compiled step, the optimisation loop.

Use it from a notebook through the names below: docs/notebook.md. May import backbones and
`benchmark.images.pixels`, and nothing else of ours: no configuration, no tracking.
"""

from backbones import Backbone
from backbones import load as load_backbone
from benchmark.images.pixels import to_uint8
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.features import extract_targets
from benchmark.transfer.loop import Epoch, Result, stylize
from benchmark.transfer.losses import STUDY_LOSS, Loss, LossWeights
from benchmark.transfer.painting_losses import PaintingLosses, painting_losses
from benchmark.transfer.step import OptimizerChoice
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import Session, StyleTransfer

__all__ = [
    "STUDY_LOSS",
    "Aggregation",
    "Backbone",
    "Epoch",
    "Loss",
    "LossWeights",
    "OptimizerChoice",
    "PaintingLosses",
    "Result",
    "Session",
    "Stopping",
    "StyleTransfer",
    "extract_targets",
    "load_backbone",
    "painting_losses",
    "power_mean",
    "stylize",
    "to_uint8",
]
