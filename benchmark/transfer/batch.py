"""Batches of examples, their optimisation, and halving them where memory is short."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.images.pixels import Pictures, gathered, same_shape, to_float
from benchmark.transfer import backend
from benchmark.transfer.features import StyleTargets, extract_features, gram_outputs
from benchmark.transfer.losses import Regions, Temporal, Tensor, stack_artists
from benchmark.transfer.masks import areas_of, at_layers
from benchmark.transfer.step import StepInputs, Stylization
from benchmark.transfer.style_transfer import StyleTransfer


@dataclass(frozen=True)
class Batch:
    """Examples that are optimised together, artist by artist, equally many of each.

    With several masks of each example, all artists paint every example, each where its mask says.
    """

    style: Sequence[StyleTargets]  # the targets of each artist
    content: Sequence[np.ndarray]  # the contents' activations at each content layer, (N, H', W', C)
    start: np.ndarray  # the images to start from, (N, H, W, 3) in [0, 1]
    places: Sequence[int] = ()  # where its examples are among all; empty: as batches come
    masks: np.ndarray | None = None  # (R, N, H, W), R = 1 or the artists; None: act everywhere
    temporal: Temporal | None = None  # of frames of a film; its weights are of the total loss

    @property
    def together(self) -> bool:
        """Whether several artists paint every example."""
        return self.masks is not None and len(self.masks) > 1


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

    `paintings` are how many each artist has, `contents` how many content images there are for each.
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
    contents: Pictures,
    targets: Sequence[StyleTargets],
    batch_size: int,
    start: Pictures | None = None,
    activations: Sequence[np.ndarray] | None = None,
    only: Sequence[int] | None = None,
    masks: Sequence[np.ndarray] | None = None,
) -> list[Batch]:
    """All examples, every content image for each artist, in batches as `plan_batches` has them.

    Or those of `only` some contents, for which the targets are; places stay those among all.

    `contents`, N of (H, W, 3), are uint8, or floats in [0, 1]; those of one shape are in batches
    together. `start` has the images to start from in [0, 1], N for each artist, artist by artist;
    None: the contents. The targets are this backbone's, and so are the activations of each content
    layer, (N, H', W', C), where the caller has them because all contents have one shape and none
    is left out.

    `masks` say where styles act in each content image, each (1, H, W), in [0, 1], for all artists;
    or (R, H, W), one for each of several artists: then there is one example for each content image.
    """
    together = masks is not None and len(masks[0]) > 1
    styles = [list(targets)] if together else [[target] for target in targets]
    paintings = [style[0][0].deviations.shape[1] for style in styles]
    batches = []
    for group in same_shape(contents, only):
        images = np.stack([contents[index] for index in group])
        layers = activations or extract_features(backbone, images)[len(backbone.style_layers) :]
        for plan in plan_batches(paintings, len(group), batch_size):
            chosen = [group[index] for index in plan.contents]
            places = [artist * len(contents) + index for artist in plan.artists for index in chosen]
            starts = [
                start[p] if start is not None else contents[p % len(contents)] for p in places
            ]
            batches.append(
                Batch(
                    [target for artist in plan.artists for target in styles[artist]],
                    [np.concatenate([a[plan.contents]] * len(plan.artists)) for a in layers],
                    to_float(np.stack(starts)),
                    places,
                    None
                    if masks is None
                    else np.stack([masks[p % len(contents)] for p in places], axis=1),
                )
            )
    return batches


class Block(NamedTuple):
    """Some epochs of a batch, done in one go."""

    first: Sequence[Tensor]  # the state at the beginning of its first epoch
    last: Sequence[Tensor]  # … of its last epoch
    losses: np.ndarray  # at the beginning of every epoch, (epochs, 3, N)


class BatchOptimization:
    """The optimisation of one batch: its own state, and a compiled step that others share."""

    def __init__(self, transfer: StyleTransfer, batch: Batch, state: Sequence[Tensor] = ()) -> None:
        self.transfer = transfer
        self._batch = batch
        self.state = state  # the images and the optimiser's variables; empty before the beginning
        self._begun: tuple[Stylization, StepInputs] | None = None

    @property
    def examples(self) -> int:
        """How many it optimises."""
        return len(self._batch.start)

    @property
    def places(self) -> Sequence[int]:
        """Where these are among all."""
        return self._batch.places

    @property
    def images(self) -> Tensor:
        """The images as they are now, (N, S, S, 3) in [0, 1]."""
        return self.state[0] if self.state else self._batch.start

    def begin(self) -> tuple[Stylization, StepInputs]:
        """The step, compiled if the session has none like it, and its inputs."""
        if self._begun is None:
            transfer, inputs = self.transfer, self._inputs()
            step = transfer.session.compiled_step(
                transfer.optimizer.compiled_form(),
                transfer.backbone.network_with(
                    gram_outputs(0 if inputs.regions else len(inputs.style))
                ),
                transfer.loss.style,
                transfer.loss.content,
                transfer.aggregation.function,
                transfer.aggregation.constants,
                self._batch.start.shape,
                inputs.style[0].squared_deviations.shape,
            )
            step.begin(self._batch.start, transfer.optimizer.learning_rate, inputs)
            self.state = self.state or step.state()
            self._begun = step, inputs
        return self._begun

    def _inputs(self) -> StepInputs:
        """The inputs of the step as tensors; weights of paintings and layers then sum to 1."""
        style = [stack_artists(layer) for layer in zip(*self._batch.style, strict=True)]
        aggregation, paintings = self.transfer.aggregation, style[0].deviations.shape[1]
        loss = self.transfer.loss
        numbers, loss_weights = keras.tree.map_structure(
            lambda number: ops.convert_to_tensor(number, "float32"),
            (aggregation.numbers, loss.weights),
        )
        regions, masks = None, self._batch.masks
        if masks is not None:
            layers = at_layers(self.transfer.backbone, masks)
            areas = ops.convert_to_tensor(areas_of(masks))
            regions = Regions([ops.convert_to_tensor(layer) for layer in layers], areas)
        temporal = self._batch.temporal
        style_weights, content_weights = (
            None if shares is None else ops.convert_to_tensor(shares)
            for shares in (loss.layer_shares, loss.content_shares)
        )
        return StepInputs(
            style,
            [ops.convert_to_tensor(layer) for layer in self._batch.content],
            ops.convert_to_tensor(aggregation.painting_weights(paintings)),
            numbers,
            loss_weights,
            style_weights,
            content_weights,
            regions,
            temporal and Temporal(*map(ops.convert_to_tensor, temporal)),
        )

    def run(self, steps: int = 1) -> np.ndarray:
        """Do some steps; the losses before each, (steps, 3, N)."""
        losses, self.state = self._continued(self.state, steps)
        return losses

    def run_block(self, epochs: int, steps_per_epoch: int) -> Block:
        """Do some epochs, in one go but for the last."""
        self.begin()
        first, before = self.state, (epochs - 1) * steps_per_epoch
        losses, last = self._continued(first, before) if before else (None, first)
        final, self.state = self._continued(last, steps_per_epoch)
        rows = final[:1] if losses is None else [*losses[::steps_per_epoch], final[0]]
        return Block(first, last, np.asarray(rows))

    def images_after(self, block: Block, steps: int) -> Tensor:
        """The images so many steps after the beginning of a block of it, done again."""
        return self._continued(block.first, steps)[1][0] if steps else block.first[0]

    def _continued(self, state: Sequence[Tensor], steps: int) -> tuple[np.ndarray, list[Tensor]]:
        """Some steps from a state on: the losses before each, and the state after them."""
        step, inputs = self.begin()
        step.restore(state or self.state)
        return step.run(steps, inputs), step.state()

    def halves(self) -> "list[BatchOptimization]":
        """Two that continue from its state, each with half of the artists, or examples of all."""
        batch, artists, middle = self._batch, len(self._batch.style), self.examples // 2
        styles = [batch.style, batch.style]
        if artists > 1 and not batch.together:
            styles = [batch.style[: artists // 2], batch.style[artists // 2 :]]
            middle = self.examples // artists * (artists // 2)
        halves = []
        for style, part in zip(styles, (slice(middle), slice(middle, None)), strict=True):
            content = [layer[part] for layer in batch.content]
            masks = None if batch.masks is None else batch.masks[:, part]
            expected = batch.temporal and Temporal(*(one[part] for one in batch.temporal))
            places = batch.places[part]
            half = Batch(style, content, batch.start[part], places, masks, expected)
            # What an optimiser keeps is either of each example or of the whole batch.
            state = [v[part] if v.shape[:1] == (self.examples,) else v for v in self.state]
            halves.append(BatchOptimization(self.transfer, half, state))
        return halves

    def at_most(self, examples: int) -> "list[BatchOptimization]":
        """Itself, or halves of it, and so on, until none has more examples."""
        if self.examples <= examples:
            return [self]
        return [part for half in self.halves() for part in half.at_most(examples)]


class Optimization:
    """The optimisation of several batches, each halved when it does not fit into memory.

    How the examples are batched changes no result: the loss is a sum over them, Adam, SGD and
    RMSProp act on each pixel alone, L-BFGS on each example. A half continues from where the batch
    was.
    """

    def __init__(
        self,
        transfer: StyleTransfer,
        batches: Sequence[Batch],
        on_smaller_batch: Callable[[int], None] = lambda batch_size: None,
    ) -> None:
        # Of each batch, or of its halves, in order.
        self.parts = [BatchOptimization(transfer, batch) for batch in batches]
        self._transfer = transfer
        self._on_smaller_batch = on_smaller_batch

    def resume(self, states: Sequence[Sequence[Tensor]]) -> None:
        """Continue from the states of earlier parts, in halves where those were halved.

        Raises:
            ValueError: these are the states of other batches.
        """
        for index, state in enumerate(states):
            while self.parts[index:] and self.parts[index].examples > len(state[0]):
                self.parts[index : index + 1] = self.parts[index].halves()
        if [part.examples for part in self.parts] != [len(state[0]) for state in states]:
            raise ValueError("the states are of other batches")
        for part, state in zip(self.parts, states, strict=True):
            part.state = state

    @property
    def states(self) -> list[Sequence[Tensor]]:
        """Those of all parts, with which `resume` continues."""
        return [part.state for part in self.parts]

    def run_block(self, epochs: int, steps_per_epoch: int) -> "EpochBlock":
        """Do some epochs of all batches.

        Raises:
            MemoryError: a single example does not fit into memory.
        """
        blocks: list[Block] = []
        seconds = 0.0
        while len(blocks) < len(self.parts):
            index = len(blocks)
            try:
                self.parts[index].begin()
                began = perf_counter()
                blocks.append(self.parts[index].run_block(epochs, steps_per_epoch))
                seconds += perf_counter() - began
                continue
            except Exception as error:
                if not backend.out_of_memory(error):
                    raise
                if self.parts[index].examples == 1:
                    raise MemoryError(
                        "out of memory with a single image: lower image_size, use "
                        "precision=bfloat16, or choose fewer or shallower layers"
                    ) from error
            # Out of the handler, and without a name for what is replaced, so that nothing keeps
            # it in memory.
            most = max(half.examples for half in self.parts[index].halves())
            self._transfer.session.reduce_batch(self._transfer.backbone, most)
            self.parts[index:] = [p for part in self.parts[index:] for p in part.at_most(most)]
            self._on_smaller_batch(most)
        losses = np.concatenate([block.losses for block in blocks], axis=2)
        losses = losses[:, :, _order(self.parts)]
        return EpochBlock(list(self.parts), blocks, steps_per_epoch, losses, seconds)


@dataclass(frozen=True)
class EpochBlock:
    """Some epochs of all batches."""

    _parts: Sequence[BatchOptimization]
    _blocks: Sequence[Block]
    _steps_each: int
    losses: np.ndarray  # at the beginning of every epoch, (epochs, 3, N)
    seconds: float  # spent in steps, without compilation

    def images(self, epoch: int) -> Callable[[], Pictures]:
        """Fetches the images at the beginning of one of its epochs, N of (H, W, 3) in [0, 1].

        Those of the first and the last are there; for others the steps up to it are done again.
        """
        order = _order(self._parts)
        if epoch in (0, len(self.losses) - 1):
            images = [(block.last if epoch else block.first)[0] for block in self._blocks]
            return lambda: _fetched(images, order)
        parts, steps = list(zip(self._parts, self._blocks, strict=True)), epoch * self._steps_each
        return lambda: _fetched([part.images_after(block, steps) for part, block in parts], order)


def _fetched(images: Sequence[Tensor], order: np.ndarray) -> Pictures:
    pictures = [picture for part in images for picture in ops.convert_to_numpy(part)]
    return gathered([pictures[index] for index in order])


def _order(parts: Sequence[BatchOptimization]) -> np.ndarray:
    """With which the examples of some parts come as they are among all."""
    places = [place for part in parts for place in part.places]
    return np.argsort(places) if places else np.arange(sum(part.examples for part in parts))
