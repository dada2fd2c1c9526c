"""What can be measured of a painted film: flicker, against its source's own, and likeness."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmark.images.flow import warped, warping_error
from benchmark.images.pixels import luma, to_float
from benchmark.metrics.pixels import luma_ssim
from benchmark.video.painting import Frame, Motion


class FrameMeasures(NamedTuple):
    """Of one frame; the warping errors are NaN at the first and behind a cut."""

    warping_error: float  # of the painted frames, in [0, 1]; see `images.flow.warping_error`
    source_warping_error: float  # of the film's own frames, with the same flow
    ssim: float  # of the painted frame to the film's, in [−1, 1]


def frame_measures(frames: Iterable[Frame], cut_share: float) -> Iterator[FrameMeasures]:
    """Those of consecutive frames; at least so large a share of unseen pixels is a cut."""
    before: Frame | None = None
    for frame in frames:
        painted, own = float("nan"), float("nan")
        motion = Motion.between(before.source, frame.source) if before else None
        if before and motion and not motion.is_cut(cut_share):
            own, painted = (
                warping_error(to_float(now), warped(to_float(last), motion.backward), motion.trust)
                for last, now in zip(before, frame, strict=True)
            )
        pair = (luma(to_float(picture)) for picture in frame)
        yield FrameMeasures(painted, own, luma_ssim(*pair))
        before = frame


def film_measures(measures: Sequence[FrameMeasures]) -> dict[str, float]:
    """Means over the frames, and the ratio of the warping errors; those that are known."""
    found: dict[str, float] = {}
    for name, values in zip(FrameMeasures._fields, np.transpose(measures), strict=True):
        if np.isfinite(values).any():
            found[name] = float(np.nanmean(values))
    if found.get("source_warping_error"):
        found["warping_error_ratio"] = found["warping_error"] / found["source_warping_error"]
    return found
