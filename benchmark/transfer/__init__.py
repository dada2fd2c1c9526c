"""The method: losses, aggregation, features, the compiled step, the optimisation loop.

Use it from a notebook through the names below: docs/notebook.md. May import backbones and
`benchmark.images.pixels`, and nothing else of ours: no configuration, no tracking.
"""

from backbones import Backbone
from backbones import load as load_backbone
from benchmark.images.pixels import to_uint8
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.loop import Epoch, Result
from benchmark.transfer.losses import STUDY_LOSSES, Loss, LossFunctions, LossWeights
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.session import Session
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer
from benchmark.transfer.stylize import stylize
from benchmark.transfer.targets import extract_targets

__all__ = [
    "STUDY_LOSSES",
    "Aggregation",
    "Backbone",
    "Epoch",
    "Loss",
    "LossFunctions",
    "LossWeights",
    "OptimizerChoice",
    "Result",
    "Session",
    "Stopping",
    "StyleTransfer",
    "extract_targets",
    "load_backbone",
    "power_mean",
    "stylize",
    "to_uint8",
]
