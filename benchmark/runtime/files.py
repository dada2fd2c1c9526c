"""Files that are there whole or not at all, whatever ends the process that writes them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.runtime.processes import Owner, here

PART = re.compile(r"\..*\.(\d+)-([\d.]+)@(.+)\.part(\..*)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end of the block.

    Where the block fails, or the process dies, `path` stays what it was. The name ends as that of
    `path` does, because some libraries add an ending of their own.

    Raises:
        OSError: there is no room, or no permission.
    """
    owner = here()
    mark = f"{owner.process}-{owner.started}@{owner.host}"
    part = path.with_name(f".{path.stem}.{mark}.part{path.suffix}")
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what processes that are gone from this machine left half written in a folder."""
    for path in folder.glob(".*.part*"):
        found = PART.fullmatch(path.name)
        if found and Owner(found[3], int(found[1]), float(found[2])).state() == "gone":
            with suppress(OSError):
                path.unlink()
