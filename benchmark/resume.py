"""Resume a sweep that was interrupted: `python -m benchmark.resume --help`."""

import argparse
import sys
from collections.abc import Sequence

from benchmark.user_input.arguments import Parser
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
Resumes a sweep, or a single run, that did not come to its end, whatever the reason: Ctrl-C, a
killed process, a machine that went down, a full disk, a lost server, a run that failed.

    python -m benchmark.resume                   the last one
    python -m benchmark.resume NAME              a named one; python -m benchmark prints the name
    python -m benchmark.resume NAME hydra/launcher=joblib hydra.launcher.n_jobs=2

Runs that finished or diverged stay as they are. One that was interrupted is resumed from its last
checkpoint, in the same MLflow run and with the same numbers; those that never started are started.
The options are those that the sweep was started with, and so is the launcher, unless another is
given.
"""


@refusing()
def main(arguments: Sequence[str]) -> int:
    """Start what is left of a sweep in this process's place; the exit code if nothing is."""
    parser = Parser(
        prog="python -m benchmark.resume",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sweep", nargs="?", metavar="NAME", help="of the sweep; by default the last")
    add("overrides", nargs="*", help="another launcher: hydra/launcher=… and so on")
    add("--tracking-uri", help="MLflow store (default: mlruns/mlflow.db)")
    add(
        "--force",
        action="store_true",
        help="resume what seems to be running on another machine, because you know it is not",
    )
    options = parser.parse_args(arguments)
    with explained_imports():
        from benchmark.sweeps.resume import resume_sweep

    return resume_sweep(options.tracking_uri, options.sweep, options.overrides, force=options.force)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
