"""A style transfer as a value: what is optimised, apart from the images."""

from dataclasses import dataclass, field, replace

from backbones import Backbone
from benchmark.transfer.aggregation import SIMPLE, Aggregation
from benchmark.transfer.features import gram_outputs
from benchmark.transfer.losses import STUDY_LOSS, Loss
from benchmark.transfer.optimizers import ADAM, OptimizerChoice
from benchmark.transfer.session import Session
from benchmark.transfer.step import Stylization


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

    def compiled_step(self, examples: int, artists: int, paintings: int) -> Stylization:
        """The step for so many examples of so many artists with so many paintings each."""
        return self.session.compiled_step(
            self.backbone.network_with(gram_outputs),
            self.loss.functions,
            self.aggregation.function,
            self.aggregation.constants,
            replace(self.optimizer, learning_rate=1.0),  # An input of the step.
            examples=examples,
            paintings=(artists, paintings),
        )
