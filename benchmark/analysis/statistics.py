"""Confidence intervals of means, and paired tests of which models differ."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

ALPHA = 0.05
"""Level of significance of adjusted p values."""

SIGNS = {"higher": 1.0, "lower": -1.0, "one": -1.0}
"""Whether more of what `comparable` returns is better, by a metric's direction."""


class Interval(NamedTuple):
    """A mean with its 95 % interval; a bound that is NaN does not exist."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.mean):
            return "-"
        mean, low, high = (f"{value:.3g}" for value in self)
        return mean if np.isnan(self.low) else f"{mean} [{low}, {high}]"


UNKNOWN = Interval(np.nan, np.nan, np.nan)


class BestModels(NamedTuple):
    """The models with the best mean in a metric, usually one; none if no model has a mean.

    `equal` are all that it is not significantly better than, itself included; `testable` says
    whether any difference could have been significant.
    """

    best: tuple[str, ...]
    equal: tuple[str, ...]
    testable: bool


def confidence_interval(values: Sequence[float] | np.ndarray, rate: bool = False) -> Interval:
    """Mean over the examples and its 95 % interval, missing values (NaN) left out.

    The percentile bootstrap over the examples; of fewer than 8, for which that is far too narrow
    (of 4 it covers 78 %), Student's t, mean ± t √(s² / n); for a rate, of zeros and ones, Wilson's
    score interval (k + z²/2 ± z √(k (n − k)/n + z²/4)) / (n + z²). One value has no interval.

    Source: Efron, Bootstrap methods, 1979; Student, 1908; Wilson, Probable inference, 1927.
    """
    from scipy import stats  # Takes as long to import as all else of an export.

    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    mean = float(known.mean()) if len(known) else np.nan
    if len(known) < 2:
        return UNKNOWN._replace(mean=mean)
    if rate:
        bounds = stats.binomtest(round(known.sum()), len(known)).proportion_ci(method="wilson")
    elif np.ptp(known) == 0:
        return Interval(mean, mean, mean)
    elif len(known) < 8:
        return Interval(mean, *stats.t.interval(0.95, len(known) - 1, mean, stats.sem(known)))
    else:
        rng = np.random.default_rng(0)
        drawn = stats.bootstrap((known,), np.mean, n_resamples=1999, method="percentile", rng=rng)
        bounds = drawn.confidence_interval
    return Interval(mean, float(bounds.low), float(bounds.high))


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p values of a family of tests: max over j ≤ i of min(1, (m − j + 1) p_(j)).

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    given = np.asarray(p, dtype=float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    return np.asarray(np.minimum(stepped, 1.0)[np.argsort(order)])


def paired_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of models, a table's columns, tested on the examples, its rows, that both have.

    Wilcoxon's signed-rank test, two-sided, zero differences left out, adjusted after Holm for all
    pairs of the table that share an example; p of others is NaN. Where no example differs p is 1.
    Returns columns a, b, examples (that both
    have), difference (mean of a − b), ranks (sign of the sum of signed ranks, which p is about), p,
    p_holm.

    Source: Wilcoxon, Individual comparisons by ranking methods, 1945.
    """
    from scipy import stats

    @cache  # Rates tie, and among ties SciPy takes permutations.
    def p_value(signed_ranks: tuple[float, ...]) -> float:
        return float(stats.wilcoxon(signed_ranks).pvalue) if signed_ranks else 1.0

    rows = []
    for a, b in combinations(table, 2):
        differences = (table[a] - table[b]).dropna().to_numpy(dtype=float)
        mean = float(differences.mean()) if len(differences) else np.nan
        changed = differences[differences != 0]
        ranks = np.sign(changed) * stats.rankdata(np.abs(changed))
        p = p_value(tuple(sorted(ranks.tolist()))) if len(differences) else np.nan
        rows.append((str(a), str(b), len(differences), mean, float(np.sign(ranks.sum())), p))
    pairs = pd.DataFrame(rows, columns=["a", "b", "examples", "difference", "ranks", "p"])
    pairs["p_holm"] = np.nan
    tested = pairs["examples"] > 0
    pairs.loc[tested, "p_holm"] = holm(pairs.loc[tested, "p"].to_numpy(dtype=float))
    return pairs


def significant(tests: pd.DataFrame) -> np.ndarray:
    """Which pairs of `paired_tests` differ; not where a few large differences turn the mean around.

    p is about the ranks: where their sum and the mean have different signs, neither side is better.
    """
    agree = np.sign(tests["difference"].to_numpy(float)) == tests["ranks"].to_numpy()
    return np.asarray((tests["p_holm"].to_numpy(float) < ALPHA) & agree)


def smallest_p(examples: int, tests: int) -> float:
    """The smallest adjusted p value that is possible: min(1, m · 2^(1 − n)) of n examples."""
    return float(min(1.0, tests * 2.0 ** (1 - examples)))


def comparable(table: pd.DataFrame, better: str) -> pd.DataFrame:
    """Values of which more, or less, is better throughout: |log v| where 1 is best, else as is."""
    return table.clip(lower=1e-12).map(np.log).abs() if better == "one" else table


def pareto_front(merits: np.ndarray) -> np.ndarray:
    """Which of n models no other beats, (n,), bool: from merits (n, m), of which more is better.

    A model beats another if none of its merits is less and one is more.
    """
    others, own = merits[None], merits[:, None]
    is_beaten = np.all(others >= own, axis=2) & np.any(others > own, axis=2)
    return np.asarray(~np.any(is_beaten, axis=1))


def winners(tests: pd.DataFrame, better: str) -> np.ndarray:
    """The significantly better model of each pair, or ""; tests are of `comparable` values."""
    a_is_better = tests["difference"].to_numpy(float) * SIGNS.get(better, np.nan) > 0
    better_one = np.where(a_is_better, tests["a"], tests["b"])
    return np.where(significant(tests) & (better in SIGNS), better_one, "")


def best_models(table: pd.DataFrame, tests: pd.DataFrame, better: str) -> BestModels:
    """The best model, of a table as for `paired_tests`, and those that may be as good."""
    means = comparable(table, better).mean().dropna() * SIGNS.get(better, np.nan)
    if means.isna().all():
        return BestModels((), (), False)
    best = tuple(str(name) for name in means.index[np.isclose(means, means.max())])
    won = tests[winners(tests, better) == best[0]]
    worse = {*won["a"], *won["b"]} - {best[0]}
    of_best = tests[(tests["a"] == best[0]) | (tests["b"] == best[0])]
    return BestModels(
        best,
        tuple(str(name) for name in means.index if name not in worse),
        smallest_p(of_best["examples"].max() if len(of_best) else 0, tests["p"].count()) < ALPHA,
    )
