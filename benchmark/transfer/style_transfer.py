"""A style transfer as a value: what is optimised, apart from the images."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backbones import Backbone
from benchmark.transfer.aggregation import SIMPLE, Aggregation, Constants
from benchmark.transfer.features import gram_outputs
from benchmark.transfer.losses import STUDY_LOSS, Loss, LossFunctions, Tensor
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

    @property
    def step_parts(self) -> tuple[LossFunctions, Callable[..., Tensor], Constants, OptimizerChoice]:
        """What a compiled step is made of besides the network; its other parts are inputs of it."""
        return (
            self.loss.functions,
            self.aggregation.function,
            self.aggregation.constants,
            replace(self.optimizer, learning_rate=1.0),
        )

    def compiled_step(self, examples: int, artists: int, paintings: int) -> Stylization:
        """The step for so many examples of so many artists with so many paintings each."""
        return self.session.compiled_step(
            self.backbone.network_with(gram_outputs),
            *self.step_parts,
            examples=examples,
            paintings=(artists, paintings),
        )
