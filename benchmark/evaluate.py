"""Scores for pictures that are there, ours or another program's: `benchmark.evaluate`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.user_input import InputError
from benchmark.user_input.arguments import Parser, add_selection
from benchmark.user_input.refusal import explained_imports, refusing

if TYPE_CHECKING:  # Imported only once the arguments are read.
    from benchmark.runs.progress import Output
    from benchmark.runs.workspace import Workspace

USAGE = """\
Score finished runs from their pictures in MLflow, and write the scores into them. Without options:
the sweep (or single run) that started last.

    python -m benchmark.evaluate metrics=[ssim,grain] evaluation.evaluators=[vgg,efficientnetv2b0]

Or score pictures that another program made from the same paintings and photographs, and log them
as a run, which report, export and comparisons take like any other:

    python -m benchmark.evaluate --pictures FOLDER --label NAME [--sweep SWEEP] [--table FILE.csv]
        dataset=… content=… [option=value …]

FOLDER has a picture FOLDER/ARTIST/CONTENT.png (or .jpg, …) for each example of these options. The
run joins SWEEP, or is alone. FILE.csv has columns artist, content, and seconds (that each picture
took), or file (where it is in FOLDER), or both. backbone= is the network that the program optimised
them with (vgg): as a judge of them it is marked as not independent. Options of the method (epochs=,
loss.…=) say with which settings; several runs of one NAME are told apart by them.

    python -m benchmark.evaluate --inputs FOLDER dataset=… content=… image_size=… [option=value …]

writes the paintings and photographs as a run prepares them, for another program to start from:
FOLDER/paintings/ARTIST/*.png and FOLDER/content/*.png.
"""


def main(arguments: Sequence[str]) -> int:
    """Score the runs of one sweep, run or experiment, or pictures; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.evaluate",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="option=value",
        help="metrics=[…], evaluation.…=…; dataset.root= and content.root= if data were moved; "
        "with --pictures all that say what they were made from",
    )
    add_selection(parser)
    one_of = parser.add_mutually_exclusive_group()
    one_of.add_argument("--pictures", metavar="FOLDER", help="pictures that another program made")
    one_of.add_argument("--inputs", metavar="FOLDER", help="write what a program starts from there")
    parser.add_argument("--label", metavar="NAME", help="that program's name")
    parser.add_argument("--table", metavar="FILE.csv", help="their seconds, or their files")
    options = parser.parse_args(arguments)
    if options.pictures is None and (options.label or options.table):
        parser.error("--label and --table need --pictures")
    if options.pictures is not None:
        if not (options.label or "").strip():
            parser.error("--pictures needs --label NAME, the name of the program that made them")
        if options.run or options.experiment:
            parser.error("--pictures takes --sweep, not --run or --experiment")
    with explained_imports():
        from benchmark.runs.progress import Output
        from benchmark.runs.workspace import Workspace

    if options.inputs is not None:
        return write_what_it_starts_from(options, Workspace())
    if options.pictures is not None:
        return score_another(options, Output(), Workspace())
    return score_runs(options, Output(), Workspace())


def score_runs(options: argparse.Namespace, output: "Output", workspace: "Workspace") -> int:
    """Score the runs that are asked for; returns the exit code."""
    from rich.progress import track

    from benchmark.analysis.rescoring import read_request, rescore, summary
    from benchmark.analysis.run_selection import select_runs

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


def write_what_it_starts_from(options: argparse.Namespace, workspace: "Workspace") -> int:
    """Write the prepared pictures of a run; returns the exit code."""
    from benchmark.sweeps.other_tools import write_inputs

    with refusing():
        try:
            files = write_inputs(options.overrides, Path(options.inputs).expanduser(), workspace)
        except OSError as error:
            reason = f"cannot be written to: {error.strerror}"
            raise InputError(reason, "--inputs", options.inputs) from error
    print(f"wrote {len(files)} pictures to {options.inputs}")
    return 0


def score_another(options: argparse.Namespace, output: "Output", workspace: "Workspace") -> int:
    """Score another program's pictures and log them; returns the exit code."""
    from benchmark.analysis.rescoring import summary
    from benchmark.sweeps.other_tools import ToolPictures, score_pictures
    from benchmark.sweeps.summary import store_argument

    request = ToolPictures(options.label, options.pictures, options.table, options.overrides)
    with refusing(OSError):
        done = score_pictures(request, options.sweep, options.tracking_uri, workspace)
    values, *skipped = summary(done.scores)
    output.print(f"{options.label}: {len(done.found.images)} pictures: {values}", soft_wrap=True)
    for line in skipped:
        output.print(f"  {line}", style="yellow", soft_wrap=True)
    if extra := done.found.extra:
        shown = ", ".join(extra[:5]) + (" …" if len(extra) > 5 else "")
        output.print(f"  {len(extra)} pictures of no example: {shown}", style="yellow")
    output.print(f"logged in MLflow as a run of {done.sweep}; next: ", end="")
    store = store_argument(done.tracker)
    output.print(f"python -m benchmark.report --sweep {done.sweep}{store}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
