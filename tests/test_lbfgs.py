"""L-BFGS against SciPy's own loop, which calls the same routine for one function to its end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmark.transfer import lbfgsb
from benchmark.transfer.lbfgs import LBFGS

EXAMPLES, VALUES = 3, 40


def quadratics(random: np.random.Generator) -> Callable[[np.ndarray, int], tuple[Any, Any]]:
    """Of each example another: conditioned from well to badly, minima in and out of the bounds."""
    minima = random.uniform(-0.5, 1.5, (EXAMPLES, VALUES))
    curvatures = np.exp(random.normal(0, [[0.5], [1.0], [1.5]], (EXAMPLES, VALUES)))

    def one(x: np.ndarray, example: int) -> tuple[Any, Any]:
        slope = curvatures[example] * (x - minima[example])
        return slope @ (x - minima[example]), 2 * slope

    return one


@pytest.mark.parametrize(("memory", "max_line_search"), [(10, 20), (3, 2)])
def test_every_iterate_is_scipys(
    random: np.random.Generator, memory: int, max_line_search: int
) -> None:
    """To the bit, and so is how many there are until each example ends, which others outlive."""
    one, start = quadratics(random), random.random((EXAMPLES, VALUES))
    options = {"maxcor": memory, "maxls": max_line_search, "ftol": 0.0, "gtol": 0.0}
    expected: list[list[np.ndarray]] = [[] for _ in range(EXAMPLES)]
    for example, iterates in enumerate(expected):
        minimize(
            one,
            start[example],
            args=(example,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * VALUES,
            options=options,
            callback=lambda x, kept=iterates: kept.append(x.copy()),
        )

    def objective(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradients = zip(*(one(row, example) for example, row in enumerate(x)), strict=True)
        return np.array(values), np.array(gradients)

    state = lbfgsb.begin(start, memory)
    found: list[list[np.ndarray]] = [[] for _ in range(EXAMPLES)]
    while (moved := lbfgsb.iterate(state, objective, memory, max_line_search)).any():
        for example in np.flatnonzero(moved).tolist():
            found[example].append(state.x[example].copy())
    assert [len(iterates) for iterates in found] == [len(iterates) for iterates in expected]
    assert len({len(iterates) for iterates in expected}) > 1
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_loss_that_is_no_number_ends_it_where_it_was(random: np.random.Generator) -> None:
    start = random.random((2, VALUES))

    def objective(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.sum(x**2, axis=1) + np.array([0.0, np.nan])
        return value, 2 * x + np.array([[0.0], [np.nan]])

    state = lbfgsb.begin(start, 10)
    assert lbfgsb.iterate(state, objective, 10, 20).tolist() == [True, False]
    np.testing.assert_array_equal(state.x[1], start[1])
    assert (state.x[0] < start[0]).any()


def test_the_memory_foretold_is_that_of_the_history() -> None:
    """Steps and differences of gradients, 2 · memory float64 a value, and nine arrays beside."""
    values, memory = 1000, 25
    foretold = LBFGS(memory=memory).bytes_per_example(values)
    beside = (7 * 8 + 3 * 4) * values + 8 * (11 * memory**2 + 8 * memory)
    assert 0 <= foretold - (2 * memory * 8 * values + beside) < 1000
