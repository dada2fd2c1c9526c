"""The folder in which a film's painted frames are kept until it is written, each whole or not."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.runtime.files import remove_parts, replacing
from benchmark.user_input import InputError

REQUEST, SECONDS, LOCK, FACTS = "film.json", "seconds.txt", ".lock", "film"

FRAME = re.compile(r"\d{6,}\.png")


class FrameFacts(NamedTuple):
    """How a frame was painted."""

    begins: bool  # whether it has nothing of the frame before
    epochs: int
    losses: tuple[float, float, float]  # as in `LOSS_NAMES`
    diverged: bool = False


@dataclass(frozen=True)
class Work:
    """The frames of one request, in a folder."""

    folder: Path
    sweep: str  # under which it is logged

    def file(self, number: int) -> Path:
        """That of a frame, counted from 0; their names count from 1."""
        return self.folder / f"{number + 1:06}.png"

    def write(self, number: int, picture: np.ndarray, facts: FrameFacts) -> None:
        """Write a frame, uint8 (H, W, 3), whole or not at all.

        Raises:
            OSError: there is no room, or no permission.
        """
        info = PngInfo()
        info.add_text(FACTS, json.dumps(facts))
        with replacing(self.file(number)) as part:
            Image.fromarray(picture).save(part, pnginfo=info)

    def read(self, number: int) -> tuple[np.ndarray, FrameFacts] | None:
        """A frame that is there, and how it was painted; None if it is not."""
        try:
            with Image.open(self.file(number)) as image:
                begins, epochs, losses, diverged = json.loads(image.info[FACTS])
                facts = FrameFacts(begins, epochs, tuple(losses), diverged)
                return np.asarray(image.convert("RGB")), facts
        except (OSError, KeyError, ValueError):  # damaged, or somebody's own
            return None

    def note_seconds(self, number: int, seconds: float) -> None:
        """Note how long a frame took: not in its file, which is the same however often it is made.

        Raises:
            OSError: there is no room, or no permission.
        """
        with (self.folder / SECONDS).open("a", encoding="utf-8") as file:
            file.write(f"{number} {seconds:.3f}\n")

    def seconds(self) -> list[float]:
        """How long the frames took, in whichever process; without those of which it is unknown."""
        try:
            lines = (self.folder / SECONDS).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        noted = (re.fullmatch(r"(\d+) (\d+\.\d{3})", line) for line in lines)
        return [*{found[1]: float(found[2]) for found in noted if found}.values()]

    def picture(self, number: int) -> np.ndarray:
        """A frame that is known to be there."""
        found = self.read(number)
        if found is None:
            raise FileNotFoundError(f"{self.file(number)} is gone")
        return found[0]

    def count(self, frames: int) -> int:
        """How many of the first frames are there, without a gap."""
        return next((n for n in range(frames) if not self.file(n).exists()), frames)

    def remove(self) -> None:
        """Remove its files, and the folder if nothing else is in it."""
        others = [self.folder / name for name in (SECONDS, REQUEST, LOCK)]
        for path in [*_frames(self.folder), *others]:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def kept_sweep(folder: Path, fingerprint: str) -> str | None:
    """The name under which the same request is logged, if frames of it are in a folder."""
    kept = _request(folder)
    return str(kept.get("sweep")) if kept.get("fingerprint") == fingerprint else None


def check_folder_free(option: str, folder: Path, fingerprint: str, *, force: bool) -> None:
    """Raise InputError if a folder has other things than frames of this request.

    With `force` those of another one may go.
    """
    if kept_sweep(folder, fingerprint) is not None or not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("is a file, not a folder: name another", option, str(folder))
    if (folder / REQUEST).exists():
        if not force:
            reason = "has frames of another film, style, option or version of the program: name "
            reason += "another output, or add --force to remove them"
            raise InputError(reason, option, str(folder))
    elif any(path.name != LOCK for path in folder.iterdir()):
        raise InputError("has other files in it: name another folder", option, str(folder))


def is_output(folder: Path, output: Path) -> bool:
    """Whether the frames in a folder were painted for such a film."""
    return _request(folder).get("output") == str(output.absolute())


@contextmanager
def opened_work(
    folder: Path, fingerprint: str, sweep: str, output: Path | None = None
) -> Iterator[Work]:
    """The frames of a request in a folder, which is made; those of another request are removed.

    Raises:
        InputError: another process paints there, or it cannot be written to.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(exist_ok=True)
            stack.enter_context(FileLock(folder / LOCK, timeout=0))
            stack.callback((folder / LOCK).unlink, missing_ok=True)
            remove_parts(folder)
            known = kept_sweep(folder, fingerprint)
            if known is None:
                for path in [*_frames(folder), folder / SECONDS]:
                    path.unlink(missing_ok=True)
            place = str(output.absolute()) if output else None
            about = {"fingerprint": fingerprint, "sweep": known or sweep, "output": place}
            with replacing(folder / REQUEST) as part:
                part.write_text(json.dumps(about), encoding="utf-8")
        except Timeout as error:
            reason = "another process paints this film there: wait for it, or name another output"
            raise InputError(reason, "--output", str(folder)) from error
        except OSError as error:
            reason = f"cannot be written to: {error.strerror or error}"
            raise InputError(reason, "--output", str(folder)) from error
        yield Work(folder, known or sweep)


def _request(folder: Path) -> Mapping[str, object]:
    """What is kept of the request that a folder's frames are of; empty where that is unreadable."""
    try:
        kept = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _frames(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if FRAME.fullmatch(path.name)]
