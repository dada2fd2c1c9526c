"""The pictures of some runs inside a page that must not grow too large."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmark.analysis.tables import Model
from benchmark.tracking.records import (
    Artifact,
    RunRecord,
    content_file,
    result_file,
    style_set_file,
)
from benchmark.tracking.tracker import Tracker

STEPS = ((512, 90), (384, 82), (256, 74), (128, 60))
"""Most pixels a side and JPEG quality, from the best down."""

ENOUGH = 6
"""Examples for which quality is lowered; beyond these they are rather left out."""

MARKUP = 600
"""Characters that the page needs around a picture."""

SET = (700, 72)
"""The same of a style set's overview."""


class Example(NamedTuple):
    """An artist and a content picture, by name."""

    artist: str
    content: str


class Shown(NamedTuple):
    """A picture in the page.

    Attributes:
        name: what it shows.
        source: address that holds it; empty: there is none.
        note: what to say about it, or instead of it.
    """

    name: str
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Scene:
    """All pictures of an example.

    Attributes:
        example: which.
        original: the content picture.
        rows: by name, each with a picture for every aggregation; None: there is no such run.
    """

    example: Example
    original: Shown
    rows: Mapping[str, Sequence[Shown | None]]

    @property
    def characters(self) -> int:
        """How much of the page its pictures take."""
        everything = chain([self.original], *self.rows.values())
        return sum(len(shown.source) + MARKUP for shown in everything if shown)


@dataclass(frozen=True)
class Gallery:
    """The pictures of some runs.

    Attributes:
        aggregations: names of the columns.
        sets: an overview of each artist's style set.
        scenes: one per example shown, artist by artist.
        left_out: the examples for which there was no room.
        side: most pixels a side.
        quality: of JPEG.
    """

    aggregations: Sequence[str]
    sets: Mapping[str, Shown]
    scenes: Sequence[Scene]
    left_out: Sequence[Example]
    side: int
    quality: int


def gallery(
    tracker: Tracker, records: Sequence[RunRecord], models: Mapping[str, Model], budget: int
) -> Gallery:
    """As many examples in as good a quality as there is room for, spread over the artists.

    Args:
        tracker: of the runs.
        records: the runs.
        models: what they are, by run_id.
        budget: most characters of all pictures.
    """
    examples = {record.run_id: examples_of(tracker, record) for record in records}
    wanted = in_turn(list(dict.fromkeys(chain.from_iterable(examples.values()))))
    aggregations = list(dict.fromkeys(models[r.run_id].agg for r in records))
    runs = [(record, models[record.run_id], examples[record.run_id]) for record in records]
    side, quality = STEPS[0]
    for side, quality in STEPS if wanted else []:
        needed = min(len(wanted), ENOUGH)
        if scene(tracker, runs, wanted[0], side, quality).characters * needed <= budget:
            break
    sets: dict[str, Shown] = {}
    scenes: list[Scene] = []
    for example in wanted:
        new = scene(tracker, runs, example, side, quality)
        own = sets.get(example.artist) or style_set(tracker, records, example.artist)
        budget -= new.characters + (0 if example.artist in sets else len(own.source))
        if budget < 0:
            break
        sets[example.artist] = own
        scenes.append(new)
    left_out = [e for e in wanted if e not in {s.example for s in scenes}]
    scenes.sort(key=lambda one: (list(sets).index(one.example.artist), wanted.index(one.example)))
    return Gallery(aggregations, sets, scenes, left_out, side, quality)


def examples_of(tracker: Tracker, record: RunRecord) -> list[Example]:
    """The examples of which a run left pictures."""
    if not tracker.has_artifact(record.run_id, Artifact.EXAMPLES):
        return []
    table = tracker.read_table(record.run_id, Artifact.EXAMPLES)
    return [Example(str(a), str(c)) for a, c in zip(table["artist"], table["content"], strict=True)]


def in_turn(examples: Sequence[Example]) -> list[Example]:
    """The first example of each artist, then the second of each, and so on."""
    by_artist: dict[str, list[Example]] = {}
    for example in examples:
        by_artist.setdefault(example.artist, []).append(example)
    rounds = zip_longest(*by_artist.values())
    return [example for one in rounds for example in one if example is not None]


def scene(
    tracker: Tracker,
    runs: Sequence[tuple[RunRecord, Model, Sequence[Example]]],
    example: Example,
    side: int,
    quality: int,
) -> Scene:
    """The pictures of an example by all runs, at most so large and so good."""
    aggregations = list(dict.fromkeys(model.agg for _, model, _ in runs))
    rows: dict[str, list[Shown | None]] = {m.row: [None] * len(aggregations) for _, m, _ in runs}
    for record, model, own in runs:
        note = "" if record.status == "finished" else record.status
        source = ""
        if example in own:
            picture = found(tracker, record, result_file(*example))
            source = embedded(picture, side, quality) if picture is not None else ""
        shown = Shown(model.name, source, note if source else note or "no picture was kept")
        rows[model.row][aggregations.index(model.agg)] = shown
    kept = content_file(example.content)
    pictures = (found(tracker, record, kept) for record, _, own in runs if example in own)
    original = next((picture for picture in pictures if picture is not None), None)
    source = embedded(original, side, quality) if original is not None else ""
    missing = "" if source else "the content picture was not kept"
    return Scene(example, Shown("content picture", source, missing), rows)


def style_set(tracker: Tracker, records: Sequence[RunRecord], artist: str) -> Shown:
    """The overview of an artist's style set, from the first run that kept it."""
    pictures = (found(tracker, r, style_set_file(artist)) for r in records)
    picture = next((picture for picture in pictures if picture is not None), None)
    if picture is None:
        return Shown("style set", note="the style set's overview was not kept")
    return Shown("style set", embedded(picture, *SET))


def found(tracker: Tracker, record: RunRecord, file: str) -> np.ndarray | None:
    """A picture artifact, if the run has it."""
    kept = tracker.has_artifact(record.run_id, file)
    return tracker.read_picture(record.run_id, file) if kept else None


def embedded(picture: np.ndarray, side: int, quality: int) -> str:
    """A picture as an address that holds it, at most so many pixels a side."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "jpeg", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
