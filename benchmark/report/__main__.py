"""A report of some runs as one page to share: `python -m benchmark.report --help`."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.paths import ROOT
from benchmark.user_input.arguments import Parser, add_selection
from benchmark.user_input.refusal import explained_imports, refusing


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Write the report of one sweep, run or experiment; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.report",
        description="Write one HTML page of the results: a summary, the table with its intervals "
        "and paired tests, the pictures, figures, and how to repeat it. It needs no network. "
        "Without options: the last sweep or single run of `python -m benchmark`.",
    )
    add_selection(parser)
    parser.add_argument("name", nargs="?", help="the same as --sweep NAME")
    parser.add_argument("--output", help="file (default: mlruns/reports/NAME/report.html)")
    options = parser.parse_args(arguments)
    if options.name and options.sweep:
        parser.error("the sweep is named twice")
    options.sweep = options.sweep or options.name
    with explained_imports():
        from benchmark.analysis.run_selection import select_runs
        from benchmark.report.page import write_report

    tracker, title, records = select_runs(options)
    folder = re.sub(r"[^\w.+-]+", "_", title).strip(".") or "report"
    default = ROOT / "mlruns" / "reports" / folder / "report.html"
    file = Path(options.output or default)
    figures = write_report(tracker, title, records, file)
    size = file.stat().st_size / 1e6
    print(f"wrote {file} ({size:.1f} MB) and {len(figures)} figures in {file.parent / 'figures'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
