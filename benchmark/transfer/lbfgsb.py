"""SciPy's L-BFGS-B for several functions at once, an iteration at a time, its state in arrays.

`scipy.optimize.minimize` runs to the end of one function and keeps its state to itself. So this
calls the routine beneath it, `setulb`, as it does: it returns whenever it needs a value of the
function, and all that it knows is in arrays of the caller's. It is private to SciPy; this module
alone knows it, as it is in SciPy 1.15, 1.16 and 1.17.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import _lbfgsb

START, NEW_ITERATE, EVALUATE = 0, 1, 3
"""What `setulb` says in `task`; all else is an end."""

BOTH_BOUNDS = 2
"""How `setulb` is told that a variable has a lower and an upper bound."""

TOLERANCES = 0.0, 0.0
"""Of the value's relative decrease and of the gradient: it ends only where nothing goes down."""

Objective = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From points (N, n) to the values there of N functions, one each, (N,), and gradients (N, n)."""


class Minimizations(NamedTuple):
    """The state of N minimisations of functions of n variables, a row of each array."""

    x: np.ndarray  # the last iterate, (N, n), float64 in [0, 1]
    f: np.ndarray  # the function's value there, (N,)
    g: np.ndarray  # its gradient there, (N, n)
    wa: np.ndarray
    iwa: np.ndarray
    task: np.ndarray
    lsave: np.ndarray
    isave: np.ndarray
    dsave: np.ndarray
    ln_task: np.ndarray


def begin(x: np.ndarray, memory: int) -> Minimizations:
    """Before the first iteration, from points (N, n) in [0, 1], with a history of `memory` steps.

    With 8 (2 · memory + 7) n bytes each and little besides: arrays of the sizes that `minimize`
    gives them.
    """
    number, n = x.shape
    workspace = 2 * memory * n + 5 * n + 11 * memory**2 + 8 * memory

    def rows(width: int, kind: type = np.int32) -> np.ndarray:
        return np.zeros((number, width), kind)

    return Minimizations(
        x.astype(np.float64),
        np.zeros(number),
        rows(n, np.float64),
        rows(workspace, np.float64),
        rows(3 * n),
        rows(2),
        rows(4),
        rows(44),
        rows(29, np.float64),
        rows(2),
    )


def iterate(
    state: Minimizations, objective: Objective, memory: int, max_line_search: int
) -> np.ndarray:
    """Do an iteration of each minimisation, in place; whether each has a new iterate, (N,).

    One without has ended: no step goes further down. They need 1 to `max_line_search` evaluations,
    and all are evaluated together: those that are done wait at their iterate.
    """
    rows = range(len(state.x))
    asking = [row for row in rows if _advance(state, row, memory, max_line_search)]
    while asking:
        values, gradients = objective(state.x)
        for row in asking:
            state.f[row], state.g[row] = values[row], gradients[row]
        asking = [row for row in asking if _advance(state, row, memory, max_line_search)]
    return np.asarray(state.task[:, 0] == NEW_ITERATE)


def _advance(state: Minimizations, row: int, memory: int, max_line_search: int) -> bool:
    """Go on until something is needed: whether that is an evaluation, not the next iteration."""
    x, f, g, wa, iwa, task, lsave, isave, dsave, ln_task = (array[row] for array in state)
    if task[0] not in (START, NEW_ITERATE, EVALUATE):
        return False
    lower, upper = np.zeros(x.shape), np.ones(x.shape)
    bounds = np.full(x.shape, BOTH_BOUNDS, np.int32)
    _lbfgsb.setulb(
        *(memory, x, lower, upper, bounds, f, g, *TOLERANCES),
        *(wa, iwa, task, lsave, isave, dsave, max_line_search, ln_task),
    )
    return bool(task[0] == EVALUATE)
