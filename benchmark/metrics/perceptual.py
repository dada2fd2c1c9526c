"""Metrics that compare a result with its content picture, position by position, in a network.

Each takes `pictures` and `contents`, (N, S, S, 3) in [0, 1], and the evaluator whose activations of
both it compares: those of whole layers, which are too large to be kept with `features.Features`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from backbones import Backbone, alexnet
from backbones.package_file import PackageFile, UnusableError
from backbones.torch_file import read_arrays
from benchmark.metrics.features import MissingInputError, UnsuitableEvaluatorError
from benchmark.transfer.features import outputs_of

LPIPS_WEIGHTS = PackageFile(
    "lpips",
    "0.1.4",
    "lpips/weights/v0.1/alex.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
)
"""What LPIPS weighs AlexNet's channels with, by layer."""

EPSILON = 1e-10
"""LPIPS's, so that a position without activations has length 0 and not none."""

VGG19, CFSD_LAYER = "keras.applications.vgg19.VGG19", "block3_conv1"

INPUT_SCALE = 255 * 0.226
"""Grey levels that are 1 to a network of torchvision: 255 times its mean standard deviation."""

ROWS_AT_ONCE = 512
"""Rows of a matrix of similarities that are in memory together."""


def lpips(pictures: np.ndarray, contents: np.ndarray, evaluator: Backbone) -> np.ndarray:
    """Learned perceptual image patch similarity to the content picture, ≥ 0, seldom over 1.

    Σ_l mean_hw Σ_c w_lc (F̂ − P̂)² over AlexNet's five layers l, of activations F and P of the
    result and of the content picture, over their length at each position; w are LPIPS's weights,
    version 0.1. A distance, despite its name. 0: alike; lower keeps more of the content.
    UnsuitableEvaluatorError: not AlexNet, or with other layers; MissingInputError: no weights.

    Source: Zhang, Isola, Efros, Shechtman, Wang, arXiv 1801.03924, equation 1.
    """
    if evaluator.shared.architecture.model != alexnet.MODEL or (
        evaluator.style_layers != tuple(alexnet.CONVOLUTIONS)
    ):
        raise UnsuitableEvaluatorError(
            "its weights are for AlexNet alone: evaluation.evaluators=[alexnet]; "
            "metrics=[perceptual_distance] is the same without them, on every evaluator"
        )
    try:
        weights = read_arrays(LPIPS_WEIGHTS.path())
    except UnusableError as error:
        raise MissingInputError(str(error)) from error
    layers = enumerate(unit_differences(pictures, contents, evaluator))
    return np.asarray(sum(of @ weights[f"lin{n}.model.1.weight"].ravel() for n, of in layers))


def perceptual_distance(
    pictures: np.ndarray, contents: np.ndarray, evaluator: Backbone
) -> np.ndarray:
    """Distance to the content picture in unit activations, LPIPS's without its learned weights.

    mean_hw Σ_c (F̂ − P̂)², with F̂ and P̂ as in `lpips`, at each style layer, in [0, 4]; at most 2 for
    activations ≥ 0. Lower keeps more of the content. Shape (layers, N), whose mean over the layers
    takes the place of the source's sum, so that it compares between networks.

    Source: as `lpips`, its networks without the linear layers.
    """
    differences = unit_differences(pictures, contents, evaluator)
    return np.stack([by_channel.sum(axis=1) for by_channel in differences])


def unit_differences(
    pictures: np.ndarray, contents: np.ndarray, evaluator: Backbone
) -> list[np.ndarray]:
    """mean_hw (F̂ − P̂)² of each channel, (N, C), at each of the evaluator's style layers."""
    pairs = [
        outputs_of(evaluator, np.stack(pair), unit_difference)
        for pair in zip(pictures, contents, strict=True)
    ]
    found = [np.concatenate(layer) for layer in zip(*pairs, strict=True)]
    return found[: len(evaluator.style_layers)]


def unit_difference(layers: Sequence[Any]) -> list[Any]:
    """The head of a network that leaves the `unit_differences` of two images, (1, C) a layer."""
    found = []
    for layer in layers:
        values = ops.cast(layer, "float32")
        lengths = ops.sqrt(ops.sum(ops.square(values), axis=-1, keepdims=True))
        units = values / (lengths + EPSILON)
        found.append(ops.mean(ops.square(ops.diff(units, axis=0)), axis=(1, 2)))
    return found


def cfsd(pictures: np.ndarray, contents: np.ndarray, evaluator: Backbone) -> np.ndarray:
    """Content feature structural distance: how each place's likeness to all others changed, ≥ 0.

    `structural_divergence` of VGG19's activations of block3_conv1, whose sides are a quarter of
    the image's. It grows with the number of these places: compare pictures of one size. 0: the
    content's structure; lower keeps more of it. UnsuitableEvaluatorError: not VGG19, or without
    this layer.

    A departure: the source has torchvision's VGG19, of other training. Keras's takes grey levels;
    its activations are divided by `INPUT_SCALE`, which with max pooling is the same as dividing
    its input and its biases.

    Source: Chung, Hyun, Heo, Style injection in diffusion, arXiv 2312.09008, as in the
    released code, which sums over the places.
    """
    layers = evaluator.style_layers + evaluator.content_layers
    if evaluator.shared.architecture.model != VGG19 or CFSD_LAYER not in layers:
        raise UnsuitableEvaluatorError(
            f"is defined on VGG19's {CFSD_LAYER} alone: evaluation.evaluators=[vgg]"
        )
    place = layers.index(CFSD_LAYER)
    found = []
    for pair in zip(contents, pictures, strict=True):
        maps = outputs_of(evaluator, np.stack(pair), activations)[place]
        content, result = np.asarray(maps, "float64") / INPUT_SCALE
        found.append(structural_divergence(content, result))
    return np.array(found)


def activations(layers: Sequence[Any]) -> Sequence[Any]:
    """The head of a network that changes nothing."""
    return layers


def structural_divergence(content: np.ndarray, result: np.ndarray) -> float:
    """Σ_i KL(p_i ‖ q_i) over the places i of two maps of activations, (H, W, C) each, float64.

    p_i = softmax_j(F_i · F_j / C²) of the content's activations F, q_i the same of the result's.
    The values of p_i and q_i differ by little, so that float32 would not do.

    Source: as `cfsd`.
    """
    ours, theirs = (maps.reshape(-1, maps.shape[-1]) / maps.shape[-1] for maps in (result, content))
    total = 0.0
    for start in range(0, len(theirs), ROWS_AT_ONCE):
        p, q = (one[start : start + ROWS_AT_ONCE] @ one.T for one in (theirs, ours))
        p, q = (logits - logits.max(axis=1, keepdims=True) for logits in (p, q))
        weights = np.exp(p)
        sums, others = weights.sum(axis=1), np.exp(q).sum(axis=1)
        p -= q  # The sum of p_ij (log p_ij − log q_ij) is that of the logits and of the two sums.
        total += float(np.sum(np.einsum("ij,ij->i", weights, p) / sums - np.log(sums / others)))
    return max(total, 0.0)
