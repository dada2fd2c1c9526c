"""People as judges of a sweep's results: `python -m benchmark.rate --help`."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.paths import ROOT
from benchmark.user_input.arguments import Parser, add_selection
from benchmark.user_input.refusal import explained_imports, refusing

QUESTION = "How well does this picture match this style?"


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Write the page, or read the answers; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.rate",
        description="Write one HTML page on which people give a sweep's pictures scores from 1 to "
        "10 without knowing what made them; it needs no network, and exports a file of answers. "
        "Then read these files, print means, intervals and agreement, and write them into the "
        "runs. Without options: the sweep (or single run) that started last.",
        epilog="Example: python -m benchmark.rate SWEEP --limit 48; "
        "then: python -m benchmark.rate SWEEP --read answers*.json",
    )
    parser.add_argument("name", nargs="?", metavar="SWEEP", help="the same as --sweep")
    add_selection(parser)
    parser.add_argument("--read", nargs="+", metavar="FILE", help="the answers, all people's")
    page = parser.add_argument_group("the page")
    page.add_argument("--limit", type=int, help="most pictures, as many of each run and artist")
    page.add_argument("--seed", type=int, help="draws the pictures under a limit (default: 0)")
    page.add_argument(
        "--untouched", action="store_true", help="rate the photographs themselves too, as a control"
    )
    page.add_argument("--question", help=f"default: {QUESTION}")
    page.add_argument("--output", help="file (default: mlruns/ratings/NAME/rate.html)")
    options = parser.parse_args(arguments)
    if options.name and options.sweep:
        parser.error("the sweep is named twice")
    of_page = ("limit", "seed", "untouched", "question", "output")
    if options.read and (given := [one for one in of_page if getattr(options, one)]):
        parser.error(f"argument --{given[0]}: is for writing the page, not for --read")
    if options.seed is not None and options.seed < 0:
        parser.error("argument --seed: must be 0 or more")
    options.sweep = options.sweep or options.name
    print(read(options) if options.read else write(options))
    return 0


def write(options: argparse.Namespace) -> str:
    """Write the page of the runs that are asked for; returns what to say about it."""
    with explained_imports():
        import zlib

        import numpy as np

        from benchmark.analysis.pages import with_noun
        from benchmark.analysis.run_selection import select_runs
        from benchmark.rate.page import write_rating_page
        from benchmark.rate.pictures import pictures_of, select_pictures

    tracker, title, records = select_runs(options)
    rng = np.random.default_rng([options.seed or 0, zlib.crc32(title.encode())])
    pictures = pictures_of(tracker, records)
    chosen = select_pictures(pictures, options.untouched, options.limit, rng)
    folder = re.sub(r"[^\w.+-]+", "_", title).strip(".") or "ratings"
    file = Path(options.output or ROOT / "mlruns" / "ratings" / folder / "rate.html")
    number = write_rating_page(tracker, chosen, options.question or QUESTION, file)
    size = file.stat().st_size / 1e6
    return f"wrote {file} ({size:.1f} MB) with {with_noun(number, 'picture')} to rate"


def read(options: argparse.Namespace) -> str:
    """Write the answers into the runs that are asked for; returns the table of what they say."""
    with explained_imports():
        import numpy as np

        from benchmark.analysis.comparison import read_runs
        from benchmark.analysis.pages import markdown, with_noun
        from benchmark.analysis.run_selection import select_runs
        from benchmark.rate.answers import answers_table, read_all_answers
        from benchmark.rate.pictures import pictures_of
        from benchmark.rate.ratings import agreement, ratings_table, write_ratings

    by_file = read_all_answers(options.read)
    tracker, title, records = select_runs(options)
    answers = answers_table(by_file, pictures_of(tracker, records), title)
    question = next(iter(by_file.values())).question
    table = ratings_table(read_runs(tracker, records), answers)
    written = write_ratings(tracker, records, answers, question)
    shared = answers[answers.duplicated("picture", keep=False)]["picture"].nunique()
    alpha = agreement(answers)
    agreed = "undefined, without several different scores" if np.isnan(alpha) else f"{alpha:.2f}"
    return (
        f"{question}\n\n{markdown(table)}\n\n"
        f"{with_noun(len(answers), 'answer')} in {with_noun(len(by_file), 'file')}; agreement "
        f"about {with_noun(shared, 'picture')} that several people rated: Krippendorff's alpha "
        f"{agreed}\nwritten into {with_noun(written, 'run')} of {title}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
