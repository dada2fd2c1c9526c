"""Download the archives from Kaggle beforehand: `python -m datasets.fetch best_artworks`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmark.user_input.arguments import Parser
from datasets import DatasetError, kaggle
from datasets.names import unknown_name

EPILOG = """\
Without --root they go to kagglehub's cache, where the benchmark finds them:
~/.cache/kagglehub, or the folder that KAGGLEHUB_CACHE names.

Public datasets need no account. If Kaggle asks for credentials: create a token at
https://www.kaggle.com/settings and set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and
KAGGLE_KEY, or save it as ~/.kaggle/kaggle.json."""

say = partial(print, flush=True)  # at once, into a pipe or a log file too


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the archives that the arguments name; returns the exit code."""
    known = "\n".join(f"  {name:15}{handle}" for name, handle in kaggle.ARCHIVES.items())
    parser = Parser(
        prog="python -m datasets.fetch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Download archives from Kaggle and unpack them. Complete ones are not\n"
        f"downloaded again, and what was interrupted is resumed.\n\narchives:\n{known}",
        epilog=EPILOG,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="of an archive")
    parser.add_argument(
        "--root", type=Path, metavar="PATH", help="a new or empty folder that receives the files"
    )
    options = parser.parse_args(arguments)
    if options.root and len(options.names) > 1:
        parser.error("--root takes one archive")
    try:
        for name in options.names:
            if name not in kaggle.ARCHIVES:
                raise unknown_name("archive", name, dict.fromkeys(kaggle.ARCHIVES, ()))
        for name in options.names:
            say(f"{name}: {kaggle.fetch(name, options.root, say)}")
    except DatasetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: the same command resumes", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
