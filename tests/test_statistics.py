"""Intervals and paired tests against published numbers, numbers worked by hand, and SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.analysis.statistics import (
    best_models,
    comparable,
    confidence_interval,
    holm,
    paired_tests,
    smallest_p,
    winners,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_rates_have_wilsons_interval(successes: int, trials: int, low: float, high: float) -> None:
    found = confidence_interval([1.0] * successes + [0.0] * (trials - successes), rate=True)
    np.testing.assert_allclose(found, [successes / trials, low, high], atol=5e-5)


def test_the_bootstrap_is_near_the_normal_interval_of_many_values(
    random: np.random.Generator,
) -> None:
    values = random.normal(3.0, 2.0, 400)
    half = 1.96 * values.std() / 20
    expected = [values.mean(), values.mean() - half, values.mean() + half]
    np.testing.assert_allclose(confidence_interval(values), expected, atol=0.1 * half)


def test_an_interval_moves_and_stretches_with_its_values(random: np.random.Generator) -> None:
    values = random.gamma(2.0, size=12)
    found = np.array(confidence_interval(values))
    assert found[1] < found[0] < found[2]
    np.testing.assert_allclose(confidence_interval(5.0 - 2.0 * values)[0], 5.0 - 2.0 * found[0])
    np.testing.assert_allclose(confidence_interval(5.0 + 2.0 * values), 5.0 + 2.0 * found)
    assert confidence_interval(np.append(values, np.nan)) == confidence_interval(values)


def test_few_values_have_students_interval() -> None:
    """By SciPy's t distribution with 4 degrees of freedom: mean ± t s / √5."""
    values = np.array([0.3, 0.5, 0.4, 0.9, 0.2])
    half = stats.t.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    mean = values.mean()
    np.testing.assert_allclose(confidence_interval(values), (mean, mean - half, mean + half))


def test_what_has_no_interval() -> None:
    np.testing.assert_equal(confidence_interval([0.5, np.nan]), (0.5, np.nan, np.nan))
    np.testing.assert_equal(confidence_interval([]), (np.nan, np.nan, np.nan))
    assert confidence_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_holm_by_hand() -> None:
    # Sorted 0.005·4, 0.01·3, 0.03·2, max(0.04·1, 0.06).
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_lies_between_the_given_and_bonferronis(random: np.random.Generator) -> None:
    for number in (1, 2, 7, 30):
        p = random.uniform(size=number) ** 3
        adjusted = holm(p)
        order = random.permutation(number)
        assert np.all(adjusted >= p)
        assert np.all(adjusted <= np.minimum(1, number * p) + 1e-15)
        assert np.all(np.diff(adjusted[np.argsort(p)]) >= 0)
        np.testing.assert_array_equal(holm(p[order]), adjusted[order])


def test_wilcoxon_by_hand() -> None:
    # Of the 64 signings of ranks 1 … 6, 14 have negative ranks that sum to at most 6: p = 28 / 64.
    table = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, -6], "b": [0.0] * 6})
    [row] = paired_tests(table).to_dict("records")
    assert row == {
        "a": "a",
        "b": "b",
        "examples": 6,
        "difference": 1.5,
        "ranks": 1.0,
        "p": 0.4375,
        "p_holm": 0.4375,
    }


def test_a_few_large_differences_do_not_turn_a_test_around() -> None:
    """Ranks say that b is higher 27 times of 30, the mean that a is: neither is better."""
    table = pd.DataFrame({"a": [-1.0 - n / 100 for n in range(27)] + [100.0, 101, 102], "b": 0.0})
    pairs = paired_tests(table)
    assert pairs["p"][0] < 0.05
    assert pairs["difference"][0] > 0 > pairs["ranks"][0]
    assert [*winners(pairs, "higher"), *winners(pairs, "lower")] == ["", ""]


def test_pairs_are_compared_on_the_examples_that_both_have(random: np.random.Generator) -> None:
    table = pd.DataFrame(random.normal(size=(20, 4)), columns=list("abcd"))
    table.loc[3:8, "b"] = np.nan
    table["d"] = table["c"]
    found = paired_tests(table).set_index(["a", "b"])
    assert len(found) == 6
    both = (table["a"] - table["b"]).dropna()
    assert found.loc[("a", "b"), "examples"] == len(both) == 14
    assert found.loc[("a", "b"), "difference"] == pytest.approx(both.mean())
    assert found.loc[("a", "b"), "p"] == pytest.approx(stats.wilcoxon(both).pvalue)
    assert found.loc[("c", "d"), "p"] == 1.0
    np.testing.assert_array_equal(found["p_holm"], holm(found["p"].to_numpy()))


def test_pairs_without_a_common_example_are_no_test() -> None:
    """Two datasets: within each two models are compared, across them nothing."""
    table = pd.DataFrame(np.nan, index=range(14), columns=list("abcd"))
    for rows, (one, other) in ((range(7), "ab"), (range(7, 14), "cd")):
        table.loc[rows, one], table.loc[rows, other] = np.arange(1.0, 8), 0.0
    tests = paired_tests(table)
    assert tests["p"].count() == 2
    # 2 / 2⁷ each, for two tests.
    np.testing.assert_allclose(tests["p_holm"].dropna(), [4 / 128] * 2)
    assert best_models(table, tests, "higher").testable


def test_fewer_than_six_examples_can_show_nothing() -> None:
    table = pd.DataFrame({"a": np.arange(5.0) + 1, "b": np.zeros(5)})
    assert paired_tests(table)["p"].item() == smallest_p(5, 1) == 0.0625
    six = pd.DataFrame({"a": np.arange(6.0) + 1, "b": np.zeros(6)})
    assert paired_tests(six)["p"].item() == smallest_p(6, 1) == 0.03125
    assert not best_models(table, paired_tests(table), "higher").testable
    assert best_models(six, paired_tests(six), "higher").testable


@pytest.mark.parametrize(
    ("better", "worse_than"),
    [
        ("higher", {"high": {"near", "low"}, "near": {"low"}}),
        ("lower", {"low": {"near", "high"}, "near": {"high"}}),
        ("one", {"near": {"low", "high"}}),
        ("none", {}),
    ],
)
def test_better_follows_the_direction(better: str, worse_than: dict[str, set[str]]) -> None:
    steps = np.linspace(0, 0.1, 12)
    # |log v|: about 0.05 near 1, and log 4 on both sides of it.
    table = pd.DataFrame({"high": 4 + steps, "near": 1 + steps, "low": 1 / (4 + steps)})
    pairs = paired_tests(comparable(table, better))
    found: dict[str, set[str]] = {}
    for a, b, winner in zip(pairs["a"], pairs["b"], winners(pairs, better), strict=True):
        if winner:
            found.setdefault(winner, set()).add(b if winner == a else a)
    assert found == worse_than
    best = best_models(table, pairs, better)
    assert best.best == tuple(list(worse_than)[:1])
    assert best.equal == best.best


def test_equal_means_are_all_best(
    random: np.random.Generator,
) -> None:
    noise = random.normal(size=10)
    table = pd.DataFrame(
        {"a": noise, "b": noise[::-1], "c": noise - 5, "d": noise - 0.001 * noise**2}
    )
    table["e"] = np.nan
    found = best_models(table, paired_tests(table), "higher")
    assert found.best == ("a", "b")
    assert set(found.equal) == {"a", "b"}
    assert found.testable
