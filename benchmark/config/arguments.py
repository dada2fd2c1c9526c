"""The arguments of commands: a wrong one is told in one line, with the nearest right one."""

import argparse
from difflib import get_close_matches
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Argparse's, which else tells its whole usage first."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with exit code 2."""
        told(self, message)


def told(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """What is wrong with the arguments, in one line; ends the program with exit code 2."""
    unknown = message.partition("unrecognized arguments: ")[2].partition("=")[0]
    meant = get_close_matches(unknown, list(parser._option_string_actions), n=1)
    hint = f" Did you mean '{meant[0]}'?" if meant else ""
    parser.exit(2, f"error: {' '.join(message.split())}.{hint} --help lists what there is.\n")
