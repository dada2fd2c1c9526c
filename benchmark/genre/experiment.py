"""`python -m benchmark -m experiment=genre dataset.root=GENRES`: a fit, sweeps, and their page."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.sweeps.in_turn import exit_code, given_store, sweep_in_turn
from benchmark.user_input.refusal import explained_imports, refusing

GENRE_SWEEPS = ("genre_paintings", "genre_selection", "genre_pooling", "genre_weights")
"""Overlays of `conf/experiment/`, in the order in which they are run."""

FIT = (
    *("dataset", "dataset.root", "dataset.artists", "dataset.genre", "dataset.nationality"),
    *("dataset.born", "dataset.group_by", "backbone.weights", "image_size", "seed", "cache"),
    "tracking.uri",
)
"""Options of the runs that the classifier is fitted with too, besides its own."""

OWN = ("fit.", "judge.")


def run_all(overrides: Sequence[str]) -> int:
    """Fit a classifier unless one is given, run all sweeps, write the page; the exit code."""
    uri = given_store(overrides)
    of_runs = [override for override in overrides if not override.startswith(OWN)]
    if not any(override.startswith("dataset.classifier=") for override in overrides):
        named = {override.partition("=")[0] for override in overrides}
        dataset = [] if "dataset" in named else ["dataset=folder"]
        shared = [o for o in overrides if o.partition("=")[0] in FIT or o.startswith(OWN)]
        command = [sys.executable, "-m", "benchmark.genre", "fit", *dataset, *shared]
        print("genre: the classifier and its judge", flush=True)
        code = exit_code(command)
        if code:
            return code
        of_runs.append(f"dataset.classifier={last_classifier(uri)}")
    worst, complete = sweep_in_turn("genre", GENRE_SWEEPS, of_runs)
    if not complete or "estimate=only" in overrides:
        return worst
    with refusing(OSError):
        write_page(uri, None)
    return worst


def last_classifier(uri: str | None) -> str:
    """The run of the classifier that was fitted last in a store."""
    with explained_imports():
        from benchmark.tracking.tracker import Tracker
    return Tracker(uri, None, create=False).classifier(None, "dataset.classifier").run_id


def write_page(uri: str | None, output: str | None) -> None:
    """Write the page of what was run, mlruns/genre/ by default, and print its files.

    Raises:
        ConfigError: nothing was run.
    """
    with explained_imports():
        from benchmark.analysis.genre import GENRE_PAGE
        from benchmark.analysis.questions import write_answers
        from benchmark.tracking.tracker import Tracker

    Tracker.check_reachable(uri)
    folder = Path(output or ROOT / "mlruns" / "genre")
    files = write_answers(GENRE_PAGE, lambda name: Tracker(uri, name, create=False), folder)
    if not files:
        raise ConfigError(
            "nothing was run: python -m benchmark -m experiment=genre dataset.root=GENRES"
        )
    print(*(f"wrote {file}" for file in files), sep="\n")
