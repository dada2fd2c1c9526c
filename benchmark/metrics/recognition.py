"""Whose a result seems to be to a classifier that was trained on none of the style sets."""

from functools import cached_property
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark.metrics.features import Features, MissingInputError

FOLDS = 5


class OutsideFeatures(dict[str, Features]):
    """Features of paintings outside every style set by artist, and a classifier of the artists.

    Logistic regression on the standardised channel statistics, of the artists who have a painting
    for every fold; trained when it is asked for, once.
    """

    @property
    def known(self) -> dict[str, Features]:
        """The artists that the classifier knows."""
        return {name: one for name, one in self.items() if len(one.statistics) >= FOLDS}

    @cached_property
    def classifier(self) -> Any:
        """Trained on all paintings; predicts names from statistics (N, D)."""
        regression = LogisticRegression(C=0.1, max_iter=1000, class_weight="balanced")
        return make_pipeline(StandardScaler(), regression).fit(*self._samples)

    @cached_property
    def recalls(self) -> dict[str, float]:
        """Each artist's share of paintings recognised in stratified five-fold cross-validation."""
        statistics, names = self._samples
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        predicted = cross_val_predict(self.classifier, statistics, names, cv=folds)
        return {name: float(np.mean(predicted[names == name] == name)) for name in self.known}

    @property
    def _samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Statistics of all paintings, and whose they are."""
        known = self.known
        statistics = np.concatenate([features.statistics for features in known.values()])
        return statistics, np.repeat([*known], [len(one.statistics) for one in known.values()])


def recognition(features: Features, outside: OutsideFeatures, artist: str) -> np.ndarray:
    """Whether the classifier takes each result for the right artist's: 1 or 0.

    The mean is the recognition rate, in [0, 1], by chance 1 / artists; higher is better.
    MissingInputError: there are not two artists with enough paintings, or not this one.

    Source: the deception rate of Sanakoyeu et al., arXiv 1807.10201, section 4, with a classifier
    of our own.
    """
    _check(outside, artist)
    predicted = outside.classifier.predict(features.statistics)
    return np.asarray(predicted == artist, dtype="float64")


def classifier_accuracy(features: Features, outside: OutsideFeatures, artist: str) -> np.ndarray:
    """The classifier's own accuracy on this artist's paintings that it was not trained on.

    Recall in the cross-validation, in [0, 1]: how far `recognition` can be trusted. The same number
    for every result of an artist. Raises as `recognition`.
    """
    _check(outside, artist)
    return np.full(len(features.statistics), outside.recalls[artist])


def _check(outside: OutsideFeatures, artist: str) -> None:
    if len(outside.known) < 2 or artist not in outside.known:
        raise MissingInputError(
            f"needs {FOLDS} held-out paintings of the artist and of another one; "
            "lower dataset.paintings or add paintings"
        )
