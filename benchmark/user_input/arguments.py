"""Command lines: a wrong argument ends in one line with the nearest right one; shared options."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from benchmark.user_input import did_you_mean, program_version

OVERRIDE = re.compile(r"[~+]{0,2}[a-z_]+[\w./@]*=")


def told(overrides: Sequence[str], usage: str) -> bool:
    """Print the usage or the version of a command of overrides alone; whether it was asked to."""
    if {"-h", "--help"} & {*overrides}:
        print(usage)
    elif "--version" in overrides:
        print(program_version())
    else:
        return False
    return True


class Parser(argparse.ArgumentParser):
    """Argparse's, which otherwise prints its whole usage first; of a program with a version."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        help_text = "print the version and exit"
        self.add_argument("--version", action="version", version=program_version(), help=help_text)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and end with exit code 2."""
        unknown = message.partition("unrecognized arguments: ")[2].partition("=")[0]
        hint = did_you_mean(unknown, re.findall(r"--[\w-]+", self.format_usage()), cutoff=0.6)
        self.exit(2, f"error: {' '.join(message.split())}.{hint} --help lists what there is.\n")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Give a command the options by which `run_selection.select_runs` chooses runs."""
    parser.add_argument("--sweep", help="name of a sweep, as printed when it started")
    parser.add_argument("--run", help="MLflow's id of one run")
    parser.add_argument("--experiment", help="all runs of an experiment")
    add_store(parser)


def add_store(parser: argparse.ArgumentParser) -> None:
    """Give a command the option by which `run_selection.open_store` opens a store."""
    parser.add_argument("--tracking-uri", help="MLflow store (default: mlruns/mlflow.db)")


def separated(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that are paths or names, and those of the form option=value."""
    options = [a for a in arguments if OVERRIDE.match(a) and not Path(a).exists()]
    return [a for a in arguments if a not in options], options
