"""Flow between frames: masks, warping and what is measured with them, against known motions."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmark.images.flow import (
    flow_between,
    is_boundary,
    is_disoccluded,
    trusted,
    warped,
    warping_error,
)


def constant(u: float, v: float, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    return np.full((*shape, 2), (u, v), "float32")


def test_warping_by_whole_pixels_is_a_shift_and_by_half_a_mean(random: np.random.Generator) -> None:
    image = random.random((12, 16, 3), dtype=np.float32)
    # Pixel (y, x) is seen at (y − 1, x + 2).
    moved = warped(image, constant(2, -1))
    np.testing.assert_array_equal(moved[1:, :-2], image[:-1, 2:])
    half = warped(image[..., 0], constant(0.5, 0))
    np.testing.assert_allclose(half[:, :-1], (image[:, :-1, 0] + image[:, 1:, 0]) / 2, rtol=1e-6)


def test_a_pixel_is_new_where_the_flows_disagree() -> None:
    # Opposite flows agree; what comes from outside the image was not seen.
    new = is_disoccluded(constant(3, 2), constant(-3, -2))
    assert new[:2].all()
    assert new[:, :3].all()
    assert not new[2:, 3:].any()
    # With w = 0 and ŵ = (a, 0): a² > 0.01 a² + 0.5, so for a > √(0.5 / 0.99) = 0.7107.
    for a, expected in ((0.70, False), (0.72, True)):
        assert (is_disoccluded(constant(0, 0), constant(a, 0))[:, :-1] == expected).all()


def test_a_boundary_is_where_the_flow_changes_fast() -> None:
    # u = x / 10, v = 0: 0.01 > 0.01 (x / 10)² + 0.002 for x < √80 = 8.94.
    flow = constant(0, 0)
    flow[..., 0] = np.arange(16) / 10
    np.testing.assert_array_equal(is_boundary(flow), np.tile(np.arange(16) < 9, (12, 1)))
    assert not is_boundary(constant(5, -3)).any()
    # Such a pixel has no weight, nor has one that is new.
    weights = trusted(-warped(flow, -flow), flow)
    assert not weights[:, :9].any()
    assert trusted(constant(-3, 0), constant(3, 0))[:, :13].all()


def test_the_warping_error_is_a_weighted_mean_square() -> None:
    image, expected = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    image[0, 0], image[1, 1] = (0.1, 0.2, 0.3), 1.0
    weights = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert warping_error(image, expected, weights) == pytest.approx((0.01 + 0.04 + 0.09) / 6)
    assert np.isnan(warping_error(image, expected, np.zeros((2, 2))))


def test_the_flow_of_a_translation_is_found(random: np.random.Generator) -> None:
    noise = gaussian_filter(random.random((96, 128, 3)), (2, 2, 0))
    before = ((noise - noise.min()) / np.ptp(noise) * 255).astype("uint8")
    after = np.roll(before, (2, 5), (0, 1))  # what was at (y, x) is at (y + 2, x + 5)
    inner = (slice(20, -20), slice(20, -20))
    forward, backward = flow_between(before, after), flow_between(after, before)
    np.testing.assert_allclose(np.median(forward[inner], (0, 1)), (5, 2), atol=0.05)
    np.testing.assert_allclose(np.median(backward[inner], (0, 1)), (-5, -2), atol=0.05)
    weights = trusted(forward, backward)
    assert weights[inner].mean() > 0.95
    own = warping_error(after / 255, warped(before / 255, backward), weights)
    assert own < 0.02 * np.mean((after / 255 - before / 255) ** 2)
