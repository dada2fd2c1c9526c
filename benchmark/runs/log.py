"""What a run leaves behind: which numbers, pictures and tables are logged, and when."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, flat
from benchmark.images import sheets, upscale
from benchmark.images.pixels import to_float, to_uint8
from benchmark.runs.paintings import log_painting_losses
from benchmark.runs.prepare import Prepared
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import (
    Artifact,
    DataFiles,
    PaintingLoss,
    Results,
    RunFacts,
    RunRecord,
    content_file,
    mask_file,
    result_file,
    style_set_file,
)
from benchmark.transfer.loop import Epoch, Result
from benchmark.transfer.masks import area_resized
from benchmark.transfer.step import LOSS_NAMES
from datasets import LoadedImages
from datasets.reading import without_pillows_warnings

FILMS = ("consistency", "video.")
"""Options of films alone."""


def run_title(config: Config, others: Mapping[str, str] | None = None) -> str:
    """A run's name for people, with other options that tell it from its neighbours."""
    names = [str(v["name"]) for v in (config.backbone, config.agg, config.optimizer)]
    return " · ".join([*names, *(f"{key}={value}" for key, value in (others or {}).items())])


def command_line(overrides: Sequence[str], *, sweep: bool) -> str:
    """The command line that overrides came from; a new run of it gets a new name."""
    own = [override for override in overrides if not override.startswith("tracking.sweep=")]
    return shlex.join(["python", "-m", "benchmark", *(["-m"] if sweep else []), *own])


def logged_options(config: Config) -> dict[str, Any]:
    """The options, flat, that are MLflow's parameters of a run; `Artifact.CONFIG` has all."""
    # Where the store is may differ when a run is resumed, and may hold a password.
    elsewhere = "tracking.run", "tracking.uri"
    shape_no_result = ("metrics.", "evaluation.", "checkpoint.", *elsewhere, *FILMS)
    return {key: v for key, v in flat(config).items() if not key.startswith(shape_no_result)}


def check_unchanged(earlier: RunRecord, prepared: Prepared) -> None:
    """Raise ConfigError unless a run is resumed with the data that it began with."""
    for what, before, now in (
        ("the backbone's weights", earlier.weights_digest, prepared.backbone.digest),
        ("the paintings", earlier.style_digest, prepared.style_digest),
        ("the content pictures", earlier.content_digest, prepared.content.digest),
        ("the masks", earlier.masks_digest, prepared.masks_digest),
    ):
        if before and before != now:
            raise ConfigError(
                f"{what} changed since this run began: restore them, or run it under another name "
                "with tracking.sweep=…"
            )


def log_inputs(log: RunLog, prepared: Prepared) -> None:
    """Log the data with their digests, and the weights that are really used."""
    log.update(
        RunFacts(
            weights=prepared.backbone.weights,
            weights_note=prepared.backbone.weights_note,
            weights_digest=prepared.backbone.digest,
            artists=tuple(paintings.name for paintings in prepared.paintings),
            contents=tuple(prepared.content.names),
            style_digest=prepared.style_digest,
            content_digest=prepared.content.digest,
            masks_digest=prepared.masks_digest,
            reference_digest=prepared.evaluation_setup.digest,
            batch=prepared.batch,
        )
    )
    seen = {(row.artist, row.painting): row for row in prepared.choice}
    for paintings, pixels in zip(prepared.paintings, _style_shown(prepared), strict=True):
        _log_set(log, paintings, "style")
        caption = f"{paintings.name}: the style set, {len(paintings.names)} paintings"
        rows = [seen.get((paintings.name, name)) for name in paintings.names]
        names = [
            f"{row.probability:.1%}, {row.distance:.3g}: {name}" if row else name
            for name, row in zip(paintings.names, rows, strict=True)
        ]
        if any(rows):
            caption += "; the classifier's probability of the group, distance from the first"
        sheet = partial(sheets.overview, pixels, names, caption)
        log.picture(style_set_file(paintings.name), sheet)
    if prepared.choice:
        log.table(Artifact.CHOICE, pd.DataFrame([row.model_dump() for row in prepared.choice]))
    _log_set(log, prepared.content, "content")
    if prepared.start.pictures is not None:
        _log_set(log, prepared.start.pictures, "init")
    for name, picture in zip(prepared.content.names, prepared.contents(), strict=True):
        log.picture(content_file(name), picture)
    _log_masks(log, prepared)

    references = [*prepared.evaluation_setup.held_out, *prepared.evaluation_setup.others]
    files = DataFiles(
        style={paintings.name: _digests(paintings) for paintings in prepared.paintings},
        content=_digests(prepared.content),
        references={group.name: [image.source for image in group.images] for group in references},
    )
    log.json(Artifact.DATA, files.model_dump())


def log_epoch(log: RunLog, prepared: Prepared, state: Epoch) -> None:
    """Log the losses of an epoch, and its pictures if it is one of the snapshots."""
    examples = prepared.examples
    metrics = dict(zip(LOSS_NAMES, state.losses.mean(axis=1), strict=True))
    if state.seconds_per_step > 0:  # NaN where no step came before, as at epoch 0.
        metrics["seconds_per_step"] = state.seconds_per_step
        metrics["examples_per_second"] = len(examples) / state.seconds_per_step
    log.metrics(metrics, state.number)
    if state.number in prepared.snapshots and np.isfinite(state.losses).all():
        for (artist, content), picture in zip(examples, state.images(), strict=True):
            log.snapshot(f"{artist}/{content}", to_uint8(picture), state.number)


def contact_sheet(
    prepared: Prepared,
    pictures: Sequence[np.ndarray],
    nearest: Mapping[tuple[str, str], str],
    caption: str,
) -> Image.Image:
    """Content pictures across, artists down, four paintings beside each row of results.

    Beside each result its nearest painting: `nearest` has its name by (artist, content).
    """
    content, artists = prepared.content, [paintings.name for paintings in prepared.paintings]
    side = len(content.pixels[0])
    rows: list[list[np.ndarray | None]] = [[None, *prepared.contents()]]
    results = iter(pictures)
    for paintings in prepared.paintings:
        by_name = dict(zip(paintings.names, paintings.pixels, strict=True))
        rows.append([sheets.mosaic(paintings.pixels[:4], 2, side)])
        for name in content.names:
            painting = nearest.get((paintings.name, name), "")
            rows[-1].append(sheets.beside(next(results), by_name.get(painting), painting))
    caption += "\nbeside each result its nearest painting, that of the lowest style loss"
    return sheets.grid(rows, ["content", *artists], ["paintings", *content.names], caption)


def log_results(
    log: RunLog,
    prepared: Prepared,
    outcome: Result,
    painting_losses: Sequence[PaintingLoss],
    caption: str,
) -> None:
    """Log the pictures kept, the contact sheet, the curves, the tables and the final numbers."""
    pictures = [to_uint8(picture) for picture in outcome.images]
    kept = zip(prepared.examples, pictures, outcome.kept_epochs, strict=True)
    for (artist, content), picture, number in kept:
        log.picture(result_file(artist, content), picture)
        if number not in prepared.snapshots:
            log.snapshot(f"{artist}/{content}", picture, int(number))
    caption = f"{caption} · {outcome.epochs} epochs · weights: {prepared.weights_caption}"
    nearest = {(row.artist, row.content): row.painting for row in painting_losses if row.nearest}
    sheet = partial(contact_sheet, prepared, pictures, nearest, caption)
    log.picture(Artifact.CONTACT_SHEET, sheet)
    finite = outcome.history[np.isfinite(outcome.history).all(axis=(1, 2))]
    if len(finite):
        log.figure(Artifact.LOSS_CURVES, partial(sheets.loss_curves, finite, LOSS_NAMES, caption))
    log.table(Artifact.EXAMPLES, losses_table(prepared, outcome))
    log_painting_losses(log, prepared, painting_losses)
    first, (total, style, content) = outcome.first_losses[0].mean(), outcome.losses.mean(axis=1)
    results = Results(
        final_total_loss=total,
        final_style_loss=style,
        final_content_loss=content,
        loss_ratio=total / first if first else None,
        examples=outcome.losses.shape[1],
        epochs_done=outcome.epochs,
        seconds=outcome.seconds,
    )
    log.metrics(results.model_dump(exclude_none=True), outcome.epochs)
    if prepared.original_size:
        _log_original_sizes(log, prepared, pictures)


def losses_table(prepared: Prepared, outcome: Result) -> pd.DataFrame:
    """One row per example: names, epoch of the picture kept, first and final losses."""
    table = pd.DataFrame(prepared.examples, columns=["artist", "content"])
    sizes = [len(paintings.names) for paintings in prepared.paintings]
    table["paintings"] = np.repeat(sizes, len(prepared.content.names))
    table["epoch"] = outcome.kept_epochs
    for index, name in enumerate(LOSS_NAMES):
        table[name] = outcome.losses[index].astype(float)
        table[f"first_{name}"] = outcome.first_losses[index].astype(float)
    table["loss_ratio"] = table["total_loss"] / table["first_total_loss"]
    table["picture"] = [result_file(artist, content) for artist, content in prepared.examples]
    return table


def git_commit() -> str:
    """The commit of the sources, with "-dirty" where they were changed; "unknown" without git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _log_original_sizes(log: RunLog, prepared: Prepared, pictures: Sequence[np.ndarray]) -> None:
    """Log results, uint8 (H, W, 3), at their content pictures' own sizes, as the study's test.

    Last, because it reads the photographs again: one that is gone costs nothing else.
    """
    with without_pillows_warnings():
        originals = [np.asarray(picture.read()) for picture in prepared.content.image_set.images]
    pairs = zip(prepared.examples, pictures, originals * len(prepared.paintings), strict=True)
    for (artist, content), picture, original in pairs:
        whole = partial(_of_original_size, prepared, picture, original)
        log.picture(result_file(artist, content, folder=Artifact.RESULTS_ORIGINAL_SIZE), whole)


def _of_original_size(prepared: Prepared, picture: np.ndarray, original: np.ndarray) -> np.ndarray:
    whole = upscale.to_original_size(picture, original)
    if prepared.colours is None:
        return whole
    return to_uint8(prepared.colours.result(to_float(whole), original))


def _style_shown(prepared: Prepared) -> list[np.ndarray]:
    """The paintings of each set, darker where masks say that their style is not."""
    sets = [paintings.pixels for paintings in prepared.paintings]
    if not prepared.painting_masks:
        return sets
    masks = [mask for one in prepared.painting_masks for mask in one.pictures]
    shown = []
    for pixels, mask in zip(np.concatenate(sets), masks, strict=True):
        light = 0.2 + 0.8 * area_resized(mask, pixels.shape[:2])[0]
        shown.append(to_uint8(to_float(pixels) * light[..., None]))
    return np.split(np.stack(shown), np.cumsum([len(pixels) for pixels in sets])[:-1])


def _log_masks(log: RunLog, prepared: Prepared) -> None:
    """Log where styles act in each content picture: all alike, or each that paints with others."""
    artists = [one.name for one in prepared.together] or [""]
    pictures = prepared.masks.pictures if prepared.masks else []
    for content, masks in zip(prepared.content.names, pictures, strict=bool(pictures)):
        for artist, mask in zip(artists, masks, strict=True):
            log.picture(mask_file(content, artist), Image.fromarray(to_uint8(mask)))


def _digests(loaded: LoadedImages) -> dict[str, str]:
    sources = (image.source for image in loaded.image_set.images)
    return dict(zip(sources, loaded.digests, strict=True))


def _log_set(log: RunLog, loaded: LoadedImages, context: str) -> None:
    source = str(Path(loaded.image_set.images[0].source).parent)
    log.data(loaded.name, context, source, loaded.digest, len(loaded.names))
