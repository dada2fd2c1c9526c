"""The claims about backbones and means of many paintings, put to the test: see `USAGE`."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.analysis.questions import QUESTIONS, SWEEPS, USAGE, gathered, write
from benchmark.config.compose import refuse
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.tracking.tracker import Tracker
from user_input import InputError
from user_input.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page of answers; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        Tracker.check_reachable(options.tracking_uri)
        found = [
            (cells, answer(cells))
            for experiment, name, answer in QUESTIONS
            if (cells := gathered(options.tracking_uri, experiment, name)) is not None
        ]
        if not found:
            raise ConfigError(
                "nothing was run that answers a question: python -m benchmark -m "
                "experiment=questions runs it all, experiment=questions_findings a part"
            )
        files = write(Path(options.output or ROOT / "mlruns" / "questions"), found)
    except (InputError, OSError) as error:
        return refuse(error)
    print(*(f"wrote {file}" for file in files), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmark.questions",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tracking-uri", help="MLflow store (default: mlruns/mlflow.db)")
    parser.add_argument("--output", help="folder to write to (default: mlruns/questions)")
    return parser


if __name__ == "__main__":
    sys.exit(main())


def run_all(overrides: Sequence[str]) -> int:
    """Run all sweeps, then write the page; returns the exit code."""
    worst = 0
    for number, name in enumerate(SWEEPS, start=1):
        print(f"questions, sweep {number} of {len(SWEEPS)}: {name}", flush=True)
        command = [sys.executable, "-m", "benchmark", "-m", f"experiment={name}", *overrides]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code not in (0, 1):
            return code
        worst = max(worst, code)
    if "estimate=only" in overrides:
        return worst
    given = dict(o.split("=", 1) for o in overrides if o.startswith("tracking.uri="))
    uri = given.get("tracking.uri")
    return max(worst, main(["--tracking-uri", uri] if uri else []))
