"""Imports made only where they are needed, because they take seconds or may fail."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.config.compose import refuse
from benchmark.user_input import InputError, in_one_line

OWN_PACKAGES = ("benchmark", "backbones", "datasets", "__main__")


@contextmanager
def explained_imports() -> Iterator[None]:
    """Around imports: one that fails ends the program, naming the package in one line.

    A defect of the project's own modules is shown with its traceback. Neither is raised as what it
    was, because Hydra turns the exceptions of a callback into warnings.
    """
    try:
        yield
    except InputError as error:
        raise SystemExit(refuse(error)) from error
    except Exception as error:
        frame, _ = list(traceback.walk_tb(error.__traceback__))[-1]
        missing = error.name if isinstance(error, ImportError) else None
        package = (missing or frame.f_globals["__name__"]).partition(".")[0]
        if package in OWN_PACKAGES:
            traceback.print_exc()
            raise SystemExit(1) from error
        reason = in_one_line(str(error)) or type(error).__name__
        print(f"error: cannot import {package}: {reason}; run make install", file=sys.stderr)
        raise SystemExit(2) from error
