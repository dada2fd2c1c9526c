"""Which artist a result looks like, in the eyes of a classifier that saw none of the style sets."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark.metrics.features import Features, TooFewError

FOLDS = 5


def recognition(features: Features, outside: Mapping[str, Features], artist: str) -> np.ndarray:
    """Whether the classifier takes each result for the right artist's: 1 or 0.

    Logistic regression on the standardised channel statistics of the evaluator, trained on
    paintings outside every style set. The mean is the recognition rate, in [0, 1], by chance
    1 / artists; higher is better.

    Raises:
        TooFewError: there are not two artists with enough paintings, or not this one.

    Source: the deception rate of Sanakoyeu et al., arXiv 1807.10201, section 4, with a classifier
    of our own.
    """
    trained = classifier(_hashable(outside, artist))
    return np.asarray(trained.predict(features.statistics) == artist, dtype="float64")


def classifier_accuracy(
    features: Features, outside: Mapping[str, Features], artist: str
) -> np.ndarray:
    """The classifier's own accuracy on this artist's paintings that it was not trained on.

    Recall in a stratified five-fold cross-validation, in [0, 1]: how far `recognition` can be
    trusted. The same number for every result of an artist.

    Raises:
        TooFewError: as `recognition`.
    """
    return np.full(len(features.statistics), recalls(_hashable(outside, artist))[artist])


@lru_cache(maxsize=32)
def classifier(outside: tuple[tuple[str, Features], ...]) -> Any:
    """The classifier, trained on all paintings."""
    return _untrained().fit(*_table(outside))


@lru_cache(maxsize=32)
def recalls(outside: tuple[tuple[str, Features], ...]) -> dict[str, float]:
    """Each artist's share of paintings that are recognised when left out of the training."""
    statistics, names = _table(outside)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(_untrained(), statistics, names, cv=folds)
    return {name: float(np.mean(found[names == name] == name)) for name, _ in outside}


def _untrained() -> Any:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, class_weight="balanced")
    )


def _table(outside: tuple[tuple[str, Features], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Statistics of all paintings, and whose they are."""
    return (
        np.concatenate([features.statistics for _, features in outside]),
        np.concatenate([[name] * len(features.statistics) for name, features in outside]),
    )


def _hashable(outside: Mapping[str, Features], artist: str) -> tuple[tuple[str, Features], ...]:
    """The artists with paintings enough for every fold."""
    enough = tuple((n, f) for n, f in outside.items() if len(f.statistics) >= FOLDS)
    if len(enough) < 2 or artist not in dict(enough):
        raise TooFewError(
            f"needs {FOLDS} held-out paintings of the artist and of another one; "
            "lower dataset.paintings or add paintings"
        )
    return enough
