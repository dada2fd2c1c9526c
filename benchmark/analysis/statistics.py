"""How sure a mean is, and which of several models really differ: pure statistics."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.05
"""Adjusted p values below this count as a difference."""

FEWEST = 8
"""Values from which on a bootstrap's interval covers nearly what it says; of 4 it covers 78 %."""

RESAMPLES = 1999
"""Of a bootstrap."""

SIGNS = {"higher": 1.0, "lower": -1.0, "one": -1.0}
"""Whether more of what `comparable` gives is better, by a metric's direction."""

LEAST_RATIO = 1e-12
"""Ratios are raised to this for their logarithm."""


class Interval(NamedTuple):
    """A mean with its 95 % interval; a missing bound (NaN) says that there is none."""

    mean: float
    low: float
    high: float


class Leaders(NamedTuple):
    """The best model in a metric, and those that may be as good.

    Attributes:
        best: the one with the best mean, or those that share it; none where no model has one.
        equals: all that it is not significantly better than, itself included.
        testable: whether any difference could have been significant.
    """

    best: tuple[str, ...]
    equals: tuple[str, ...]
    testable: bool


def interval(values: Sequence[float] | np.ndarray, rate: bool = False, seed: int = 0) -> Interval:
    """Mean over the examples and its 95 % interval, missing values (NaN) left out.

    The percentile bootstrap over the examples; of fewer than 8, for which that is far too narrow,
    Student's t, mean ± t √(s² / n); for a rate, of zeros and ones, Wilson's score interval
    (k + z²/2 ± z √(k (n − k)/n + z²/4)) / (n + z²). One value has no interval.

    Args:
        values: one per example.
        rate: whether they are zeros and ones.
        seed: of the bootstrap.

    Source: Efron, Bootstrap methods, 1979; Student, 1908; Wilson, Probable inference, 1927.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if len(known) < 2:
        return Interval(float(known[0]) if len(known) else np.nan, np.nan, np.nan)
    mean = float(known.mean())
    if rate:
        bounds = stats.binomtest(round(known.sum()), len(known)).proportion_ci(method="wilson")
    elif np.ptp(known) == 0:
        return Interval(mean, mean, mean)
    elif len(known) < FEWEST:
        return Interval(mean, *stats.t.interval(0.95, len(known) - 1, mean, stats.sem(known)))
    else:
        bounds = stats.bootstrap(
            (known,),
            np.mean,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return Interval(mean, float(bounds.low), float(bounds.high))


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p values of a family of tests: max over j ≤ i of min(1, (m − j + 1) p_(j)).

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    given = np.asarray(p, dtype=float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of models compared on the examples that both have.

    Wilcoxon's signed-rank test, two-sided, zero differences left out, adjusted after Holm for all
    pairs of the table. Where no example differs p is 1.

    Args:
        table: a row per example, a column per model.

    Returns:
        Columns a, b, examples (that both have), difference (mean of a − b), ranks (sign of the
        sum of signed ranks, which p is about), p, p_holm.

    Source: Wilcoxon, Individual comparisons by ranking methods, 1945.
    """
    rows = [_pair(table, str(a), str(b)) for a, b in combinations(table.columns, 2)]
    pairs = pd.DataFrame(rows, columns=["a", "b", "examples", "difference", "ranks", "p"])
    pairs["p_holm"] = holm(pairs["p"].to_numpy(dtype=float))
    return pairs


def significant(comparisons: pd.DataFrame) -> np.ndarray:
    """Which pairs of `paired` differ; not where a few large differences turn the mean around.

    p is about the ranks: where their sum and the mean have different signs, neither side is better.
    """
    agree = np.sign(comparisons["difference"].to_numpy(float)) == comparisons["ranks"].to_numpy()
    return np.asarray((comparisons["p_holm"].to_numpy(float) < LEVEL) & agree)


def least_p(examples: int, comparisons: int) -> float:
    """The smallest adjusted p value that can come out: min(1, m · 2^(1 − n)) of n examples."""
    return float(min(1.0, comparisons * 2.0 ** (1 - examples)))


def comparable(table: pd.DataFrame, better: str) -> pd.DataFrame:
    """Values of which more, or less, is better throughout: |log v| where 1 is best, else as is."""
    return table.clip(lower=LEAST_RATIO).map(np.log).abs() if better == "one" else table


def wins(comparisons: pd.DataFrame, better: str) -> dict[str, set[str]]:
    """For each model those that it is significantly better than; none without a direction.

    Args:
        comparisons: what `paired` gives of `comparable` values.
        better: "higher", "lower", "one" or "none".
    """
    found: dict[str, set[str]] = {}
    differing = comparisons[significant(comparisons)]
    columns = (differing[name] for name in ("a", "b", "difference"))
    for a, b, difference in zip(*columns, strict=True):
        if better in SIGNS:
            winner, loser = (a, b) if difference * SIGNS[better] > 0 else (b, a)
            found.setdefault(winner, set()).add(loser)
    return found


def leaders(table: pd.DataFrame, comparisons: pd.DataFrame, better: str) -> Leaders:
    """The best model and those that it is not significantly better than.

    Args:
        table: a row per example, a column per model.
        comparisons: what `paired` gives of its `comparable` values.
        better: "higher", "lower", "one" or "none".
    """
    means = comparable(table, better).mean().dropna() * SIGNS.get(better, np.nan)
    if means.isna().all():
        return Leaders((), (), False)
    best = tuple(str(name) for name in means.index[np.isclose(means, means.max())])
    beaten = wins(comparisons, better).get(best[0], set())
    against = comparisons[(comparisons["a"] == best[0]) | (comparisons["b"] == best[0])]
    most = int(against["examples"].max()) if len(against) else 0
    return Leaders(
        best,
        tuple(str(name) for name in means.index if name not in beaten),
        least_p(most, len(comparisons)) < LEVEL,
    )


def _pair(table: pd.DataFrame, a: str, b: str) -> tuple[str, str, int, float, float, float]:
    differences = (table[a] - table[b]).dropna().to_numpy(dtype=float)
    mean = float(differences.mean()) if len(differences) else np.nan
    changed = differences[differences != 0]
    ranks = np.sign(changed) * stats.rankdata(np.abs(changed))
    p = _signed_rank_p(tuple(sorted(ranks.tolist())))
    return a, b, len(differences), mean, float(np.sign(ranks.sum())), p


@lru_cache(maxsize=4096)
def _signed_rank_p(ranks: tuple[float, ...]) -> float:
    """Wilcoxon's p of signed ranks; kept, for among ties it takes permutations, and rates tie."""
    return float(stats.wilcoxon(ranks).pvalue) if ranks else 1.0
