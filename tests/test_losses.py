"""Losses and aggregations against NumPy float64, written here from the study's formulas."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from benchmark.transfer import losses
from benchmark.transfer.aggregation import power_mean
from benchmark.transfer.losses import Tensor

pytestmark = pytest.mark.backends


def gram(features: np.ndarray) -> np.ndarray:
    """G = Σ_hw F_hwc F_hwd of each example, in float64."""
    exact = features.astype(float)
    return np.asarray(np.einsum("nhwc,nhwd->ncd", exact, exact))


def study_style_loss(features: np.ndarray, painting: np.ndarray) -> float:
    """Σ (G − A)² / (2·H·W·C)² of one example at one layer, in float64."""
    _, height, width, channels = features.shape
    difference = gram(features)[0] - gram(painting)[0]
    return float((difference**2).sum() / (2 * height * width * channels) ** 2)


def study_mean(values: np.ndarray, weights: np.ndarray, p: float) -> np.ndarray:
    """Weighted power mean in float64 with the limits as cases, along the last axis."""
    if p == 0:
        return np.asarray(np.exp((weights * np.log(values)).sum(-1)))
    if np.isinf(p):
        return np.asarray(values.max(-1) if p > 0 else values.min(-1))
    # Dividing by the dominating value keeps float64 itself from overflowing at large |p|.
    reference = values.max(-1, keepdims=True) if p > 0 else values.min(-1, keepdims=True)
    inner = (weights * (values / reference) ** p).sum(-1)
    return np.asarray(reference[..., 0] * inner ** (1 / p))


def test_gram_matrix_of_a_known_feature_map() -> None:
    # Two positions, (1, 2) and (3, 4): G = [[1·1 + 3·3, 1·2 + 3·4], [the same, 2·2 + 4·4]].
    features = np.array([[[[1.0, 2.0], [3.0, 4.0]]]], dtype="float32")
    expected = np.array([[10.0, 14.0], [14.0, 20.0]]) / (2 * 1 * 2 * 2)
    np.testing.assert_allclose(losses.gram_matrix(features)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 3e3])
def test_style_losses_agree_with_the_formula(random: np.random.Generator, scale: float) -> None:
    features = (scale * random.normal(1, 1, (2, 5, 7, 6))).astype("float32")
    paintings = (scale * random.normal(1, 1, (4, 5, 7, 6))).astype("float32")
    found = losses.style_losses(
        losses.gram_matrix(features), losses.centre(losses.gram_matrix(paintings))
    )
    expected = [
        [study_style_loss(features[[j]], paintings[[i]]) for i in range(4)] for j in range(2)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_style_loss_of_a_painting_itself_is_zero(random: np.random.Generator) -> None:
    grams = losses.gram_matrix(random.normal(size=(1, 6, 6, 4)).astype("float32"))
    assert float(losses.style_losses(grams, losses.centre(grams))[0, 0]) == 0.0


def test_style_loss_near_a_painting_does_not_cancel(random: np.random.Generator) -> None:
    paintings = (300 * random.normal(1, 1, (30, 6, 6, 8))).astype("float32")
    close = paintings[[3]] * np.float32(1.0001)
    targets = losses.centre(losses.gram_matrix(paintings))
    found = np.asarray(losses.style_losses(losses.gram_matrix(close), targets))[0]
    expected = [study_style_loss(close, paintings[[i]]) for i in range(30)]
    np.testing.assert_allclose(found, expected, rtol=0.01)


def normalised(one: np.ndarray, other: np.ndarray) -> float:
    """‖a − b‖² / (‖a‖² + ‖b‖²) in float64."""
    one, other = one.astype(float), other.astype(float)
    return float(((one - other) ** 2).sum() / ((one**2).sum() + (other**2).sum()))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 3e3])
def test_normalised_losses_agree_with_the_formula_at_any_scale(
    random: np.random.Generator, scale: float
) -> None:
    """Two artists with three paintings each; the scale cancels."""
    features = random.normal(0.5, 1, (4, 5, 7, 6)).astype("float32")
    paintings = random.normal(0.5, 1, (2, 3, 5, 7, 6)).astype("float32")
    k = np.float32(scale)
    targets = losses.stack_artists(
        [losses.centre(losses.gram_matrix(k * one)) for one in paintings]
    )
    found = losses.normalised_style_losses(losses.gram_matrix(k * features), targets)
    expected = [
        [normalised(gram(features[[j]]), gram(paintings[j // 2, [i]])) for i in range(3)]
        for j in range(4)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-4)
    content = losses.normalised_content_loss(k * features[:3], k * paintings[0])
    expected_content = [normalised(features[j], paintings[0, j]) for j in range(3)]
    np.testing.assert_allclose(content, expected_content, rtol=1e-5)


def test_normalised_losses_lie_between_0_and_their_most() -> None:
    """Of the same things 0, of blank ones too; of Gram matrices with nothing in common 1."""
    blank, bright = np.zeros((1, 2, 2, 2), "float32"), np.ones((1, 2, 2, 2), "float32")
    first, second = bright * [1, 0], bright * [0, 1]
    targets = losses.centre(losses.gram_matrix(np.concatenate([first, second, blank])))
    found = [
        losses.normalised_style_losses(losses.gram_matrix(one), targets)[0]
        for one in (first, second, blank)
    ]
    np.testing.assert_allclose(found, [[0, 1, 1], [1, 0, 1], [1, 1, 0]], atol=1e-6)
    content = [
        float(losses.normalised_content_loss(bright, other)[0])
        for other in (bright, first, blank, -bright)
    ]
    np.testing.assert_allclose(content, [0, 1 / 3, 1, 2], rtol=1e-6)
    assert float(losses.normalised_content_loss(blank, blank)[0]) == 0


def test_content_loss_and_total_variation_of_known_arrays() -> None:
    features = np.zeros((2, 1, 1, 3), "float32")
    target = np.array([[[[1.0, 2.0, 3.0]]], [[[0.0, 0.0, 0.0]]]], "float32")
    np.testing.assert_allclose(losses.content_loss(features, target), [7.0, 0.0])  # ½(1 + 4 + 9)
    pictures = np.array([[[[0.0], [1.0]], [[0.5], [0.25]]]], "float32")
    # Down: |0.5 − 0| + |0.25 − 1|; right: |1 − 0| + |0.25 − 0.5|.
    np.testing.assert_allclose(losses.total_variation(pictures), [0.5 + 0.75 + 1.0 + 0.25])


POWERS = [1.0, 2.0, 0.0, -1.0, 0.5, 3.0, 1e-3, -1e-6, 20.0, -300.0, np.inf, -np.inf]


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize(
    ("low", "high"), [(1e-8, 1e-8), (1e14, 1e14), (1e-8, 1e14), (1.0, 1.0001), (3e5, 9e5)]
)
def test_power_mean_is_accurate_in_float32(
    random: np.random.Generator, p: float, low: float, high: float
) -> None:
    values = np.exp(random.uniform(np.log(low), np.log(high), (3, 30))).astype("float32")
    values[:, 0], values[:, 1] = low, high
    weights = np.full(30, 1 / 30)
    found = np.asarray(power_mean(values, weights.astype("float32"), p))
    np.testing.assert_allclose(found, study_mean(values.astype(float), weights, p), rtol=3e-5)


def test_power_mean_with_weights(random: np.random.Generator) -> None:
    values = random.uniform(1, 9, (2, 4)).astype("float32")
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    for p in POWERS:
        expected = study_mean(values.astype(float), weights, p)
        found = power_mean(values, weights.astype("float32"), p)
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=f"p = {p}")


def test_power_mean_grows_with_p_between_minimum_and_maximum(random: np.random.Generator) -> None:
    values = random.uniform(1, 100, (1, 8)).astype("float32")
    weights = np.full(8, 1 / 8, "float32")
    means = [float(power_mean(values, weights, p)[0]) for p in sorted(POWERS)]
    assert means == sorted(means)
    np.testing.assert_allclose([means[0], means[-1]], [values.min(), values.max()], rtol=1e-6)


def test_power_mean_of_zero_losses_is_finite() -> None:
    for p in POWERS:
        assert np.isfinite(power_mean(np.zeros((1, 3), "float32"), np.full(3, 1 / 3, "float32"), p))


class GradientProbe(keras.Model):
    """Adds a weight, at first 0, to some values: one step of SGD(1) leaves −gradient in it."""

    def __init__(self, function: Callable[[Tensor], Tensor], values: np.ndarray) -> None:
        super().__init__()
        self.function = function
        self.delta = self.add_weight(shape=values.shape, initializer="zeros", name="delta")
        self.values = ops.convert_to_tensor(values)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        results = self.function(self.values + self.delta)
        self.add_loss(ops.sum(results))
        return results


def gradient(function: Callable[[Tensor], Tensor], values: np.ndarray) -> np.ndarray:
    """Gradient of the sum of a function of some values, on whichever backend runs."""
    probe = GradientProbe(function, values)
    # JAX would compile each operation by itself; TensorFlow is faster without.
    probe.compile(keras.optimizers.SGD(1.0), jit_compile=keras.backend.backend() == "jax")
    probe.train_on_batch(np.zeros(1))
    return -np.asarray(ops.convert_to_numpy(probe.delta))


@pytest.mark.parametrize("p", POWERS)
def test_gradient_of_the_power_mean(random: np.random.Generator, p: float) -> None:
    """∂M/∂L_i = w_i (L_i / M)^(p − 1), by hand; for p = ±∞ it is 1 at the extreme, else 0."""
    values = np.exp(random.uniform(np.log(1e-8), np.log(1e14), (2, 30))).astype("float32")
    weights = np.full(30, 1 / 30)
    found = gradient(lambda tensor: power_mean(tensor, weights.astype("float32"), p), values)
    mean = study_mean(values.astype(float), weights, p)[:, None]
    if np.isinf(p):
        expected = (values == mean).astype(float)
    else:
        expected = weights * np.exp((p - 1) * np.log(values.astype(float) / mean))
    assert np.isfinite(found).all()
    # Below 1e-36 float32 itself ends.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-36)


def test_gradient_of_the_style_loss(random: np.random.Generator) -> None:
    """∂/∂F Σ_i ‖G − A_i‖² = Σ_i 4 F (G − A_i) / 2HWC in float64, for two artists."""
    features = random.normal(1, 1, (4, 5, 7, 6)).astype("float32")
    paintings = [random.normal(1, 1, (3, 5, 7, 6)).astype("float32") for _ in range(2)]
    targets = losses.stack_artists([losses.centre(losses.gram_matrix(one)) for one in paintings])
    found = gradient(lambda f: losses.style_losses(losses.gram_matrix(f), targets), features)
    scale = 2 * 5 * 7 * 6
    for example, values in enumerate(features.astype(float)):
        apart = gram(features[[example]]) / scale - gram(paintings[example // 2]) / scale
        expected = 4 * np.einsum("hwc,icd->hwd", values, apart) / scale
        np.testing.assert_allclose(found[example], expected, rtol=1e-3, atol=1e-5)


def test_gradient_of_the_normalised_losses(random: np.random.Generator) -> None:
    """∂(a / b) = (∂a − (a / b) ∂b) / b in float64; at a painting's own Gram matrix too."""
    features = random.normal(1, 1, (1, 5, 7, 6)).astype("float32")
    paintings = np.concatenate([random.normal(1, 1, (3, 5, 7, 6)).astype("float32"), features])
    targets = losses.centre(losses.gram_matrix(paintings))
    found = gradient(
        lambda f: losses.normalised_style_losses(losses.gram_matrix(f), targets), features
    )
    values, own = features[0].astype(float), gram(features)[0]
    expected = np.zeros_like(values)
    for painting in gram(paintings):
        size = (own**2).sum() + (painting**2).sum()
        slope = (own - painting) - ((own - painting) ** 2).sum() / size * own
        expected += 4 * np.einsum("hwc,cd->hwd", values, slope) / size
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-6)
    target = paintings[:1]
    found = gradient(lambda f: losses.normalised_content_loss(f, target), features)
    apart, size = features - target.astype(float), (features**2).sum() + (target**2).sum()
    expected = 2 * (apart - (apart**2).sum() / size * features)[0] / size
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-7)
    still = gradient(lambda f: losses.normalised_content_loss(f, features), features)
    np.testing.assert_array_equal(still, 0.0)


def test_temporal_loss(random: np.random.Generator) -> None:
    images, expected = random.random((2, 2, 4, 5, 3))
    weights = random.random((2, 4, 5))
    sums = np.einsum("nhw,nhwc->n", weights, (images - expected) ** 2)
    found = losses.temporal_loss(
        ops.convert_to_tensor(images, "float32"),
        losses.Temporal(*(ops.convert_to_tensor(one, "float32") for one in (expected, weights))),
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), sums / (4 * 5 * 3), rtol=1e-5)
