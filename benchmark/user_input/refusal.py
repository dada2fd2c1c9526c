"""A command ends in one line where its input, or what is installed, is wrong."""

import atexit
import gc
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.user_input import InputError, in_one_line


def refuse(error: BaseException) -> int:
    """Print what is wrong with the input as one line; returns the exit code for it, 2."""
    print(f"error: {in_one_line(str(error))}", file=sys.stderr)
    return 2


@contextmanager
def refusing(*others: type[Exception]) -> Iterator[None]:
    """Wrong input, and these other errors, end the program in one line; for a command's `main`."""
    errors: tuple[type[Exception], ...] = (InputError, *others)
    try:
        yield
    except errors as error:
        raise SystemExit(refuse(error)) from error


@contextmanager
def explained_imports() -> Iterator[None]:
    """Around imports: one that fails ends the program, naming the package in one line.

    A defect of the project's own modules is shown with its traceback. Neither is raised as what it
    was, because Hydra turns the exceptions of a callback into warnings.
    """
    # Python ends with a search for garbage: among the objects of these packages it takes seconds.
    atexit.register(gc.freeze)
    try:
        with refusing():
            yield
    except Exception as error:
        frame, _ = list(traceback.walk_tb(error.__traceback__))[-1]
        missing = error.name if isinstance(error, ImportError) else None
        package = (missing or frame.f_globals["__name__"]).partition(".")[0]
        if package in ("benchmark", "backbones", "datasets", "__main__"):
            traceback.print_exc()
            raise SystemExit(1) from error
        reason = in_one_line(str(error)) or type(error).__name__
        remedy = "run make install, or pip install -e '.[tensorflow]'"
        print(f"error: cannot import {package}: {reason}; {remedy}", file=sys.stderr)
        raise SystemExit(2) from error
