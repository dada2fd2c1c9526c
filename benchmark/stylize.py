"""Pictures in an artist's manner: `python -m benchmark.stylize PHOTO --style PAINTINGS`."""

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.user_input import as_override
from benchmark.user_input.arguments import Parser, separated
from benchmark.user_input.refusal import explained_imports, refusing

if TYPE_CHECKING:  # Imported only once the arguments are read.
    from PIL import Image

USAGE = """\
Paint photographs in the manner of an artist's paintings:

    python -m benchmark.stylize photo.jpg --style paintings/
    python -m benchmark.stylize photo.jpg --style "sample/amber nocturne" image_size=1024

The style is a folder of paintings, some pictures, an artist of Kaggle's Best Artworks of All Time
(monet), or a built-in painter, for which nothing is downloaded (sample, sample/NAME). Several
--style give a picture each, or with 'dataset.blend=[0.7,0.3]' one in a mixture of them. Options of
`python -m benchmark --help` can be added: image_size=1024 for a larger picture,
loss.style_weight=5e7 for less of the manner (it is 1e8), precision=bfloat16 for speed where the
processor has it.
"""


def main(arguments: Sequence[str]) -> int:
    """Paint what the arguments name; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.stylize",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("photographs", nargs="+", metavar="PHOTO", help="files, or folders; and option=value")
    add(
        "--style",
        nargs="+",
        action="append",
        required=True,
        help="a folder, pictures, or an artist",
    )
    add("-o", "--output", metavar="OUT", help="a file, or a folder, which is made (default: here)")
    add("--every", type=int, metavar="N", help="also write the pictures after every N epochs")
    add("--background", metavar="COLOUR", help="to lie on, in place of transparency")
    add("--force", action="store_true", help="overwrite files that are there")
    add("--no-log", action="store_true", help="do not log the pictures in MLflow")
    given = parser.parse_intermixed_args(arguments)
    if given.every is not None and given.every < 1:
        parser.error("--every: must be 1 or more")
    photographs, options = separated(given.photographs)
    styles, more_options = zip(*map(separated, given.style), strict=True)
    if not (photographs and all(styles)):
        parser.error("name a photograph, and with --style a folder, pictures, or an artist")
    with explained_imports():
        from benchmark.sweeps.painting import Request, paint

    overrides = (*options, *chain(*more_options))
    request = Request(photographs, styles, overrides, given.every, given.background)
    with refusing():
        return paint(request, given.output, force=given.force, is_logged=not given.no_log)


def stylize(
    photographs: Sequence[str | Path], style: Sequence[str | Path], **options: object
) -> "list[Image.Image]":
    """Pictures of photographs, files or folders, in the manner of a style, as `--style` takes it.

    Artist by artist. `options` are the benchmark's, with `__` in place of `.`: `image_size=1024`,
    `loss__style_weight=5e7`. Nothing is written or logged.

    Raises:
        InputError: a file, or an option, is wrong.
    """
    from benchmark.sweeps.painting import Request, pictures

    overrides = [f"{key.replace('__', '.')}={as_override(v)}" for key, v in options.items()]
    return pictures(Request([*map(str, photographs)], [[*map(str, style)]], overrides))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
