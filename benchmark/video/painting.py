"""One frame after the other, each optimised from the one before, with one compiled step."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from benchmark.config.schema import Consistency, VideoOptions
from benchmark.images.flow import flow_between, is_disoccluded, trusted, warped
from benchmark.images.pixels import Pictures, to_float, to_uint8
from benchmark.images.upscale import resized_to
from benchmark.runs.prepare import Prepared
from benchmark.transfer.batch import Batch, make_batches
from benchmark.transfer.features import StyleTargets
from benchmark.transfer.loop import Result
from benchmark.transfer.losses import Temporal
from benchmark.transfer.scales import Scale, optimize_scales
from benchmark.video.source import Film

CHANGE = 0.05
"""Root mean square over the channels, in [0, 1], from which on a pixel looks unlike expected."""


class Motion(NamedTuple):
    """What the flow says of two consecutive frames of a film."""

    backward: np.ndarray  # from the second to the first, (H, W, 2), in pixels
    is_new: np.ndarray  # which pixels of the second were not seen in the first, (H, W), bool
    has_changed: np.ndarray  # which of these also do not look as the flow leads to expect
    trust: np.ndarray  # the weights c of the temporal loss, (H, W), 0 or 1

    @classmethod
    def between(cls, before: np.ndarray, frame: np.ndarray) -> Self:
        """Of two frames, uint8 (H, W, 3)."""
        forward, backward = flow_between(before, frame), flow_between(frame, before)
        is_new = is_disoccluded(forward, backward)
        difference = to_float(frame) - warped(to_float(before), backward)
        has_changed = is_new & (np.sqrt(np.square(difference).mean(axis=-1)) > CHANGE)
        return cls(backward, is_new, has_changed, trusted(forward, backward))

    def is_cut(self, share: float) -> bool:
        """Whether at least such a share of the pixels was not seen before."""
        return bool(self.is_new.mean() >= share)


class Frame(NamedTuple):
    """A frame of a film, and what was made of it, both uint8 (H, W, 3)."""

    source: np.ndarray
    painted: np.ndarray


class Painted(NamedTuple):
    """How a frame was painted."""

    picture: np.ndarray  # uint8, (H, W, 3)
    begins: bool  # whether it has nothing of the frame before
    result: Result


@dataclass(frozen=True)
class FramePainter:
    """Paints frames with all that a prepared run has but its content pictures.

    All that differs between frames is an input of the step, which is compiled once for each size.
    """

    prepared: Prepared
    film: Film
    consistency: Consistency
    options: VideoOptions
    _targets: dict[int, StyleTargets] = field(default_factory=dict, repr=False)

    def paint(self, frame: np.ndarray, before: Frame | None) -> Painted:
        """Paint a frame, uint8 (H, W, 3), after the one before, if there is one.

        That one is taken in 8 bits, as it is written, so that whoever goes on from files goes on
        with the same.

        Raises:
            MemoryError: it does not fit into memory.
        """
        prepared, following = self.prepared, self._following(frame, before)
        if following is None:
            scales = [
                Scale(
                    partial(self._beginning, frame, size), replace(prepared.stopping, epochs=most)
                )
                for size, most in zip(prepared.sizes, prepared.epochs_each, strict=True)
            ]
        else:
            epochs = self.options.epochs_after or prepared.stopping.epochs
            scales = [Scale(lambda _: following, replace(prepared.stopping, epochs=epochs))]
        result = optimize_scales(
            prepared.transfer,
            scales,
            keep_best=prepared.keep_best,
            begins_block=lambda epoch: False,
        )
        image, colours = result.images[0], prepared.colours
        picture = to_uint8(colours.result(image, frame) if colours else image)
        return Painted(picture, following is None, result)

    def first_batch(self, frame: np.ndarray) -> Batch:
        """With which a frame begins at its final size, uint8 (H, W, 3)."""
        [batch] = self._beginning(frame, self.prepared.sizes[-1], None)
        return batch

    def _beginning(self, frame: np.ndarray, size: int, images: Pictures | None) -> list[Batch]:
        """A frame by itself at a size, from the picture of the scale before, if there is one."""
        sides = self.film.sides(size)
        content = resized_to(self._optimised(frame), sides)
        if images is None:
            images = self.prepared.start.images(content[None], self.prepared.examples)
        start = content if images is None else resized_to(self._optimised(images[0]), sides)
        return self._batches(content, size, start, np.zeros(sides), start)

    def _following(self, frame: np.ndarray, before: Frame | None) -> list[Batch] | None:
        """A frame that starts from the one before; None where it cannot.

        Source: Ruder, Dosovitskiy, Brox, arXiv 1604.08610, sections 4.1 and 4.2. A departure: where
        a pixel was not seen before and looks unlike what the flow leads to, the start is the
        frame's own. Else what was in front would stay there as a ghost.
        """
        if before is None or self.consistency is Consistency.none:
            return None
        motion = Motion.between(before.source, frame)
        if motion.is_cut(self.options.cut_share):
            return None
        content, start = self._optimised(frame), self._optimised(before.painted)
        size, expected = self.prepared.sizes[-1], start
        if self.consistency is Consistency.flow:
            expected = warped(start, motion.backward)
            start = np.where(motion.has_changed[..., None], content, expected)
        return self._batches(content, size, start, motion.trust, expected)

    def _batches(
        self,
        content: np.ndarray,
        size: int,
        start: np.ndarray,
        trust: np.ndarray,
        expected: np.ndarray,
    ) -> list[Batch]:
        """The batch of one frame, all images (H, W, 3) in [0, 1]."""
        if size not in self._targets:
            [[self._targets[size]]] = self.prepared.style_targets(size)
        backbone, targets = self.prepared.backbone, [self._targets[size]]
        [batch] = make_batches(backbone, content[None], targets, 1, start[None])
        if self.consistency is not Consistency.flow:
            return [batch]
        weights = np.asarray(self.options.temporal_weight * trust, "float32")
        temporal = Temporal(np.asarray(expected[None], "float32"), weights[None])
        return [replace(batch, temporal=temporal)]

    def _optimised(self, picture: np.ndarray) -> np.ndarray:
        """What a picture, uint8 or in [0, 1], is optimised as, float32."""
        colours = self.prepared.colours
        return to_float(colours.image(picture) if colours else picture)
