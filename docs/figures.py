"""The figures of docs/explanation.md, from one real optimisation: `python -m docs.figures`.

A photograph of scikit-image in the manner of eight paintings by a built-in painter, by VGG19 with
the study's loss; a minute on two cores. The numbers that the page names are printed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from backbones import Backbone
from benchmark.metrics.features import normalised_distances
from benchmark.transfer import (
    STUDY_LOSS,
    Aggregation,
    LossWeights,
    OptimizerChoice,
    Stopping,
    StyleTransfer,
    extract_targets,
    load_backbone,
    painting_losses,
    power_mean,
    stylize,
)
from benchmark.transfer.features import extract_grams
from benchmark.transfer.losses import normalised_style_losses
from datasets.images import load_images
from datasets.sample import content, paintings

PICTURES = Path(__file__).with_name("pictures")
SIZE, PAINTINGS, STEPS = 128, 8, 60
LAYERS = tuple(f"block{n}_conv1" for n in range(1, 6))
ORDERS = (-8.0, 0.0, 1.0, 2.0, 8.0)

matplotlib.use("Agg")
plt.rcParams["svg.hashsalt"] = "figures"
plt.rcParams["svg.fonttype"] = "none"
plt.rcParams["font.size"] = 9
plt.rcParams["figure.figsize"] = (6.4, 2.7)
plt.rcParams["savefig.bbox"] = "tight"


class Setting(NamedTuple):
    """A network, a photograph, and paintings of one painter: a style set, and held-out ones."""

    backbone: Backbone
    photograph: np.ndarray
    style_set: np.ndarray
    held_out: np.ndarray


def setting() -> Setting:
    """What all figures are drawn from."""
    backbone = load_backbone(
        model="keras.applications.vgg19.VGG19",
        style_layers=LAYERS,
        content_layer="block5_conv2",
        image_size=SIZE,
        weights="imagenet_8bit",
    )
    [painter] = paintings(["loose_drips"])
    pixels = load_images(painter, SIZE).pixels
    photographs = load_images(content(), SIZE).pixels
    return Setting(backbone, photographs[:1], pixels[:PAINTINGS], pixels[30 : 30 + PAINTINGS])


def optimised(setting: Setting) -> dict[int, np.ndarray]:
    """The picture after so many steps with the mean over the paintings."""
    # Little content, so that the style loss comes near to what it can reach.
    loss = STUDY_LOSS._replace(weights=LossWeights(content=5e-4, style=4.2e-4, variation=0.0))
    transfer = StyleTransfer(
        setting.backbone, loss=loss, optimizer=OptimizerChoice(keras.optimizers.Adam, 0.02)
    )
    pictures: dict[int, np.ndarray] = {}
    stylize(
        transfer,
        setting.photograph,
        extract_targets(setting.backbone, setting.style_set),
        Stopping(epochs=STEPS, patience=None),
        on_epoch=lambda epoch: pictures.update({epoch.number: np.asarray(epoch.images()[0])}),
    )
    return pictures


def draw_aggregation(setting: Setting, picture: np.ndarray) -> None:
    """The losses against the paintings, and how strongly each pulls by the order of the mean."""
    targets = extract_targets(setting.backbone, setting.style_set)
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    for order in ORDERS:
        transfer = StyleTransfer(setting.backbone, Aggregation(power_mean, {"p": order}))
        found = painting_losses(transfer, picture[None], targets)
        ranks = np.argsort(found.style_losses[0])
        shares = found.gradient_shares[0][ranks]
        right.plot(range(1, PAINTINGS + 1), shares, marker="o", ms=3, label=f"p = {order:g}")
        print(f"p = {order:g}: shares {np.round(shares, 3)}")
    losses = found.style_losses[0][ranks]
    left.bar(range(1, PAINTINGS + 1), losses, color="0.6")
    left.set(xlabel="painting, nearest first", ylabel="style loss $L_i$")
    right.set(xlabel="painting, nearest first", ylabel="share of the gradient", ylim=(0, None))
    right.legend(frameon=False)
    save(figure, "aggregation")


def draw_identity(setting: Setting, pictures: dict[int, np.ndarray]) -> None:
    """The mean of the losses beside the distance to the mean Gram matrix, over the steps."""
    grams = extract_grams(setting.backbone, list(pictures.values()))
    styles = extract_grams(setting.backbone, list(setting.style_set))
    simple = over_layers([distances(g, a).mean(1) for g, a in zip(grams, styles, strict=True)])
    means = [a.mean(0, keepdims=True) for a in styles]
    to_mean = over_layers([distances(g, m)[:, 0] for g, m in zip(grams, means, strict=True)])
    spread = over_layers([distances(a, m).mean() for a, m in zip(styles, means, strict=True)])
    figure, axes = plt.subplots()
    axes.plot(list(pictures), simple, color="0.75", lw=6, label="mean of the losses: simple")
    axes.plot(list(pictures), to_mean + spread, "k--", lw=1, label="‖G − Ā‖² + spread")
    axes.axhline(float(spread), color="tab:red", lw=1, label="spread of the paintings")
    axes.set(xlabel="step", ylabel="style loss", yscale="log")
    axes.legend(frameon=False)
    save(figure, "identity")
    error = np.abs(simple - to_mean - spread).max() / spread
    first, last = simple[0] / spread, simple[-1] / spread
    print(f"identity holds to {error:.1e}; from {first:.3g} to {last:.3g} times the spread")


def draw_layers(setting: Setting) -> None:
    """Each layer's share of the style loss between photograph and paintings, by the loss."""
    targets = extract_targets(setting.backbone, setting.style_set)
    grams = extract_grams(setting.backbone, list(setting.photograph))
    figure, axes = plt.subplots()
    for number, (name, loss) in enumerate(
        {"study": STUDY_LOSS.style, "normalised": normalised_style_losses}.items()
    ):
        by_layer = [float(np.mean(loss(g, t))) for g, t in zip(grams, targets, strict=True)]
        shares = np.array(by_layer) / sum(by_layer)
        axes.bar(np.arange(len(LAYERS)) + 0.4 * number, shares, 0.38, label=f"loss={name}")
        print(name, np.round(shares, 3))
    axes.set_xticks(np.arange(len(LAYERS)) + 0.2, LAYERS)
    axes.set(ylabel="share of the style loss")
    axes.legend(frameon=False)
    save(figure, "layers")


def draw_evaluation(setting: Setting, pictures: dict[int, np.ndarray]) -> None:
    """The normalised distance to held-out paintings over the steps, between what frames it."""
    held_out = extract_grams(setting.backbone, list(setting.held_out))
    styles = extract_grams(setting.backbone, list(setting.style_set))
    grams = extract_grams(setting.backbone, list(pictures.values()))
    pairs = zip(grams, held_out, strict=True)
    distance = over_layers([normalised_distances(g, h).mean(1) for g, h in pairs])
    pairs = zip(styles, held_out, strict=True)
    real = over_layers([normalised_distances(s, h).mean() for s, h in pairs])
    figure, axes = plt.subplots()
    axes.plot(list(pictures), distance, color="k", label="the picture")
    axes.axhline(distance[0], color="tab:blue", lw=1, label="the untouched photograph")
    axes.axhline(float(real), color="tab:red", lw=1, label="the painter's other paintings")
    axes.set(xlabel="step", ylabel="distance to held-out paintings", ylim=(0, None))
    axes.legend(frameon=False)
    save(figure, "evaluation")
    print(f"held out: photograph {distance[0]:.3f}, end {distance[-1]:.3f}, paintings {real:.3f}")


def distances(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """‖a_j − b_i‖² of all pairs, (N, n), by its definition."""
    return np.stack([np.square(a - theirs, dtype="float64").sum((1, 2)) for a in ours])


def over_layers(by_layer: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over the layers."""
    return np.asarray(np.mean(by_layer, axis=0))


def save(figure: Figure, name: str) -> None:
    """Write one figure."""
    figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    drawn_from = setting()
    steps = optimised(drawn_from)
    draw_aggregation(drawn_from, steps[STEPS])
    draw_identity(drawn_from, steps)
    draw_layers(drawn_from)
    draw_evaluation(drawn_from, steps)
