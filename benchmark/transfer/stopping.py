"""When an optimisation ends: converged or not yet, diverged, or out of epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

ADVICE = "lower optimizer.learning_rate, or loss.style_weight if it was raised"

GROWING = 3
"""Epochs in a row that the loss grew in, at the end above the first, that count as divergence."""


@dataclass(frozen=True)
class Stopping:
    """When the optimisation ends, by its total loss, averaged over the examples."""

    epochs: int  # at the latest after so many
    steps_per_epoch: int = 1
    min_improvement: float = 0.001  # the relative one under which an epoch counts as no progress
    patience: int | None = 1  # epochs in a row without progress that end the run; None: never
    divergence_factor: float = 100.0  # multiple of the first loss that counts as divergence


class StopReason(NamedTuple):
    """Why an optimisation ended, in a word and in a sentence.

    The word is "epochs", "converged", "not converged" or "diverged".
    """

    stopped_by: str
    message: str


def stopping_reason(history: Sequence[float], stopping: Stopping) -> StopReason | None:
    """Whether an optimisation ends, given its average total losses from epoch 0 to now.

    Diverged: not finite, or above `divergence_factor` times the first, or at the end above the
    first after `GROWING` epochs of growth: pixels that are clipped keep most losses from exploding
    further. Converged: each of the last `patience` epochs improved by less than `min_improvement`,
    (before − now) / before; but not above the first loss, where a start at the content picture has
    no content loss yet, and the first steps add some.
    """
    epoch, first, now = len(history) - 1, history[0], history[-1]
    if not np.isfinite(now):
        return _diverged(f"became {now} at epoch {epoch}")
    if now > stopping.divergence_factor * first:
        return _diverged(
            f"grew from {first:.4g} to {now:.4g} by epoch {epoch}, "
            f"over {stopping.divergence_factor:g} times"
        )
    patience = stopping.patience
    stalled = [
        before - after < stopping.min_improvement * before for before, after in pairwise(history)
    ]
    if patience is not None and epoch >= patience and all(stalled[epoch - patience :]):
        rose = "; it rose at the end, so a lower optimizer.learning_rate may go further"
        epochs = "an epoch" if patience == 1 else f"{patience} epochs"
        ending = StopReason(
            "converged",
            f"the average total loss improved by less than {stopping.min_improvement:.2%} "
            f"in {epochs}{rose if now > history[-2] else ''}",
        )
    elif epoch == stopping.epochs:
        ending = StopReason("epochs", f"all {epoch} epochs were done")
    else:
        return None
    if now <= first:
        return ending
    what = f"ended at {now:.4g} after {epoch} epochs, above the {first:.4g} it began with"
    last = history[-GROWING - 1 :]
    if len(last) > GROWING and all(before < after for before, after in pairwise(last)):
        return _diverged(what)
    stopped_by = "epochs" if ending.stopped_by == "epochs" else "not converged"
    more = "more epochs" if stopped_by == "epochs" else "early_stopping.patience=5"
    reason = f"the average total loss {what}: it has not converged yet; try {more}"
    return StopReason(stopped_by, f"{reason}, or a lower optimizer.learning_rate")


def _diverged(what: str) -> StopReason:
    return StopReason("diverged", f"the average total loss {what}; {ADVICE}")
