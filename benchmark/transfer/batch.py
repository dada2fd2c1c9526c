"""Batches of examples, their optimisation, and halving them where memory is short."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.images.pixels import to_float
from benchmark.transfer import backend
from benchmark.transfer.features import extract_features
from benchmark.transfer.losses import Tensor, stack_artists
from benchmark.transfer.step import StepInputs, Stylization, step_inputs
from benchmark.transfer.style_transfer import StyleTransfer
from benchmark.transfer.targets import StyleTargets

ActionResult = TypeVar("ActionResult")


@dataclass(frozen=True)
class Batch:
    """Examples that are optimised together, artist by artist, equally many of each.

    Attributes:
        style: the targets of each artist.
        content: the content layer's activations of the content images, (N, H, W, C).
        start: the images to start from, (N, S, S, 3) in [0, 1].
    """

    style: Sequence[StyleTargets]
    content: np.ndarray
    start: np.ndarray

    def halves(self) -> "list[tuple[slice, Batch]]":
        """Two batches in its place, and which of its examples each has; one example has none."""
        artists, examples = len(self.style), len(self.start)
        if examples == 1:
            return []
        styles, middle = [self.style, self.style], examples // 2
        if artists > 1:
            styles = [self.style[: artists // 2], self.style[artists // 2 :]]
            middle = examples // artists * (artists // 2)
        parts = [slice(0, middle), slice(middle, examples)]
        return [
            (part, Batch(style, self.content[part], self.start[part]))
            for part, style in zip(parts, styles, strict=True)
        ]


class BatchPlan(NamedTuple):
    """Which examples a batch has: every content image of these for each of the artists."""

    artists: Sequence[int]
    contents: Sequence[int]

    @property
    def examples(self) -> int:
        """How many it has."""
        return len(self.artists) * len(self.contents)


def plan_batches(paintings: Sequence[int], contents: int, batch_size: int) -> list[BatchPlan]:
    """Batches of at most so many examples: a few contents of an artist, or several whole artists.

    Only neighbours with equally many paintings are together: their Gram matrices are stacked.

    Args:
        paintings: how many each artist has.
        contents: how many content images there are, the same for each artist.
        batch_size: examples in a batch at most.
    """
    room = max(batch_size // contents, 1)
    groups: list[list[int]] = []
    for artist, number in enumerate(paintings):
        if groups and len(groups[-1]) < room and paintings[groups[-1][0]] == number:
            groups[-1].append(artist)
        else:
            groups.append([artist])
    parts = np.array_split(np.arange(contents), -(-contents // batch_size))
    return [BatchPlan(group, part.tolist()) for group in groups for part in parts]


def make_batches(
    backbone: Backbone,
    contents: np.ndarray,
    targets: Sequence[StyleTargets],
    batch_size: int,
    start: np.ndarray | None = None,
) -> list[Batch]:
    """All examples, every content image for each artist, in batches as `plan_batches` has them.

    Args:
        backbone: the network that made the targets.
        contents: shape (N, S, S, 3), uint8, or floats in [0, 1].
        targets: of each artist.
        batch_size: examples in a batch at most.
        start: the images to start from, (artists, N, S, S, 3) in [0, 1]; None: the contents.
    """
    *_, activations = extract_features(backbone, contents)
    starts = [to_float(contents)] * len(targets) if start is None else start
    paintings = [target[0].deviations.shape[1] for target in targets]
    return [
        Batch(
            [targets[artist] for artist in plan.artists],
            np.concatenate([activations[plan.contents]] * len(plan.artists)),
            np.concatenate([starts[artist][plan.contents] for artist in plan.artists]),
        )
        for plan in plan_batches(paintings, len(contents), batch_size)
    ]


class BatchOptimization:
    """The optimisation of one batch: its own state, and a compiled step that others share.

    Attributes:
        state: the images and the optimiser's variables; empty before the beginning.
    """

    def __init__(self, transfer: StyleTransfer, batch: Batch) -> None:
        """Of a batch at its start."""
        self.transfer = transfer
        self._batch = batch
        self.state: Sequence[Tensor] = ()
        self._begun: tuple[Stylization, StepInputs] | None = None

    @property
    def examples(self) -> int:
        """How many it optimises."""
        return len(self._batch.start)

    @property
    def images(self) -> Tensor:
        """The images as they are now, (N, S, S, 3) in [0, 1]."""
        return self.state[0] if self.state else self._batch.start

    def begin(self) -> tuple[Stylization, StepInputs]:
        """The step, compiled if the session has none like it, and its inputs."""
        if self._begun is None:
            batch, transfer = self._batch, self.transfer
            style = [stack_artists(layer) for layer in zip(*batch.style, strict=True)]
            inputs = step_inputs(style, batch.content, transfer.aggregation, transfer.loss.weights)
            artists, paintings = style[0].squared_deviations.shape
            step = transfer.compiled_step(self.examples, artists, paintings)
            step.begin(batch.start, transfer.optimizer.learning_rate, inputs)
            self.state = self.state or step.state()
            self._begun = step, inputs
        return self._begun

    def run(self, steps: int = 1) -> np.ndarray:
        """Do some steps; the losses (3, N) of the images before the last of them."""
        step, inputs = self.begin()
        step.restore(self.state)
        for _ in range(steps):
            step.train_on_batch(inputs)
        self.state = step.state()
        return np.asarray(ops.convert_to_numpy(step.example_losses))

    def halves(self) -> "list[BatchOptimization]":
        """Two that continue from its state, each with half of the examples."""
        return [self._part(part, batch) for part, batch in self._batch.halves()]

    def at_most(self, examples: int) -> "list[BatchOptimization]":
        """Itself, or halves of it, and so on, until none has more examples."""
        if self.examples <= examples:
            return [self]
        return [part for half in self.halves() for part in half.at_most(examples)]

    def _part(self, part: slice, batch: Batch) -> "BatchOptimization":
        half = BatchOptimization(self.transfer, batch)
        if self.state:
            whole = self.state[0].shape
            # An optimiser's variable is either of each pixel or of the whole batch.
            half.state = [v[part] if v.shape == whole else v for v in self.state]
        return half


def resume_from(
    optimizations: Sequence[BatchOptimization], states: Sequence[Sequence[Tensor]]
) -> list[BatchOptimization]:
    """Optimisations that continue from states, in halves where the earlier ones were halved.

    Raises:
        ValueError: these are the states of other batches.
    """
    remaining = list(states)

    def resumed(optimization: BatchOptimization) -> list[BatchOptimization]:
        if not remaining or len(remaining[0][0]) > optimization.examples:
            raise ValueError("the states are of other batches")
        if len(remaining[0][0]) == optimization.examples:
            optimization.state = remaining.pop(0)
            return [optimization]
        return [part for half in optimization.halves() for part in resumed(half)]

    parts = [part for optimization in optimizations for part in resumed(optimization)]
    if remaining:
        raise ValueError("the states are of more batches")
    return parts


def map_halving_on_oom(
    optimizations: list[BatchOptimization],
    on_smaller_batch: Callable[[int], None],
    action: Callable[[BatchOptimization], ActionResult],
) -> list[ActionResult]:
    """Results of an action on each optimisation; in the list, halves replace what did not fit.

    Raises:
        MemoryError: a single example does not fit into memory.
    """
    results: list[ActionResult] = []
    while len(results) < len(optimizations):
        index = len(results)
        try:
            results.append(action(optimizations[index]))
            continue
        except Exception as error:
            if not backend.out_of_memory(error):
                raise
            if optimizations[index].examples == 1:
                raise MemoryError(
                    "out of memory with a single image: lower image_size, use "
                    "precision=bfloat16, or choose fewer or shallower layers"
                ) from error
        # Out of the handler, and without a name for what is replaced, so that nothing keeps it in
        # memory.
        batch_size = max(half.examples for half in optimizations[index].halves())
        transfer = optimizations[index].transfer
        transfer.session.reduce_batch(transfer.backbone, batch_size)
        optimizations[index:] = [
            part
            for optimization in optimizations[index:]
            for part in optimization.at_most(batch_size)
        ]
        on_smaller_batch(batch_size)
    return results
