"""Optical flow between frames: where it can be trusted, warping by it, and what still flickers.

A flow (H, W, 2) gives for each pixel (x, y) of one frame its displacement (u, v), in pixels to the
right and down, to where that point is in the other frame. Images are (H, W) or (H, W, 3).
"""

import numpy as np
from scipy.ndimage import map_coordinates


def warped(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """An image as seen through a flow into it: value (y, x) is image(y + v, x + u), bilinearly.

    From an image (H, W) or (H, W, channels) and a flow (H, W, 2), to the image's shape, float32;
    places outside the image have the value of its nearest pixel.
    """
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    places = np.stack([rows + flow[..., 1], columns + flow[..., 0]])
    channels = np.reshape(image, (*image.shape[:2], -1)).astype("float32")
    moved = [
        map_coordinates(channel, places, order=1, mode="nearest")
        for channel in np.moveaxis(channels, 2, 0)
    ]
    return np.stack(moved, axis=-1).reshape(image.shape)


def is_disoccluded(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Which pixels of a frame were not seen in the frame before it, (H, W), bool.

    |w̃ + ŵ|² > 0.01 (|w̃|² + |ŵ|²) + 0.5, where ŵ is the `backward` flow, from the frame to the one
    before, and w̃ the `forward` one, from that one to the frame, warped by ŵ: where both are right
    one is the opposite of the other. A departure from the source: where ŵ leads out of the image
    nothing can be known, so that this counts too.

    Source: Ruder, Dosovitskiy, Brox, arXiv 1604.08610, equation 5; Sundaram, Brox, Keutzer 2010.
    """
    height, width = backward.shape[:2]
    there = warped(forward, backward)
    limit = 0.01 * (_squares(there) + _squares(backward)) + 0.5
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + backward[..., 0], rows + backward[..., 1]
    is_outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    return np.asarray((_squares(there + backward) > limit) | is_outside)


def is_boundary(flow: np.ndarray) -> np.ndarray:
    """Which pixels are at a boundary of motion, (H, W), bool: |∇u|² + |∇v|² > 0.01 |w|² + 0.002.

    Derivatives are central differences, in pixels a pixel.

    Source: as `is_disoccluded`, equation 6.
    """
    slopes = [slope for part in (0, 1) for slope in np.gradient(flow[..., part])]
    return np.asarray(sum(slope**2 for slope in slopes) > 0.01 * _squares(flow) + 0.002)


def trusted(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """The weights c of the temporal loss, (H, W), float32: 1 where the flow holds, else 0.

    0 where a pixel was not seen before, or is at a boundary of motion.

    Source: as `is_disoccluded`, section 4.2.
    """
    lost = is_disoccluded(forward, backward) | is_boundary(backward)
    return np.asarray(~lost, "float32")


def warping_error(image: np.ndarray, expected: np.ndarray, weights: np.ndarray) -> float:
    """Σ c ‖image − expected‖² / (channels Σ c), in [0, 1]; NaN where c is 0 everywhere.

    The mean square by which a picture, (H, W, channels) in [0, 1], differs from the one before it,
    warped, at the pixels of weights c, (H, W). 0: nothing flickers.

    Source: Lai, Huang, Wang, Shechtman, Yumer, Yang, Learning blind video temporal consistency,
    arXiv 1808.00449, section 4.3.
    """
    total = float(weights.sum()) * image.shape[-1]
    squares = np.square(np.asarray(image, "float64") - expected)
    return float((weights[..., None] * squares).sum() / total) if total else float("nan")


def flow_between(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The flow from one frame to another, both uint8 (H, W, 3), by dense inverse search.

    float32, (H, W, 2); the same on any number of processors.

    Source: Kroeger, Timofte, Dai, Van Gool, arXiv 1603.03590, in OpenCV's implementation.
    """
    import cv2  # Not at the top: only films need it.

    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, second = (
        cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY) for one in (frame, other)
    )
    return search.calc(first, second, np.zeros((*first.shape, 2), "float32"))


def _squares(flow: np.ndarray) -> np.ndarray:
    return np.asarray((flow.astype("float64") ** 2).sum(axis=-1))
