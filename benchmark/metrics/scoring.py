"""Scores of a run's results: which metrics there are, what each is given, and one table of all."""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

import datasets
from backbones import Backbone
from benchmark.images.pixels import to_float
from benchmark.metrics.description import MetricDescription
from benchmark.metrics.features import Features, TooFewError, together
from benchmark.transfer.features import energies_of, extract_features
from datasets import ImageSet, LoadedImages

COLUMNS = ["artist", "content", "subject", "metric", "evaluator", "layer", "value"]
"""Of the table of scores; subjects are "result", "content" (the untouched picture, as a baseline)
and "painting" (held-out ones, as what real paintings score)."""

INPUTS = (
    *("pictures", "contents", "reference", "artist"),
    *("features", "content_features", "reference_features", "outside"),
)
"""Arguments that a metric may ask for by name; see `benchmark.metrics`."""


load_images = lru_cache(maxsize=64)(datasets.load_images)
"""Sets in memory, the same object for the same set and size, so that what is measured of one can be
kept too."""


@dataclass(frozen=True)
class Metric:
    """A metric of results.

    Attributes:
        name: the YAML's.
        function: see `benchmark.metrics`.
        numbers: its arguments from the YAML.
        description: of its YAML.
    """

    name: str
    function: Callable[..., np.ndarray]
    numbers: Mapping[str, Any]
    description: MetricDescription

    @property
    def reference(self) -> str | None:
        """Which paintings it compares with."""
        return self.description.reference

    @property
    def inputs(self) -> set[str]:
        """Which of `INPUTS` it asks for."""
        return set(INPUTS) & set(inspect.signature(self.function).parameters)

    @property
    def needs_evaluator(self) -> bool:
        """Whether it looks through an evaluator."""
        return any("features" in name for name in self.inputs)


@dataclass(frozen=True)
class EvaluationSetup:
    """With what a run's results are scored.

    Attributes:
        metrics: in order.
        evaluators: the networks to look through, by name.
        unavailable: evaluators that cannot be had, and why.
        held_out: for each style set, paintings of the same artist outside every style set.
        others: other artists' paintings.
        size: pixels a side at which paintings are read.
    """

    metrics: Sequence[Metric]
    evaluators: Mapping[str, Backbone]
    unavailable: Mapping[str, str]
    held_out: Sequence[ImageSet]
    others: Sequence[ImageSet]
    size: int

    @property
    def digest(self) -> str:
        """SHA-256 of which paintings metrics compare with, besides the style sets."""
        sets = (self.held_out, self.others)
        sources = [[[p.source for p in one.images] for one in some] for some in sets]
        return hashlib.sha256(repr(sources).encode()).hexdigest()

    def outside(self) -> dict[str, ImageSet]:
        """Paintings outside every style set by artist, those without any left out."""
        found = {one.name: one for one in (*self.held_out, *self.others)}
        return {name: one for name, one in found.items() if one.images}


class MissingError(Exception):
    """Something that a metric needs is not there; the message says what."""


class Showing:
    """Some pictures of one artist, from which the inputs of metrics are made when asked for."""

    def __init__(
        self,
        evaluation_setup: EvaluationSetup,
        place: int,
        style_set: LoadedImages,
        pictures: np.ndarray | LoadedImages,
        contents: LoadedImages | None,
    ) -> None:
        """Results, uint8 (N, S, S, 3), or a loaded set; with their contents, where they have."""
        self._assessment = evaluation_setup
        self._held_out = evaluation_setup.held_out[place]
        self._style_set = style_set
        self._pictures = pictures
        self._contents = contents
        self._seen: dict[str, Features] = {}

    def values(self, one: Metric, evaluator: str) -> tuple[np.ndarray, Sequence[str]]:
        """A metric of each picture, (N,) or (layers, N), and the names of these layers.

        Raises:
            MissingError: something it needs is not there.
            TooFewError: there are too few pictures for it.
        """
        given = {name: self._input(name, one, evaluator) for name in sorted(one.inputs)}
        found = one.function(**given, **one.numbers)
        layers = self._assessment.evaluators[evaluator].style_layers if found.ndim == 2 else ()
        return found, layers

    def _input(self, name: str, one: Metric, evaluator: str) -> Any:
        if name == "artist":
            return self._held_out.name
        if name == "pictures":
            shown = self._pictures
            return to_float(shown.pixels if isinstance(shown, LoadedImages) else shown)
        if name == "contents":
            return to_float(self._content().pixels)
        if name == "reference":
            return np.concatenate([to_float(r.pixels) for r in self._reference(one)])
        backbone = self._assessment.evaluators[evaluator]
        if name == "features":
            return self._features(backbone)
        if name == "content_features":
            return features_of_content(backbone, self._content())
        if name == "reference_features":
            return together([features_of_paintings(backbone, r) for r in self._reference(one)])
        outside = self._assessment.outside().items()
        return {name: features_of_paintings(backbone, self._load(one)) for name, one in outside}

    def _features(self, backbone: Backbone) -> Features:
        if isinstance(self._pictures, LoadedImages):
            of_set = features_of_content if self._contents else features_of_paintings
            return of_set(backbone, self._pictures)
        if backbone.name not in self._seen:
            self._seen[backbone.name] = features_of(backbone, self._pictures)
        return self._seen[backbone.name]

    def _content(self) -> LoadedImages:
        if self._contents is None:
            raise MissingError("a painting has no content picture")
        return self._contents

    def _reference(self, one: Metric) -> list[LoadedImages]:
        if one.reference == "style_set":
            return [self._style_set]
        own = self._held_out.name
        sets = (
            [self._held_out]
            if one.reference == "held_out"
            else [s for name, s in self._assessment.outside().items() if name != own]
        )
        if not any(s.images for s in sets):
            what = "paintings outside the style set" if one.reference == "held_out" else "others"
            raise MissingError(f"the dataset has no {what} to compare with")
        return [self._load(s) for s in sets]

    def _load(self, pictures: ImageSet) -> LoadedImages:
        return load_images(pictures, self._assessment.size)


def scores(
    evaluation_setup: EvaluationSetup,
    paintings: Sequence[LoadedImages],
    content: LoadedImages,
    pictures: np.ndarray,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """All scores of a run's results, of their content pictures and of held-out paintings.

    Args:
        evaluation_setup: with what to score.
        paintings: the style sets, one an artist.
        content: the content pictures.
        pictures: the results, uint8, artist by artist, (artists · contents, S, S, 3).

    Returns:
        A table with `COLUMNS`, and what could not be measured, for some artist or through some
        evaluator, with the reason.
    """
    rows: list[pd.DataFrame] = []
    missing = {f"through {name}": reason for name, reason in evaluation_setup.unavailable.items()}
    number = len(content.names)
    for place, style_set in enumerate(paintings):
        own = pictures[place * number : (place + 1) * number]
        results = Showing(evaluation_setup, place, style_set, own, content)
        rows += _rows(evaluation_setup, results, style_set.name, content.names, "result", missing)
        untouched = Showing(evaluation_setup, place, style_set, content, content)
        rows += _rows(evaluation_setup, untouched, style_set.name, content.names, "content", {})
        held_out = evaluation_setup.held_out[place]
        if held_out.images:
            loaded = load_images(held_out, evaluation_setup.size)
            real = Showing(evaluation_setup, place, style_set, loaded, None)
            rows += _rows(evaluation_setup, real, style_set.name, loaded.names, "painting", {})
    empty = pd.DataFrame(columns=COLUMNS)
    return (pd.concat(rows, ignore_index=True) if rows else empty), missing


def _rows(
    evaluation_setup: EvaluationSetup,
    showing: Showing,
    artist: str,
    names: Sequence[str],
    subject: str,
    missing: dict[str, str],
) -> list[pd.DataFrame]:
    """The scores of some pictures; adds to `missing` what could not be measured, and why."""
    found = []
    for one in evaluation_setup.metrics:
        # Held-out paintings are what these were trained or would be compared with themselves.
        if subject == "painting" and (one.reference == "held_out" or "outside" in one.inputs):
            continue
        if one.needs_evaluator and not evaluation_setup.evaluators:
            missing[one.name] = no_evaluator(evaluation_setup)
        for evaluator in evaluation_setup.evaluators if one.needs_evaluator else [""]:
            try:
                values, layers = showing.values(one, evaluator)
            except (MissingError, TooFewError) as error:
                missing[one.name] = f"{artist}: {error}"
                continue
            except Exception as error:
                # The pictures are there; a metric with a defect must not make the run a failure.
                missing[one.name] = f"{artist}: failed: {type(error).__name__}: {error}"
                continue
            parts = [("", values.mean(axis=0) if layers else values)]
            parts += zip(layers, values, strict=True) if layers else []
            found += [
                pd.DataFrame(
                    {
                        "artist": artist,
                        "content": list(names),
                        "subject": subject,
                        "metric": one.name,
                        "evaluator": evaluator,
                        "layer": layer,
                        "value": part,
                    }
                )
                for layer, part in parts
            ]
    return found


def no_evaluator(evaluation_setup: EvaluationSetup) -> str:
    """Why nothing can be looked at through an evaluator."""
    if not evaluation_setup.unavailable:
        return "evaluation.evaluators=[] names no network to look through"
    return next(iter(evaluation_setup.unavailable.values()))


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean over the results of each metric, by "metric" or "metric.evaluator".

    Of those that were taken for all examples: others would be means over other artists.
    """
    whole = table[(table["subject"] == "result") & (table["layer"] == "")]
    examples = len(whole[["artist", "content"]].drop_duplicates())
    keys = whole["metric"].str.cat(whole["evaluator"], sep=".").str.rstrip(".")
    found = whole["value"].groupby(keys, sort=False).agg(["mean", "size"])
    complete = found[found["size"] == examples]
    return {str(key): float(mean) for key, mean in complete["mean"].items()}


def features_of(evaluator: Backbone, pictures: np.ndarray) -> Features:
    """What an evaluator sees in pictures, uint8 (n, S, S, 3)."""
    *grams, content = extract_features(evaluator, to_float(pictures))
    pooled = content.mean(axis=(1, 2), dtype="float64")
    statistics = np.concatenate(energies_of(grams, content), axis=1)
    return Features(evaluator.style_layers, tuple(grams), pooled, content, statistics)


@lru_cache(maxsize=16)
def features_of_content(evaluator: Backbone, content: LoadedImages) -> Features:
    """What an evaluator sees in the content pictures; a second call costs nothing."""
    return features_of(evaluator, content.pixels)


@lru_cache(maxsize=32)
def features_of_paintings(evaluator: Backbone, paintings: LoadedImages) -> Features:
    """What an evaluator sees in a set of paintings; a second call costs nothing."""
    # Without the content layer's activations, which would take more memory than all the rest.
    return replace(features_of(evaluator, paintings.pixels), content=None)
