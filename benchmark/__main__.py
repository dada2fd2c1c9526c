"""The command line: `python -m benchmark --help`."""

import secrets
import sys
from collections.abc import Sequence
from datetime import datetime
from pkgutil import resolve_name

from benchmark.user_input.refusal import explained_imports, refusing

with explained_imports():
    from benchmark.config import command_line


SEVERAL_SWEEPS = {
    "experiment=questions": "benchmark.questions:run_questions",
    "experiment=tools": "benchmark.questions:run_tools",
    "experiment=genre": "benchmark.genre.experiment:run_all",
}
"""The experiments that consist of several sweeps, and what runs all of them."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say; returns the exit code."""
    for name, function in SEVERAL_SWEEPS.items():
        if name in arguments:
            swept = ("-m", "--multirun", name)
            others = [argument for argument in arguments if argument not in swept]
            return int(resolve_name(function)(others))
    arguments = command_line.read(arguments)
    options = command_line.hydra_parser().parse_args(arguments)
    if options.help:
        print(command_line.help_text(options.config_dir), end="")
        return 0
    with refusing():
        command_line.check(options)
    with explained_imports():
        from benchmark.sweeps import command
    if not any(argument.startswith("tracking.sweep=") for argument in arguments):
        # Once, because every run of a sweep must see the same name.
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(2)}"
        arguments.append(f"tracking.sweep={name}")
    return command.run(command_line.with_additions(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
