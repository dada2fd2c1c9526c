"""Loss weights of a backbone, found by trials: `python -m benchmark.calibrate --help`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.table import Table

from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.images import sheets
from benchmark.images.pixels import to_uint8
from benchmark.metrics.pixels import ssim
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.progress import Output, announce_weights
from benchmark.runs.variants import optimizer_choice
from benchmark.runs.workspace import Workspace
from benchmark.transfer.batch import Optimization
from benchmark.transfer.features import extract_features
from benchmark.transfer.loop import optimize

SHARE = 0.97

STEP = 0.003

TOLERANCE = 0.15
"""Decades of the style weight to which it is found."""


class Trial(NamedTuple):
    """One style weight and what came of it, means over the examples.

    Attributes:
        style_weight: in units of the content weight; infinite where that is 0.
        style_ratio: final style loss over the first, in [0, 1] unless it rose.
        content_kept: SSIM to the content picture, as the metric has it.
        balance: final content loss over final style loss.
        pictures: results, (N, S, S, 3) in [0, 1].
    """

    style_weight: float
    style_ratio: float
    content_kept: float
    balance: float
    pictures: np.ndarray

    @property
    def drop(self) -> float:
        """How far the style loss fell, −log of its ratio."""
        return -float(np.log(max(self.style_ratio, 1e-12)))

    @property
    def texts(self) -> list[str]:
        """Its three numbers for a terminal."""
        return [f"{self.style_weight:.3g}", f"{self.style_ratio:.3f}", f"{self.content_kept:.3f}"]


def calibrate(overrides: Sequence[str], folder: Path) -> None:
    """Find the weights of one backbone, and print how and draw it into a folder."""
    config = composed(overrides)
    prepared = prepare(config, Workspace())
    transfer = prepared.transfer
    weights = transfer.loss.weights
    if weights.content == 0:
        raise ConfigError("loss.content_weight=0: calibration needs a content loss")
    if config.init != "content":
        raise ConfigError("calibration starts at the content pictures", "init", config.init)
    if prepared.colours:
        reason = "calibration takes the paintings in their own colours"
        raise ConfigError(reason, "preserve_color", config.preserve_color.value)
    output = Output()
    announce_weights(output, prepared.missing_weights)
    table = Table("style / content weight", "style loss, of the first", "content kept (SSIM)")
    trials = []
    for one in search(prepared):
        trials.append(one)
        output.print(f"  trial {len(trials)}: {' '.join(one.texts)}", soft_wrap=True)
    found = chosen(trials)
    by_weight = sorted(trials, key=lambda trial: trial.style_weight)
    for one in by_weight:
        table.add_row(*one.texts, style="bold" if one is found else None)
    output.print(table)
    balanced = weights._replace(style=weights.content * found.style_weight)
    loss = transfer.loss._replace(weights=balanced)
    factor = STEP / first_step(replace(prepared, transfer=replace(transfer, loss=loss)))
    backbone = prepared.backbone
    output.print(f"{backbone.name} with weights {backbone.weights}, loss={config.loss.name}:")
    listed = ", ".join(f"{layer} {share:.0%}" for layer, share in layer_shares(prepared).items())
    output.print(f"  style loss of the content pictures by layer: {listed}", soft_wrap=True)
    output.print(f"  content_weight: {balanced.content * factor:.1e}")
    output.print(f"  style_weight: {balanced.style * factor:.1e}")
    file = folder / f"{backbone.name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    trial_sheet(prepared, by_weight).save(file)
    output.print(f"pictures of the trials: {file}", soft_wrap=True)


def search(prepared: Prepared) -> Iterator[Trial]:
    """Trials that close in on the weight that `SHARE` asks for, first the one without content."""
    free = trial(prepared, float("inf"))
    yield free
    if free.drop <= 0:
        raise ConfigError(
            f"backbone={prepared.backbone.name}: the style loss does not fall even without a "
            "content loss: lower optimizer.learning_rate, or raise epochs"
        )
    wanted = SHARE * free.drop
    weight = float(np.clip(np.nan_to_num(free.balance, nan=1.0), 1e-11, 1e17))
    low = high = 0.0
    while not (low and high and np.log10(high / low) < TOLERANCE):
        one = trial(prepared, weight)
        yield one
        if one.drop >= wanted:
            high = weight
        else:
            low = weight
        weight = float(np.sqrt(low * high)) if low and high else high / 10 or low * 10
        if not 1e-12 < weight < 1e18:
            raise ConfigError(
                f"backbone={prepared.backbone.name}: no style weight balances the content loss; "
                "its layers may not respond to style at all"
            )


def chosen(trials: Sequence[Trial]) -> Trial:
    """The trial of least weight whose style loss fell far enough."""
    wanted = SHARE * trials[0].drop
    return min((t for t in trials[1:] if t.drop >= wanted), key=lambda t: t.style_weight)


def trial(prepared: Prepared, style_weight: float) -> Trial:
    """Optimise the examples with one ratio of the weights."""
    loss = prepared.transfer.loss
    weights = loss.weights
    if np.isfinite(style_weight):
        weights = weights._replace(style=style_weight * weights.content)
    else:
        weights = weights._replace(content=0.0)
    batches = prepared.batches()
    transfer = replace(prepared.transfer, loss=loss._replace(weights=weights))
    stopping = replace(prepared.stopping, patience=None)
    outcome = optimize(transfer, batches, stopping, begins_block=lambda epoch: False)
    contents = np.concatenate([batch.start for batch in batches])
    kept = float(ssim(outcome.images, contents).mean())
    with np.errstate(all="ignore"):  # Where there is no style loss at all.
        _, style, content = outcome.losses.mean(axis=1)
        ratio = float(style / outcome.first_losses[1].mean())
        balance = float(content / style)
    return Trial(style_weight, ratio, kept, balance, outcome.images)


def layer_shares(prepared: Prepared) -> dict[str, float]:
    """Each style layer's share of the style loss between content pictures and paintings.

    w_l L_l / Σ_k w_k L_k, each L a mean over examples and paintings, before any step, and w the
    layers' weights in the loss.
    """
    layers = prepared.backbone.style_layers
    grams = extract_features(prepared.backbone, prepared.content.pixels)[: len(layers)]
    style = prepared.transfer.loss.style
    losses = [
        [float(np.mean(style(*layer))) for layer in zip(grams, target, strict=True)]
        for batch in prepared.batches()
        for target in batch.style
    ]
    weights = prepared.transfer.loss.layer_weights
    weighted = np.mean(losses, axis=0) * (1.0 if weights is None else np.asarray(weights))
    shares = weighted / weighted.sum()
    return dict(zip(layers, shares.tolist(), strict=True))


def first_step(prepared: Prepared) -> float:
    """By how much SGD's first step at its default rate moves the pixels, root mean square."""
    sgd = optimizer_choice(composed(["optimizer=sgd"]).optimizer)
    moves = []
    for batch in prepared.batches():
        optimization = Optimization(replace(prepared.transfer, optimizer=sgd), [batch])
        optimization.run_block(epochs=1, steps_per_epoch=1)
        moves.append(np.concatenate([part.images for part in optimization.parts]) - batch.start)
    return float(np.sqrt(np.mean(np.square(np.concatenate(moves)))))


def trial_sheet(prepared: Prepared, trials: Sequence[Trial]) -> Image.Image:
    """Examples down, content picture and trials across."""
    contents = [*prepared.content.pixels] * len(prepared.paintings)
    rows = list(zip(contents, *(to_uint8(one.pictures) for one in trials), strict=True))
    names = [f"{artist}/{content}" for artist, content in prepared.examples]
    headings = ["content", *(f"{t.style_weight:.2g}, SSIM {t.content_kept:.2f}" for t in trials)]
    caption = f"{prepared.backbone.name}: style weight over content weight · weights: "
    return sheets.grid(rows, names, headings, caption + prepared.weights_caption)
