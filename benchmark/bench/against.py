"""Steps of this checkout against those of another, each measured by its own bench."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.bench.figures import Measurement
from benchmark.bench.size import QuickSize, Size
from benchmark.bench.timing import ROOT, alternately, medians, run_module

NOT_SLOWER = 1.02
"""Ratio up to which this checkout counts as no slower."""


def steps_against(other: Path, figures: Mapping[str, str], size: Size) -> Iterator[Measurement]:
    """Seconds of a step here over those in another checkout, in processes run alternately.

    Args:
        other: the folder of the other checkout.
        figures: titles of what is compared, by the name of the figure: seconds of a kind of step.
        size: how often, and whether quick.

    Raises:
        RuntimeError: the bench of one of them failed.
    """
    options = ["--only", *figures, *(["--quick"] if isinstance(size, QuickSize) else [])]
    sides = {str(side): partial(measure_steps, side, options) for side in (ROOT, other)}
    measured = alternately(sides, size.process_repeats, warm_up=False)
    for name, title in figures.items():
        # All measurements of a side in all its processes, of our step and of the baseline's.
        ours, theirs = (
            {key: [s for process in side for s in process[name][key]] for key in (name, "baseline")}
            for side in measured.values()
        )
        here, there = medians(ours), medians(theirs)
        ratio = here[name] / there[name]
        yield Measurement(
            name,
            f"{title}, this checkout / {other}",
            ratio,
            most=NOT_SLOWER,
            detail=f"{here[name]:.4f} s / {there[name]:.4f} s; "
            f"of the shortest {min(ours[name]) / min(theirs[name]):.3f}; "
            f"of both over the baseline {ratio * there['baseline'] / here['baseline']:.3f}",
            measured={"this checkout": ours, "other checkout": theirs},
        )


def measure_steps(checkout: Path, options: Sequence[str]) -> dict[str, Any]:
    """The measurements behind each figure of steps, from a checkout's own bench."""
    with tempfile.TemporaryDirectory() as folder:
        # Exit code 1 means a figure out of its bounds.
        arguments = (*options, "--output", folder)
        run_module("benchmark.bench", *arguments, checkout=checkout, exit_codes=(0, 1))
        report = json.loads((Path(folder) / "bench.json").read_text())
    return {figure["name"]: figure["measured"] for figure in report["figures"]}
