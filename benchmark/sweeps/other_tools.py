"""Another program's part in a comparison: what it starts from, and its pictures as a run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

import datasets
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.schema import nested
from benchmark.images.pixels import Pictures, gathered, to_float
from benchmark.images.upscale import squares
from benchmark.runs.log import contact_sheet, log_inputs, logged_options
from benchmark.runs.paintings import compare_with_paintings, log_painting_losses
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.run import score
from benchmark.runs.scores import RunScores, log_scores
from benchmark.runs.workspace import Workspace
from benchmark.sweeps.execution import RunContext, facts_of
from benchmark.sweeps.plan import SweepPlan
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import MADE_ELSEWHERE, Artifact, Results, result_file
from benchmark.tracking.tracker import Tracker
from datasets import ImageSet, LazyImage
from datasets.images import existing_folder, files_in, folders_read, image_of, subfolders
from datasets.names import name_key

SETTINGS = ("epochs", "loss", "optimizer", "scales")
"""Options of a program's own settings, as far as it has the like."""

Example = tuple[str, str]
"""An artist and a content picture."""


@dataclass(frozen=True)
class ToolPictures:
    """Pictures that another program made."""

    label: str  # its name
    folder: str
    table: str | None = None  # a CSV: artist, content, and file or seconds, or both
    overrides: Sequence[str] = ()  # `option=value`, of the data they were made from

    @property
    def settings(self) -> dict[str, str]:
        """Of the options those of the method, which tell several runs of a program apart."""
        given = (override.partition("=") for override in self.overrides)
        return {key: value for key, _, value in given if key.partition(".")[0] in SETTINGS}


@dataclass(frozen=True)
class Matched:
    """The picture of each example, and what else there is."""

    images: tuple[LazyImage, ...]
    seconds: tuple[float, ...]  # that each took; NaN where it is unknown
    extra: tuple[str, ...]  # files that belong to no example


class Scored(NamedTuple):
    """Pictures that were scored and logged."""

    scores: RunScores
    tracker: Tracker
    sweep: str  # the name by which commands find them there
    found: Matched


def score_pictures(
    request: ToolPictures, sweep: str | None, uri: str | None, workspace: Workspace
) -> Scored:
    """Score pictures and log them as a run of a sweep, or by default a run alone.

    The options say what they were made from; `backbone` is the network that the program optimised
    them with, which as a judge is not independent.

    Raises:
        InputError: an option is wrong, a picture is missing or cannot be read, or there is no such
            sweep, or it has pictures with this label.
    """
    Tracker.check_reachable(uri)
    label = name_key(request.label) or MADE_ELSEWHERE
    name = sweep or f"{label}-{datetime.now():%Y-%m-%d_%H-%M-%S}"
    places = [f"tracking.sweep={name}", *([f"tracking.uri={uri}"] if uri else [])]
    config = composed([*request.overrides, *places])
    tracking = config.tracking
    if sweep:
        everywhere = Tracker(tracking.uri, None, create=False)
        if not everywhere.runs_of(sweep):
            raise ConfigError("no runs of such a sweep", "--sweep", sweep)
        tracking = SweepPlan.read(everywhere, sweep).config(0).tracking
        tracking = replace(config.tracking, experiment=tracking.experiment)
    prepared = prepare(config, workspace)
    found = matched(request, prepared.examples)
    pictures = read_pictures(found.images)
    tracker = Tracker(tracking.uri, tracking.experiment)
    runs, parent = tracker.runs_of(name), tracker.sweep_run(name)
    settings = request.settings
    there = [run for run in runs if run.status in ("finished", "running")]
    if any(run.backbone == request.label and run.overrides == settings for run in there):
        reason = f"sweep {name} has pictures or runs of this name: give another"
        raise ConfigError(reason, "--label", request.label)
    # After all that the sweep's own runs may still get.
    planned = parent.runs if parent else 0
    number = max([planned, *(1 + run.number for run in runs)])
    context = RunContext(request.label, settings, number, parent.run_id if parent else "")
    own = {"backbone": request.label, "agg": MADE_ELSEWHERE, "optimizer": ""}
    facts = facts_of(config, context, "").model_copy(update=own)
    with tracker.run(request.label, facts) as log:
        log.params(logged_options(config))
        log.json(Artifact.CONFIG, nested(config))
        log_inputs(log, prepared)
        scores = log_pictures(prepared, pictures, found.seconds, log, request.label)
        log.end("finished", "complete", f"{len(pictures)} pictures of {request.label}")
    return Scored(scores, tracker, name, found)


def log_pictures(
    prepared: Prepared,
    pictures: Pictures,
    seconds: Sequence[float],
    log: RunLog,
    label: str,
) -> RunScores:
    """Log pictures, uint8, as a run's results, artist by artist, and their scores."""
    for (artist, content), picture in zip(prepared.examples, pictures, strict=True):
        log.picture(result_file(artist, content), picture)
    side = len(prepared.content.pixels[0])
    seen = squares(gathered([*map(to_float, pictures)]), side)
    rows = compare_with_paintings(prepared, to_float(seen)) if prepared.is_plain else []
    nearest = {(row.artist, row.content): row.painting for row in rows if row.nearest}
    sheet = partial(contact_sheet, prepared, pictures, nearest, f"{label}: pictures made elsewhere")
    log.picture(Artifact.CONTACT_SHEET, sheet)
    table = pd.DataFrame(prepared.examples, columns=["artist", "content"])
    table = table.assign(seconds=seconds)
    table["picture"] = [result_file(artist, content) for artist, content in prepared.examples]
    log.table(Artifact.EXAMPLES, table)
    log_painting_losses(log, prepared, rows)
    total = float(np.sum(seconds))
    results = Results(examples=len(pictures), seconds=total if np.isfinite(total) else None)
    log.metrics(results.model_dump(exclude_none=True))
    network = prepared.backbone
    scored = score(
        prepared.evaluation_setup,
        prepared.paintings,
        prepared.content,
        seen,
        network.shared.architecture.model,
        network.weights,
    )
    log_scores(log, scored, 0)
    return scored


def write_inputs(overrides: Sequence[str], folder: Path, workspace: Workspace) -> list[Path]:
    """Write what a run prepares: paintings/ARTIST/*.png, and photographs as content/*.png.

    Raises:
        InputError: an option is wrong, or the data cannot be read.
        OSError: a file cannot be written.
    """
    config = composed(overrides)
    folder.mkdir(parents=True, exist_ok=True)  # First, for preparing may take minutes.
    prepared = prepare(config, workspace)
    files = []
    sets = [(f"paintings/{images.name}", images) for images in prepared.paintings]
    for name, images in [*sets, ("content", prepared.content)]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for picture, pixels in zip(images.names, images.pixels, strict=True):
            files.append(folder / name / f"{picture}.png")
            Image.fromarray(pixels).save(files[-1])
    return files


def read_pictures(images: Sequence[LazyImage]) -> Pictures:
    """Pictures at their own sizes, uint8 (H, W, 3); DatasetError names what cannot be read."""
    found = ImageSet("pictures", tuple(images))
    return gathered(datasets.made_of_all(found, lambda image: np.asarray(image.read())))


def matched(request: ToolPictures, examples: Sequence[Example]) -> Matched:
    """The picture of each example: FOLDER/ARTIST/CONTENT.*, in any spelling, or as a table says.

    Raises:
        InputError: one is missing or there twice, or the table is wrong.
    """
    table = read_table(request.table, examples) if request.table else pd.DataFrame()
    if "file" in table:
        root = Path(request.folder).expanduser()
        pairs = zip(table.index, table["file"], strict=True)
        files: dict[Example, list[Path]] = {key: [root / file] for key, file in pairs if file}
        missing_files = [str(file) for [file] in files.values() if not file.is_file()]
        if missing_files:
            raise ConfigError(f"no such file: {', '.join(missing_files)}", "--table", request.table)
    else:
        files = files_of(request.folder)
    wanted = {_key(*example): example for example in examples}
    missing = [f"{artist}/{content}" for k, (artist, content) in wanted.items() if k not in files]
    if missing:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        reason = f"{len(missing)} of {len(wanted)} pictures are missing: {shown}"
        raise ConfigError(reason, "--pictures", request.folder)
    twice = [files[key] for key in wanted if len(files[key]) > 1]
    if twice:
        names = " and ".join(file.name for file in twice[0])
        raise ConfigError(f"two pictures of one example: {names}", "--pictures", request.folder)
    images = tuple(image_of(files[key][0]) for key in wanted)
    seconds = table["seconds"].to_dict() if "seconds" in table else {}
    extra = [str(file) for key, some in files.items() if key not in wanted for file in some]
    return Matched(images, tuple(float(seconds.get(key, np.nan)) for key in wanted), tuple(extra))


@folders_read()
def files_of(folder: str) -> dict[Example, list[Path]]:
    """The files of a folder's subfolders, by artist and name in the spelling that all share."""
    found: dict[Example, list[Path]] = {}
    for inside in subfolders(existing_folder("--pictures", folder)):
        for image in files_in(inside):
            file = Path(image.source)
            found.setdefault(_key(inside.name, file.stem), []).append(file)
    return found


def read_table(file: str, examples: Sequence[Example]) -> pd.DataFrame:
    """The rows of a CSV, by artist and content picture.

    Raises:
        ConfigError: it cannot be read, lacks a column, or has a row twice or of no example.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if "seconds" in table:
            table["seconds"] = pd.to_numeric(table["seconds"])
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", "--table", file) from error
    if not {"artist", "content"} <= {*table} or not {"file", "seconds"} & {*table}:
        given = ", ".join(map(str, table))
        reason = f"needs columns artist, content, and file or seconds; it has {given}"
        raise ConfigError(reason, "--table", file)
    keys = [_key(*names) for names in zip(table["artist"], table["content"], strict=True)]
    known = {_key(*example) for example in examples}
    for place, key in enumerate(keys):
        if key not in known or key in keys[:place]:
            what = "there twice" if key in known else "no example of these options"
            reason = f"row {place + 1}, {' and '.join(key)}: {what}"
            raise ConfigError(reason, "--table", file)
    table.index = pd.MultiIndex.from_tuples(keys)
    return table


def _key(artist: str, content: str) -> Example:
    return name_key(artist), name_key(content)
