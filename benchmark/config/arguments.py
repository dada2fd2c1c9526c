"""The arguments of commands: a wrong one is told in one line, with the nearest right one."""

import argparse
import re
from typing import NoReturn

from user_input import did_you_mean


class Parser(argparse.ArgumentParser):
    """Argparse's, which otherwise prints its whole usage first."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and end with exit code 2."""
        unknown = message.partition("unrecognized arguments: ")[2].partition("=")[0]
        hint = did_you_mean(unknown, re.findall(r"--[\w-]+", self.format_usage()), 0.6)
        self.exit(2, f"error: {' '.join(message.split())}.{hint} --help lists what there is.\n")


def hydra_parser() -> Parser:
    """Of Hydra's flags, as its documentation lists them, and overrides."""
    parser = Parser(add_help=False)
    switches = "--help -h|--hydra-help|--version|--resolve|--run -r|--multirun -m"
    for names in f"{switches}|--shell-completion -sc".split("|"):
        parser.add_argument(*names.split(), action="store_true")
    with_values = "--package -p|--config-path -cp|--config-name -cn|--config-dir -cd"
    for names in f"{with_values}|--experimental-rerun".split("|"):
        parser.add_argument(*names.split())
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parts = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=parts)
    parser.add_argument("overrides", nargs="*")
    return parser
