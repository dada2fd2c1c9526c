"""Scores of a run's results: what each metric is given, and one table of all."""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from backbones import Backbone
from benchmark.images.pixels import to_float
from benchmark.metrics.classifier import Judge
from benchmark.metrics.features import (
    Features,
    MissingInputError,
    UnsuitableEvaluatorError,
    concatenated,
    pooled_alone,
)
from benchmark.metrics.kept import KeptFeatures, result_features
from benchmark.metrics.table import COLUMNS, CONTENT, PAINTING, RESULT, MetricDescription
from benchmark.runtime.disk_cache import DiskCache
from datasets import ImageSet, LoadedImages

FEATURE_INPUTS = ("evaluator", "features", "content_features", "reference_features", "outside")
INPUTS = ("pictures", "contents", "reference", "artist", "judgement", *FEATURE_INPUTS)
"""Arguments that a metric may ask for by name; see `benchmark.metrics`."""


@dataclass(frozen=True)
class Metric:
    """A metric of results: a function (see `benchmark.metrics`) and what its YAML says."""

    name: str
    function: Callable[..., np.ndarray]
    arguments: Mapping[str, Any]
    description: MetricDescription

    @property
    def inputs(self) -> set[str]:
        """Which of `INPUTS` it asks for."""
        return set(INPUTS) & set(inspect.signature(self.function).parameters)

    @property
    def needs_evaluator(self) -> bool:
        """Whether it compares features."""
        return not self.inputs.isdisjoint(FEATURE_INPUTS)

    @property
    def needs_judge(self) -> bool:
        """Whether it asks what a fitted classifier makes of the pictures."""
        return "judgement" in self.inputs

    @property
    def scores_paintings(self) -> bool:
        """Whether a held-out painting can be scored, which has no content picture.

        It is not compared with itself, nor judged by what may have been fitted on it.
        """
        outside = self.description.reference == "held_out" or "outside" in self.inputs
        outside = outside or self.needs_judge
        return not outside and self.inputs.isdisjoint({"contents", "content_features"})


@dataclass(frozen=True)
class EvaluationSetup:
    """How a run's results are scored."""

    metrics: Sequence[Metric]
    evaluators: Mapping[str, Backbone]  # whose features metrics compare, by name
    unavailable: Mapping[str, str]  # why other evaluators cannot be loaded, by name
    held_out: Sequence[ImageSet]  # for each style set, its artist's paintings outside all of them
    others: Sequence[ImageSet]  # other artists' paintings
    size: int  # pixels a side at which paintings are read
    judges: Mapping[str, Judge] = field(default_factory=dict)  # a fitted classifier's, by name
    chooser: str = ""  # digest of the classifier that chose the style sets, if one did
    kept: KeptFeatures = field(default_factory=KeptFeatures)
    disk: DiskCache = field(default_factory=DiskCache)

    @property
    def digest(self) -> str:
        """SHA-256 of which paintings metrics compare with, besides the style sets."""
        sets = (self.held_out, self.others)
        sources = [[[image.source for image in one.images] for one in some] for some in sets]
        return hashlib.sha256(repr(sources).encode()).hexdigest()

    @property
    def outside(self) -> dict[str, ImageSet]:
        """Paintings outside every style set, by artist; artists with none are left out."""
        by_artist = {one.name: one for one in (*self.held_out, *self.others)}
        return {name: one for name, one in by_artist.items() if one.images}

    def load(self, images: ImageSet) -> LoadedImages:
        """Paintings, read once."""
        return self.kept.images(images, self.size, self.disk)

    def of_contents(self, images: LoadedImages, evaluator: Backbone) -> Features:
        """An evaluator's features of content pictures, extracted once."""
        return self.kept.of_contents(evaluator, images, self.disk)

    def of_paintings(self, images: LoadedImages, evaluator: Backbone) -> Features:
        """The same of paintings, without activations."""
        return self.kept.of_paintings(evaluator, images, self.disk)


def held_out(sets: Sequence[ImageSet], groups: Sequence[ImageSet], most: int) -> list[ImageSet]:
    """For each style set the last paintings of its group that are in no style set.

    The last ones, so that sets of the group's first 3 or 30 paintings are compared with the same.
    They carry their group's name; several sets of one group have the same.
    """
    used = {picture.source for one in sets for picture in one.images}
    by_source = {picture.source: group for group in groups for picture in group.images}
    found = []
    for one in sets:
        group = by_source[one.images[0].source]
        left = tuple(picture for picture in group.images if picture.source not in used)
        found.append(ImageSet(group.name, left[max(len(left) - most, 0) :]))
    return found


def others(
    groups: Sequence[ImageSet], all_artists: Sequence[ImageSet], artists: int, most: int
) -> list[ImageSet]:
    """The first few artists who share no painting with a run's groups, at most so many of each."""
    known = {picture.source for group in groups for picture in group.images}
    other_artists = [
        one for one in all_artists if known.isdisjoint(picture.source for picture in one.images)
    ]
    return [ImageSet(one.name, one.images[:most]) for one in other_artists[:artists]]


@dataclass(frozen=True)
class MetricInputs:
    """What metrics may ask for about N pictures, computed when one does.

    They are of one style set, or of all of a run: then paintings of other artists are no such.
    """

    setup: EvaluationSetup
    artists: Sequence[str]  # the name of each picture's style set
    style_sets: Sequence[LoadedImages]
    held_out: Sequence[ImageSet]  # for each style set
    subject: str  # what the pictures are; see `metrics.table`
    names: Sequence[str]
    pixels: np.ndarray  # uint8, (N, S, S, 3)
    features: Callable[[Backbone], Features]  # those that an evaluator has of the pixels
    contents: LoadedImages | None  # the content pictures; a painting has none

    def table(self, metric: Metric, evaluator: str) -> pd.DataFrame:
        """A metric of each picture, and its parts by layer; MissingInputError if it lacks some.

        Computed once of pictures that no run changes.
        """
        compute, setup = partial(self._table, metric, evaluator), self.setup
        if self.subject == RESULT:
            return compute()
        network, judge = setup.evaluators.get(evaluator), setup.judges.get(evaluator)
        # Not the pictures and networks themselves, which would stay in memory.
        loaded = [*self.style_sets, *([self.contents] if self.contents else [])]
        key = (
            *(metric.name, metric.function, repr(metric.arguments), repr(metric.description)),
            *(self.subject, *((one.image_set, one.digests, one.pixels.shape) for one in loaded)),
            *(evaluator, network and (network.digest, network.shared.architecture)),
            *(judge and judge.digest, *self.held_out, None, *setup.held_out, None, *setup.others),
            setup.size,
        )
        scored: pd.DataFrame = setup.kept.scores(key, compute)
        return scored

    def _table(self, metric: Metric, evaluator: str) -> pd.DataFrame:
        inputs = {name: self._input(name, metric, evaluator) for name in sorted(metric.inputs)}
        values = metric.function(**inputs, **metric.arguments)
        layers: Sequence[str] = [""]
        if values.ndim == 2:
            layers = ["", *self.setup.evaluators[evaluator].style_layers]
            values = np.concatenate([values.mean(axis=0)[None], values])
        return pd.DataFrame(
            {
                "artist": [*self.artists] * len(layers),
                "content": [*self.names] * len(layers),
                "subject": self.subject,
                "metric": metric.name,
                "evaluator": evaluator,
                "layer": [layer for layer in layers for _ in self.names],
                "value": values.ravel(),
            }
        )

    def _input(self, name: str, metric: Metric, evaluator: str) -> Any:
        if name == "artist":
            return self.held_out[0].name
        if name == "pictures":
            return to_float(self.pixels)
        if name == "judgement":
            return self.setup.judges[evaluator].judgement(self.pixels)
        if name == "contents":
            return to_float(self._contents().pixels)
        if name == "reference":
            return np.concatenate([to_float(one.pixels) for one in self._reference(metric)])
        setup, backbone = self.setup, self.setup.evaluators[evaluator]
        if name == "evaluator":
            return backbone
        if name == "features":
            return self.features(backbone)
        if name == "content_features":
            return setup.of_contents(self._contents(), backbone)
        if name == "reference_features":
            found = [setup.of_paintings(one, backbone) for one in self._reference(metric)]
            return concatenated(
                [*map(pooled_alone, found)] if metric.description.whole_run else found
            )
        outside = tuple(map(setup.load, setup.outside.values()))
        return setup.kept.of_artists(backbone, outside, setup.disk)

    def _contents(self) -> LoadedImages:
        if self.contents is None:
            raise MissingInputError("a painting has no content picture")
        return self.contents

    def _reference(self, metric: Metric) -> list[LoadedImages]:
        kind = metric.description.reference
        if kind == "style_set":
            return [*self.style_sets]
        own = {one.name: one for one in self.held_out}  # Several style sets have the same.
        outside = [one for name, one in self.setup.outside.items() if name not in own]
        sets = [*own.values()] if kind == "held_out" else outside
        if not any(one.images for one in sets):
            whose = "" if kind == "held_out" else "of other artists "
            reason = f"the dataset has no paintings {whose}outside style sets to compare with"
            raise MissingInputError(reason)
        return [self.setup.load(one) for one in sets]


def scores(
    setup: EvaluationSetup,
    style_sets: Sequence[LoadedImages],
    contents: LoadedImages,
    results: np.ndarray,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """All scores of a run's results, of their content pictures and of held-out paintings.

    Of results uint8, artist by artist, (artists · contents, S, S, 3): a table with `COLUMNS`, and
    the reasons why metrics were not computed, for some artist or by some evaluator.
    """
    parts: list[pd.DataFrame] = []
    skipped = {f"metrics by {name}": reason for name, reason in setup.unavailable.items()}
    alone, together = _by_extent(setup.metrics, len(results), skipped)
    on_paintings = [one for one in alone if one.scores_paintings]
    can_score = setup.evaluators or not all(one.needs_evaluator for one in on_paintings)
    pooled: dict[Backbone, list[Features]] = {
        one: [] for one in setup.evaluators.values() if together
    }
    by_artist = np.split(results, len(style_sets))
    for style_set, held_out, own in zip(style_sets, setup.held_out, by_artist, strict=True):
        features = lru_cache(partial(result_features, pixels=own))
        unchanged = partial(setup.of_contents, contents)
        subjects: list[tuple[Any, ...]] = [
            (RESULT, contents.names, own, features, contents),
            (CONTENT, contents.names, contents.pixels, unchanged, contents),
        ]
        if held_out.images and on_paintings and can_score:
            paintings = setup.load(held_out)
            real = partial(setup.of_paintings, paintings)
            subjects.append((PAINTING, paintings.names, paintings.pixels, real, None))
        for subject in subjects:
            artists = [style_set.name] * len(subject[1])
            inputs = MetricInputs(setup, artists, [style_set], [held_out], *subject)
            tables, reasons = _tables(inputs, alone)
            parts += tables
            skipped |= reasons if subject[0] == RESULT else {}
        for backbone, found in pooled.items():
            found.append(pooled_alone(features(backbone)))
    for inputs in _of_whole_run(setup, style_sets, contents, results, pooled) if together else ():
        tables, reasons = _tables(inputs, together)
        parts += tables
        skipped |= reasons
    empty = pd.DataFrame(columns=COLUMNS)
    return (pd.concat(parts, ignore_index=True) if parts else empty), skipped


def _by_extent(
    metrics: Sequence[Metric], results: int, skipped: dict[str, str]
) -> tuple[list[Metric], list[Metric]]:
    """Metrics of each artist, and of a whole run, but for those that need more results."""
    whole = [one for one in metrics if one.description.whole_run]
    for one in whole:
        if results < (fewest := one.description.at_least):
            reason = f"needs {fewest} results and has {results}; metrics=[kid] compares fewer"
            skipped[one.name] = reason
    return [one for one in metrics if one not in whole], [
        one for one in whole if one.name not in skipped
    ]


def _of_whole_run(
    setup: EvaluationSetup,
    style_sets: Sequence[LoadedImages],
    contents: LoadedImages,
    results: np.ndarray,
    pooled: Mapping[Backbone, list[Features]],
) -> Iterator[MetricInputs]:
    """All results together, and as many content pictures, with `pooled_alone` features."""
    number = len(style_sets)
    images = ImageSet(contents.name, contents.image_set.images * number)
    pixels = np.concatenate([contents.pixels] * number)
    repeated = LoadedImages(images, pixels, contents.digests * number)
    artists = [one.name for one in style_sets for _ in contents.names]

    def unchanged(backbone: Backbone) -> Features:
        return concatenated([pooled_alone(setup.of_contents(contents, backbone))] * number)

    def changed(backbone: Backbone) -> Features:
        return concatenated(pooled[backbone])

    place = setup, artists, style_sets, setup.held_out
    yield MetricInputs(*place, RESULT, repeated.names, results, changed, repeated)
    yield MetricInputs(*place, CONTENT, repeated.names, pixels, unchanged, repeated)


def _tables(
    inputs: MetricInputs, metrics: Sequence[Metric]
) -> tuple[list[pd.DataFrame], dict[str, str]]:
    """The scores of some pictures, and the reasons why metrics were not computed."""
    tables: list[pd.DataFrame] = []
    skipped: dict[str, str] = {}
    setup, artist = inputs.setup, " + ".join(one.name for one in inputs.style_sets)
    no_evaluator = "evaluation.evaluators=[] names no evaluator"
    for metric in metrics:
        if inputs.subject == PAINTING and not metric.scores_paintings:
            continue
        if metric.needs_evaluator and not setup.evaluators:
            skipped[metric.name] = next(iter(setup.unavailable.values()), no_evaluator)
        kinds = setup.judges if metric.needs_judge else setup.evaluators
        found: list[pd.DataFrame] = []
        unsuitable = ""
        for evaluator in kinds if metric.needs_judge or metric.needs_evaluator else [""]:
            try:
                found.append(inputs.table(metric, evaluator))
            except UnsuitableEvaluatorError as error:
                unsuitable = str(error)
            except MissingInputError as error:
                skipped[metric.name] = f"{artist}: {error}"
            except Exception as error:  # A metric with a defect must not make the run a failure.
                skipped[metric.name] = f"{artist}: failed: {type(error).__name__}: {error}"
        if unsuitable and not found:
            skipped.setdefault(metric.name, unsuitable)
        tables += found
    return tables, skipped
