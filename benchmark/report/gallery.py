"""The pictures of some runs inside a page that must not grow too large."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from PIL import Image

from benchmark.analysis.comparison import RunSet
from benchmark.analysis.pages import jpeg_uri
from benchmark.report.findings import distinct
from benchmark.tracking.records import Artifact, content_file, result_file, style_set_file
from benchmark.tracking.tracker import Tracker

Quality = tuple[int, int]
"""Most pixels a side, and JPEG's quality."""

QUALITIES: Sequence[Quality] = ((512, 90), (384, 82), (256, 74), (128, 60))
"""From the best down."""


class Example(NamedTuple):
    """An artist and a content picture, by name."""

    artist: str
    content: str


class EmbeddedPicture(NamedTuple):
    """A picture in the page, which its address holds; a note about it, or why there is none."""

    name: str
    source: str
    note: str = ""


class Scene(NamedTuple):
    """All pictures of an example: the content picture, and the results by row and column."""

    example: Example
    original: EmbeddedPicture
    results: Mapping[tuple[str, str], EmbeddedPicture]

    @property
    def characters(self) -> int:
        """How much of the page its pictures take, each with 600 of markup."""
        return sum(len(one.source) + 600 for one in (self.original, *self.results.values()))


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


def gallery(runs: RunSet, budget: int) -> Gallery:
    """As many examples in as good a quality as a budget of characters allows, of all artists."""
    by_run = {name: examples_of(runs.tracker, r.run_id) for name, r in runs.records.items()}
    examples = in_turn(distinct(chain.from_iterable(by_run.values())))
    # Quality is lowered to show six examples; more are left out instead.
    needed, quality = min(len(examples), 6), QUALITIES[0]
    for quality in QUALITIES if examples else []:
        if scene(runs, by_run, examples[0], quality).characters * needed <= budget:
            break
    sets: dict[str, EmbeddedPicture] = {}
    scenes: list[Scene] = []
    for example in examples:
        new = scene(runs, by_run, example, quality)
        style_set = sets.get(example.artist) or embedded_style_set(runs, example.artist)
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


def in_turn(examples: Sequence[Example]) -> list[Example]:
    """The first example of each artist, then the second of each, and so on."""
    by_artist: dict[str, list[Example]] = {}
    for example in examples:
        by_artist.setdefault(example.artist, []).append(example)
    return [e for e in chain.from_iterable(zip_longest(*by_artist.values())) if e is not None]


def scene(
    runs: RunSet, by_run: Mapping[str, Sequence[Example]], example: Example, quality: Quality
) -> Scene:
    """The pictures of an example from the runs that have it, by the examples of each run."""
    results: dict[tuple[str, str], EmbeddedPicture] = {}
    original = ""
    for place, record in runs.places.items():
        source, note = "", "" if record.status == "finished" else str(record.status)
        if example in by_run[place.name]:
            files = result_file(*example), content_file(example.content)
            source = embedded(runs.tracker, record.run_id, files[0], quality)
            original = original or embedded(runs.tracker, record.run_id, files[1], quality)
        note = note if source else note or "no picture was kept"
        results[place.row, place.column] = EmbeddedPicture(place.name, source, note)
    missing = "" if original else "the content picture was not kept"
    return Scene(example, EmbeddedPicture("content picture", original, missing), results)


def embedded_style_set(runs: RunSet, artist: str) -> EmbeddedPicture:
    """The overview of an artist's style set, from the first run that kept it."""
    sources = (
        embedded(runs.tracker, record.run_id, style_set_file(artist), (700, 72))
        for record in runs.records.values()
    )
    source = next(filter(None, sources), "")
    return EmbeddedPicture("style set", source, "" if source else "no overview was kept")


def embedded(tracker: Tracker, run_id: str, file: str, quality: Quality) -> str:
    """A picture of a run as an address that holds it; nothing if the run has none."""
    if not tracker.has_artifact(run_id, file):
        return ""
    picture = Image.fromarray(tracker.read_picture(run_id, file))
    return jpeg_uri(picture, quality[0], quality=quality[1], optimize=True)
