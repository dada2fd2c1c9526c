"""Scores for runs that are done, from their pictures in MLflow: `python -m benchmark.evaluate`."""

import argparse
import sys
from collections.abc import Sequence

from rich.progress import track

from benchmark.analysis.rescoring import ALLOWED, scored
from benchmark.analysis.run_selection import add_selection, selected
from benchmark.config.compose import composed, refuse
from benchmark.config.errors import ConfigError
from benchmark.metrics.table import means
from benchmark.runs.progress import Output
from benchmark.runs.variants import metric_of
from benchmark.runs.workspace import Workspace
from benchmark.tracking.tracker import Tracker
from user_input import InputError
from user_input.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the runs of one sweep, run or experiment; returns the exit code."""
    options = _parser().parse_args(arguments)
    workspace = Workspace()
    try:
        wrong = [one for one in options.overrides if not one.lstrip("+~").startswith(ALLOWED)]
        if wrong:
            raise ConfigError(
                f"{wrong[0]}: the runs are done; only {', '.join(ALLOWED)} can be given here"
            )
        wanted = composed([o for o in options.overrides if ".root=" not in o])
        typed = [o.lstrip("+~").partition("=")[0] for o in options.overrides if ".root=" not in o]
        roots = dict(o.split("=", 1) for o in options.overrides if ".root=" in o)
        Tracker.check_reachable(options.tracking_uri)
        tracker = Tracker(options.tracking_uri, options.experiment, create=False)
        label, records = selected(tracker, options)
        for name, variant in wanted.metrics.items():
            metric_of(name, variant)
        if "evaluation.evaluators" in typed:
            for name in wanted.evaluation.evaluators:
                workspace.evaluator(name, wanted.evaluation.weights, wanted.image_size)
    except (InputError, OSError) as error:
        return refuse(error)
    output = Output()
    output.print(f"scoring {len(records)} runs of {label}", soft_wrap=True)
    failed = 0
    for run in track(records, "scoring", console=output, disable=not output.is_terminal):
        try:
            found = scored(tracker, run, wanted, typed, roots, workspace)
        except InputError as error:
            failed += 1
            output.print(f"  {run.name}: not scored: {error}", style="red", soft_wrap=True)
            continue
        values = ", ".join(f"{name} {v:.3g}" for name, v in means(found.table).items())
        output.print(f"  {run.name}: {values or 'no metric could be computed'}", soft_wrap=True)
        for reason in dict.fromkeys(found.skipped.values()):
            lacking = ", ".join(name for name, why in found.skipped.items() if why == reason)
            output.print(f"    no {lacking}: {reason}", style="yellow", soft_wrap=True)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmark.evaluate",
        description="Score finished runs from their pictures in MLflow, and write the scores into "
        "them. Without options: the sweep (or single run) that started last.",
        epilog="Example: python -m benchmark.evaluate metrics=[ssim,grain] "
        "evaluation.evaluators=[vgg,efficientnetv2b0]",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="option=value",
        help="metrics=[…], evaluation.…=…; dataset.root= and content.root= where data were moved",
    )
    add_selection(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
