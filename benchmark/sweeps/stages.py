"""A picture painted in stages: shown on the way, paused, gone on with, logged when it is liked."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmark.images.pixels import to_uint8
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.progress import Output
from benchmark.runs.workspace import Workspace
from benchmark.sweeps.painting import Request, config_of, logged
from benchmark.transfer.loop import LoopState, Result
from benchmark.transfer.scales import optimize_scales
from benchmark.transfer.stopping import StopReason

NO_END = 1_000_000
"""Epochs of a picture that is paused by whoever shows it, not ended."""


class DivergedError(RuntimeError):
    """An optimisation diverged, or has come to an end of its own."""


class _Paused(Exception):  # noqa: N818 - no error
    """The state at which an optimisation is left."""

    def __init__(self, state: LoopState) -> None:
        self.state = state


@dataclass(frozen=True)
class Stage:
    """A picture as far as it is painted."""

    request: Request
    prepared: Prepared
    state: LoopState

    @property
    def epochs(self) -> int:
        """Done, at all scales."""
        return len(self.state.history) - 1

    @property
    def size(self) -> int:
        """Pixels of the longest side at which it is being painted."""
        return self.prepared.sizes[self.state.scale]

    @property
    def pixels(self) -> np.ndarray:
        """The first picture, uint8 (H, W, 3)."""
        return to_uint8(self.prepared.finished(self.state.kept.images())[0])

    @property
    def losses(self) -> np.ndarray:
        """Mean losses after every epoch, rows as in `LOSS_NAMES`, (epochs + 1, 3)."""
        return np.asarray(self.state.history.mean(axis=2))

    @property
    def seconds_per_epoch(self) -> float:
        """Of the last epochs; NaN before the first."""
        return self.state.seconds[1]

    def seconds_left(self, epochs: int) -> float:
        """Until so many epochs are done in all: time grows like the number of pixels.

        Without the extraction of style targets where they are not kept; NaN before the first epoch.
        """
        left, number = 0.0, self.epochs
        ends = np.cumsum(self.prepared.epochs_each)
        for size, end in zip(self.prepared.sizes, ends, strict=True):
            here = max(min(end, epochs) - number, 0)
            left += here * (size / self.size) ** 2
            number += here
        return left * self.seconds_per_epoch

    @property
    def exact_request(self) -> Request:
        """What makes this picture in one go: the same with so many epochs in all."""
        overrides = [*self.request.overrides, f"total_epochs={max(self.epochs, 1)}"]
        return replace(self.request, overrides=overrides)


def begun(request: Request, workspace: Workspace) -> Prepared:
    """All that painting a request needs; InputError if an option, picture or file is wrong."""
    endless = replace(request, overrides=[*request.overrides, f"total_epochs={NO_END}"])
    return prepare(config_of(endless)[0], workspace)


def painted_until(
    request: Request,
    prepared: Prepared,
    epochs: int,
    goes_on: Callable[[Stage], bool],
    earlier: LoopState | None = None,
) -> Stage:
    """Paint from an earlier state, or the beginning, until so many epochs are done in all.

    `goes_on` sees the picture after each block of epochs, about twice a second or after each epoch,
    and says whether to. The picture is that of a run of so many epochs to the bit.

    Raises:
        DivergedError: the loss grew, or was not finite.
        MemoryError: the picture does not fit into memory.
    """

    def on_state(state: LoopState) -> None:
        stage = Stage(request, prepared, state)
        # Where a scale begins, its picture is that of the one before, enlarged.
        begins = state.scale > 0 and stage.epochs == state.before
        wanted = goes_on(stage) and stage.epochs < epochs
        if not (wanted or begins):
            raise _Paused(state)

    try:
        result = optimize_scales(
            prepared.transfer,
            prepared.scales(),
            resume=earlier,
            keep_best=prepared.keep_best,
            begins_block=lambda epoch: epoch == epochs + 1,
            on_state=on_state,
        )
    except _Paused as paused:
        return Stage(request, prepared, paused.state)
    raise DivergedError(result.stop_reason.message)


def log_stage(stage: Stage, workspace: Workspace, output: Output) -> None:
    """Log a picture as far as it is as a run in MLflow.

    Raises:
        InputError: the store cannot be reached.
    """
    config, overrides = config_of(stage.exact_request)
    state = stage.state
    result = Result(
        images=state.kept.images(),
        losses=state.kept.losses,
        kept_epochs=state.kept.epochs,
        history=state.history,
        stop_reason=StopReason("epochs", f"all {stage.epochs} epochs were done"),
        seconds=state.seconds[0],
        first_epoch=state.before,
    )
    logged(config, overrides, prepare(config, workspace), output, painted=result)
