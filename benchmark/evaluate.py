"""Scores for runs that are done, from their pictures in MLflow: `python -m benchmark.evaluate`."""

import sys
from collections.abc import Sequence

from benchmark.user_input import InputError
from benchmark.user_input.arguments import Parser, add_selection
from benchmark.user_input.refusal import explained_imports, refusing


def main(arguments: Sequence[str]) -> int:
    """Score the runs of one sweep, run or experiment; returns the exit code."""
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
        help="metrics=[…], evaluation.…=…; dataset.root= and content.root= if data were moved",
    )
    add_selection(parser)
    options = parser.parse_args(arguments)
    with explained_imports():
        from rich.progress import track

        from benchmark.analysis.rescoring import read_request, rescore, summary
        from benchmark.analysis.run_selection import select_runs
        from benchmark.runs.progress import Output
        from benchmark.runs.workspace import Workspace

    output, workspace = Output(), Workspace()
    with refusing(OSError):
        request = read_request(options.overrides, workspace)
        tracker, title, records = select_runs(options)
    output.print(f"scoring {len(records)} runs of {title}", soft_wrap=True)
    failed = 0
    for run in track(records, "scoring", console=output, disable=not output.is_terminal):
        try:
            scores = rescore(tracker, run, request, workspace)
        except InputError as error:
            failed += 1
            output.print(f"  {run.name}: not scored: {error}", style="red", soft_wrap=True)
            continue
        values, *skipped = summary(scores)
        output.print(f"  {run.name}: {values}", soft_wrap=True)
        for line in skipped:
            output.print(f"    {line}", style="yellow", soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
