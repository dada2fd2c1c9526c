"""Files that are complete or absent, even if the process that writes them is killed."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.runtime.processes import Owner, current_process

PART = re.compile(r"\..*\.(\d+)-([\d.]+)@(.+)\.part(\..*)?")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end of the block.

    Where the block fails, or the process dies, `path` stays what it was. The name ends as that of
    `path` does, because some libraries add an ending of their own. If `durable`, it is whole even
    after the machine itself was stopped.

    Raises:
        OSError: there is no room, or no permission.
    """
    owner = current_process()
    mark = f"{owner.process}-{owner.started}@{owner.host}"
    part = path.with_name(f".{path.stem}.{mark}.part{path.suffix}")
    try:
        yield part
        if durable:
            with part.open("rb+") as written:
                os.fsync(written)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what dead processes of this machine left half written in a folder."""
    for path in folder.glob(".*.part*"):
        part = PART.fullmatch(path.name)
        if part and Owner(part[3], int(part[1]), float(part[2])).state() == "dead":
            with suppress(OSError):
                path.unlink()
