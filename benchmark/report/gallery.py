"""The pictures of some runs inside a page that must not grow too large."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from math import isnan
from typing import NamedTuple

from PIL import Image

from benchmark.analysis.comparison import RunSet
from benchmark.analysis.pages import jpeg_uri
from benchmark.report.findings import distinct
from benchmark.tracking.records import (
    Artifact,
    PaintingLoss,
    content_file,
    painting_file,
    result_file,
    style_set_file,
)
from benchmark.tracking.tracker import Tracker

Quality = tuple[int, int]  # Most pixels a side, and JPEG's quality.

QUALITIES: Sequence[Quality] = ((512, 90), (384, 82), (256, 74), (128, 60))
"""From the best down."""

NEAREST: Quality = (96, 74)
"""Of the nearest painting beside a result."""


class Example(NamedTuple):
    """An artist and a content picture, by name."""

    artist: str
    content: str


class NearestPainting(NamedTuple):
    """The painting of a result's lowest style loss, in the page; a source where it was kept."""

    loss: PaintingLoss
    source: str

    @property
    def share(self) -> str:
        """Its share of the gradient in per cent; empty where that is unknown."""
        share = self.loss.gradient_share
        return "" if isnan(share) else f"{100 * share:.3g} %"


class EmbeddedPicture(NamedTuple):
    """A picture in the page, which its address holds; a note about it, or why there is none."""

    name: str
    source: str
    note: str = ""
    nearest: NearestPainting | None = None  # where it is a result


class Scene(NamedTuple):
    """All pictures of an example: the content picture, and the results by row and column."""

    example: Example
    original: EmbeddedPicture
    results: Mapping[tuple[str, str], EmbeddedPicture]

    @property
    def rows(self) -> set[str]:
        """Those with results: other runs may have other artists."""
        return {row for row, _ in self.results}

    @property
    def characters(self) -> int:
        """How much of the page its pictures take, each with 600 of markup, or 1,000 with two."""
        nearest = [one.nearest for one in self.results.values() if one.nearest]
        pictures = sum(len(one.source) + 600 for one in (self.original, *self.results.values()))
        return pictures + sum(len(one.source) + 400 for one in nearest)


class Gallery(NamedTuple):
    """Scenes, artist by artist, at most `side` pixels a side, and an overview of each style set.

    For the examples that are left out there was no room.
    """

    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    sets: Mapping[str, EmbeddedPicture] = {}
    scenes: Sequence[Scene] = ()
    left_out: Sequence[Example] = ()
    side: int = 0

    @property
    def has_nearest(self) -> bool:
        """Whether some result has a nearest painting."""
        return any(one.nearest for scene in self.scenes for one in scene.results.values())


def gallery(runs: RunSet, budget: int) -> Gallery:
    """As many examples in as good a quality as a budget of characters allows, of all artists."""
    run_ids = [record.run_id for record in runs.records.values()]
    by_run = {run_id: examples_of(runs.tracker, run_id) for run_id in run_ids}
    nearest = {run_id: nearest_of(runs.tracker, run_id) for run_id in run_ids}
    examples = in_turn(distinct(chain.from_iterable(by_run.values())))
    # Quality is lowered to show six examples; more are left out instead.
    needed, quality = min(len(examples), 6), QUALITIES[0]
    for quality in QUALITIES if examples else []:
        if scene(runs, by_run, nearest, examples[0], quality).characters * needed <= budget:
            break
    sets: dict[str, EmbeddedPicture] = {}
    scenes: list[Scene] = []
    for example in examples:
        new = scene(runs, by_run, nearest, example, quality)
        if not (style_set := sets.get(example.artist)):
            source = embedded(runs.tracker, run_ids, style_set_file(example.artist), (700, 72))
            note = "" if source else "no overview was kept"
            style_set = EmbeddedPicture("style set", source, note)
        budget -= new.characters + (0 if example.artist in sets else len(style_set.source))
        if budget < 0:
            break
        sets[example.artist] = style_set
        scenes.append(new)
    left_out = examples[len(scenes) :]
    scenes.sort(key=lambda one: (list(sets).index(one.example.artist), examples.index(one.example)))
    rows, columns = (distinct(place[axis] for place in runs.places) for axis in (1, 2))
    return Gallery(rows, columns, sets, scenes, left_out, quality[0])


def examples_of(tracker: Tracker, run_id: str) -> list[Example]:
    """The examples of which a run kept results."""
    if not tracker.has_artifact(run_id, Artifact.EXAMPLES):
        return []
    table = tracker.read_table(run_id, Artifact.EXAMPLES)
    return [Example(str(a), str(c)) for a, c in zip(table["artist"], table["content"], strict=True)]


def nearest_of(tracker: Tracker, run_id: str) -> dict[Example, PaintingLoss]:
    """The painting of the lowest style loss of each example of a run that has one."""
    rows = tracker.painting_losses(run_id)
    return {Example(row.artist, row.content): row for row in rows if row.nearest}


def in_turn(examples: Sequence[Example]) -> list[Example]:
    """The first example of each artist, then the second of each, and so on."""
    by_artist: dict[str, list[Example]] = {}
    for example in examples:
        by_artist.setdefault(example.artist, []).append(example)
    return [e for e in chain.from_iterable(zip_longest(*by_artist.values())) if e is not None]


def scene(
    runs: RunSet,
    by_run: Mapping[str, Sequence[Example]],
    nearest: Mapping[str, Mapping[Example, PaintingLoss]],
    example: Example,
    quality: Quality,
) -> Scene:
    """The pictures of an example from the runs that have it, by each run's examples and nearest."""
    results: dict[tuple[str, str], EmbeddedPicture] = {}
    having = [run_id for run_id, examples in by_run.items() if example in examples]
    original = embedded(runs.tracker, having, content_file(example.content), quality)
    for place, record in runs.places.items():
        if by_run[record.run_id] and record.run_id not in having:
            continue  # It has other artists or contents.
        kept_by = [record.run_id] if record.run_id in having else []
        source = embedded(runs.tracker, kept_by, result_file(*example), quality)
        note = "" if source else "no picture was kept"
        note = note if record.status == "finished" else record.status
        found = None
        if loss := nearest[record.run_id].get(example):
            file = painting_file(example.artist, loss.painting)
            painting = embedded(runs.tracker, [record.run_id], file, NEAREST)
            found = NearestPainting(loss, painting)
        results[place.row, place.column] = EmbeddedPicture(place.name, source, note, found)
    missing = "" if original else "the content picture was not kept"
    return Scene(example, EmbeddedPicture("content picture", original, missing), results)


def embedded(tracker: Tracker, run_ids: Sequence[str], file: str, quality: Quality) -> str:
    """A picture of the first run that has it as an address that holds it; nothing if none has."""
    for run_id in run_ids:
        if tracker.has_artifact(run_id, file):
            picture = Image.fromarray(tracker.read_picture(run_id, file))
            return jpeg_uri(picture, quality[0], quality=quality[1], optimize=True)
    return ""
