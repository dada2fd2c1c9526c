"""A classifier of genres or any other groups, fitted and asked: `python -m benchmark.genre`."""

import argparse
import sys
from collections.abc import Sequence

from benchmark.user_input.arguments import Parser, add_store
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
A classifier of the groups of a dataset: dense layers on a frozen network's features.

    python -m benchmark.genre fit dataset=folder dataset.root=GENRES
    python -m benchmark.genre predict PICTURES_OR_FOLDER… [--classifier RUN_OR_PATH] [--csv FILE]
    python -m benchmark.genre page

fit      fits a classifier, and a judge on other pictures with another network, and logs both
predict  says what it takes pictures for; by default the classifier that was fitted last
page     what the runs of `python -m benchmark -m experiment=genre dataset.root=GENRES` say

Options of fit, as option=value: dataset=, dataset.…=, backbone=vgg, backbone.weights=auto,
backbone.content_layer= (whose features are taken), image_size=128, seed=0, cache=, tracking.uri=,
tracking.experiment=classifiers, and
  fit.layers=[1024,128]   widths of the dense layers before the softmax
  fit.epochs=10           at most; fit.batch=64, fit.learning_rate=0.001 (Adam)
  fit.patience=3          ends after so many epochs without 1 % less training loss; null: never
  fit.test=0.2            share of each group's pictures for testing
  judge.backbone=auto     another network for the judge; null: no judge
  judge.weights=null      its weights; null: the classifier's folder or kind of weights, else auto
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.genre",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="fit|predict|page")
    fitted = commands.add_parser("fit", help="fit a classifier and its judge")
    fitted.add_argument("overrides", nargs="*", metavar="option=value")
    asked = commands.add_parser("predict", help="say what it takes pictures for")
    asked.add_argument("pictures", nargs="+", help="files, and folders of them")
    asked.add_argument("--classifier", default="last", help="MLflow's id of its run, or a folder")
    asked.add_argument("--csv", metavar="FILE", help="write the table there too")
    add_store(asked)
    page = commands.add_parser("page", help="write the page of results")
    page.add_argument("--output", help="folder to write to (default: mlruns/genre)")
    add_store(page)
    options = parser.parse_args(arguments)
    with explained_imports():
        from benchmark.genre import commands as given
        from benchmark.genre.experiment import write_page
    with refusing(OSError):
        if options.command == "fit":
            return given.fit(options.overrides)
        if options.command == "predict":
            return given.predict(options)
        write_page(options.tracking_uri, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
