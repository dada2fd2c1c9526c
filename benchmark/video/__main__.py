"""A film in an artist's manner: `python -m benchmark.video FILM --style PAINTINGS -o OUT`."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from benchmark.user_input.arguments import Parser, separated
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
Paint a film in the manner of an artist's paintings, without flicker:

    python -m benchmark.video walk.mp4 --style paintings/ -o painted.mp4
    python -m benchmark.video walk.mp4 --style monet -o painted.mp4 --to 10 image_size=480

The film is a file that FFmpeg reads, or a folder of pictures. The style is what benchmark.stylize
takes: a folder of paintings, some pictures, an artist of Kaggle's archive, or a built-in painter
(sample, sample/NAME). Options of `python -m benchmark --help` can be added, and those of films:
consistency=flow (or warm, none), video.temporal_weight=, video.epochs_after=, estimate=only.
Interrupted, it leaves a film of what is there; the same command goes on.
"""


def main(arguments: Sequence[str]) -> int:
    """Paint the film that the arguments name; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.video",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("film", nargs="+", metavar="FILM", help="a file or a folder of pictures; and option=value")
    add("--style", nargs="+", required=True, help="a folder, pictures, or an artist")
    add("-o", "--output", type=Path, metavar="OUT", help="the film to write: .mp4, .mkv, .webm, …")
    add("--frames", type=Path, metavar="FOLDER", help="a folder that keeps the frames as PNG")
    add("--from", dest="begin", metavar="TIME", help="where to begin, in seconds, or h:m:s")
    add("--to", dest="end", metavar="TIME", help="where to end")
    add("--fps", metavar="N", help="frames a second, such as 12.5 (default: the film's own)")
    add("--codec", default="h264", metavar="NAME", help="h264, hevc, vp9, av1, … (default: h264)")
    add("--force", action="store_true", help="overwrite what is there")
    add("--no-log", action="store_true", help="do not log the film in MLflow")
    given = parser.parse_intermixed_args(arguments)
    films, options = separated(given.film)
    style, more_options = separated(given.style)
    if len(films) != 1 or not style:
        parser.error("name one film, and with --style a folder, pictures, or an artist")
    if given.output is None and given.frames is None:
        parser.error("name the film to write with -o OUT.mp4, or a folder with --frames")
    begin, end, fps = (
        number(parser, option, text)
        for option, text in (("--from", given.begin), ("--to", given.end), ("--fps", given.fps))
    )
    if fps is not None and not 0 < fps <= 240:
        parser.error("--fps: must be > 0 and at most 240")
    if end is not None and end <= (begin or 0):
        parser.error("--to: must be after --from")
    with explained_imports():
        from benchmark.video.film import paint
        from benchmark.video.preparation import Request
        from benchmark.video.source import Selection

    request = Request(
        film=Path(films[0]).expanduser(),
        style=style,
        overrides=(*options, *more_options),
        selection=Selection(begin or Fraction(0), end, fps),
        command=shlex.join(["python", "-m", "benchmark.video", *arguments]),
        output=given.output and given.output.expanduser(),
        frames=given.frames and given.frames.expanduser(),
        codec=given.codec,
        force=given.force,
        is_logged=not given.no_log,
    )
    with refusing():
        return paint(request)


def number(parser: Parser, option: str, text: str | None) -> Fraction | None:
    """A number ≥ 0, or hours, minutes and seconds as h:m:s; an error of the parser for others."""
    if text is None:
        return None
    try:
        parts = [Fraction(part) for part in text.split(":")]
        if len(parts) > 3 or any(part < 0 for part in parts):
            raise ValueError
    except (ValueError, ZeroDivisionError):
        parser.error(f"{option} {text}: must be a number of seconds, or h:m:s")
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
