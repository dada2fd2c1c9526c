"""Films read frame by frame: files of any codec, or folders of pictures."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from benchmark.user_input import InputError
from datasets import DatasetError, LazyImage, folder
from datasets.images import SMALLEST_SIDE
from datasets.reading import printable

OPTION = "FILM"

FOLDER_RATE = Fraction(25)
"""Pictures a second of a folder of them, where `--fps` does not say."""

MOST_FPS = 240


@dataclass(frozen=True)
class Selection:
    """Which part of a film is wanted, in seconds from its first frame, and at how many frames."""

    begin: Fraction = Fraction(0)
    end: Fraction | None = None  # None: all that follows
    fps: Fraction | None = None  # None: when the frames of the film itself are shown


@dataclass(frozen=True)
class Film:
    """The frames of a film that are to be painted, and when each is shown."""

    path: Path
    selection: Selection
    size: tuple[int, int]  # (height, width), upright and with square pixels
    frames: int  # how many different frames there are
    shown: Sequence[tuple[Fraction, int]]  # when, in seconds from 0, which of these is shown
    duration: Fraction  # in seconds
    digest: str  # SHA-256 of the files
    damage: str  # why it ends before its file does; empty: it does not
    read: Callable[[], Iterator[Image.Image]]  # these frames, upright RGB

    @property
    def name(self) -> str:
        """Of the film, without its ending."""
        return printable(self.path.resolve().stem)

    def sides(self, longest: int) -> tuple[int, int]:
        """(height, width) with the longest side at so many pixels, both even, as encoders need."""
        scale = longest / max(self.size)
        height, width = (max(round(side * scale / 2) * 2, SMALLEST_SIDE) for side in self.size)
        return height, width

    def pictures(self, longest: int) -> Iterator[np.ndarray]:
        """The frames in order, uint8 (H, W, 3), with Lanczos at the `sides` of a size."""
        height, width = self.sides(longest)
        with closing(self.read()) as frames:  # type: ignore[type-var]
            for frame in frames:
                yield np.asarray(frame.resize((width, height), Image.Resampling.LANCZOS))

    def first(self) -> LazyImage:
        """Its first frame."""
        return LazyImage(self.name, printable(str(self.path)), lambda: next(self.read()))


def open_film(path: Path, selection: Selection) -> Film:
    """Look through a film, a file or a folder of pictures; none of it is kept.

    Raises:
        InputError: it cannot be read, has no frames, or none in the part that is wanted.
    """
    if not path.exists():
        raise InputError("no such file or folder", OPTION, str(path))
    if path.is_dir():
        return _of_folder(path, selection)
    times: list[Fraction] = []
    size, damage, rate, aspect = (0, 0), "", FOLDER_RATE, Fraction(1)
    try:
        with av.open(str(path)) as container:
            stream = video_stream(container)
            rate = stream.guessed_rate or FOLDER_RATE
            aspect = stream.sample_aspect_ratio or Fraction(1)
        for time, frame in _decoded(path, selection.begin):
            if selection.end is not None and time >= selection.end:
                break
            size = size if any(size) else _upright_size(frame, aspect)
            times.append(time)
    except (av.FFmpegError, OSError) as error:
        damage = error.strerror or str(error)
        if not times:
            reason = f"cannot be read as a film ({damage}): damaged, encrypted, or none"
            raise InputError(reason, OPTION, str(path)) from error
    if not times:
        in_part = "no frame in the part that --from and --to name"
        whole = selection.begin == 0 and selection.end is None
        raise InputError("has no frames" if whole else in_part, OPTION, str(path))
    if len(times) == 1 and path.suffix.lower() in Image.registered_extensions():
        reason = "is a picture, not a film: python -m benchmark.stylize paints it"
        raise InputError(reason, OPTION, str(path))
    duration = times[-1] - times[0] + 1 / rate
    numbers, shown = _schedule([time - times[0] for time in times], duration, selection.fps)
    wanted = [times[number] for number in numbers]

    def read() -> Iterator[Image.Image]:
        left = iter(wanted)
        time = next(left)
        for now, frame in _decoded(path, selection.begin):
            if now == time:
                yield _upright(frame)
                if (following := next(left, None)) is None:
                    return
                time = following

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**22):
            digest.update(part)
    found = len(wanted), shown, duration, digest.hexdigest(), damage
    return Film(path, selection, size, *found, read)


def video_stream(container: InputContainer) -> VideoStream:
    """The first stream of moving pictures, which the cover of an album is not.

    Raises:
        InputError: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise InputError(f"has no video stream, only {kinds}", OPTION, container.name)


def first_time(stream: VideoStream) -> Fraction:
    """When a film's first frame is shown, in seconds on the clock of its file."""
    return (stream.start_time or 0) * Fraction(stream.time_base or 0)


def _decoded(path: Path, begin: Fraction) -> Iterator[tuple[Fraction, VideoFrame]]:
    """The frames of a file from a time on, each later than the one before, with their times."""
    with av.open(str(path)) as container:
        stream = video_stream(container)
        stream.thread_type = "AUTO"
        base, rate = Fraction(stream.time_base or 1), stream.guessed_rate or FOLDER_RATE
        origin, last = first_time(stream), Fraction(-1)
        if begin > 0:  # To the last key frame before it.
            container.seek(int((begin + origin) / base), stream=stream)
        for frame in container.decode(stream):
            # Raw streams have no clock.
            time = last + 1 / rate if frame.pts is None else frame.pts * base - origin
            if frame.pts is None and last < 0:
                time = Fraction(0)
            if time > last:
                last = time
                if time >= begin:
                    yield time, frame


def _schedule(
    times: Sequence[Fraction], duration: Fraction, fps: Fraction | None
) -> tuple[list[int], list[tuple[Fraction, int]]]:
    """Which of the frames shown at some times, from 0, are needed, and when each is shown.

    With `fps` that is at even times, each time the last frame by then; the numbers with which
    these are shown count the needed ones.
    """
    if fps is None:
        return list(range(len(times))), [(time, number) for number, time in enumerate(times)]
    needed: list[int] = []
    shown: list[tuple[Fraction, int]] = []
    number = 0
    for tick in range(max(round(duration * fps), 1)):
        while number + 1 < len(times) and times[number + 1] <= tick / fps:
            number += 1
        if not needed or needed[-1] != number:
            needed.append(number)
        shown.append((tick / fps, len(needed) - 1))
    return needed, shown


def _upright_size(frame: VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """(height, width) of a frame whose pixels are so many times as wide as they are high."""
    height, width = frame.height, round(frame.width * aspect)
    return (width, height) if frame.rotation % 180 else (height, width)


def _upright(frame: VideoFrame) -> Image.Image:
    """A frame as RGB, turned as its file says; transparency is put on white, as in pictures."""
    if any(part.is_alpha for part in frame.format.components):
        layer = Image.fromarray(frame.to_ndarray(format="rgba"), "RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    else:
        image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    turns = round(frame.rotation / 90) % 4
    return Image.fromarray(np.rot90(np.asarray(image), turns)) if turns else image


def _of_folder(path: Path, selection: Selection) -> Film:
    """A folder's pictures, in natural order of their names, as a film."""
    images = folder.images_at(OPTION, [str(path)])
    rate = selection.fps or FOLDER_RATE
    last = len(images) if selection.end is None else int(selection.end * rate)
    wanted = images[int(selection.begin * rate) : last]
    if not wanted:
        raise InputError("no frame in the part that --from and --to name", OPTION, str(path))
    digest, size = hashlib.sha256(), (0, 0)
    for image in wanted:
        try:
            picture = image.read()
        except Exception as error:  # Pillow's readers raise whatever they meet.
            reason = f"cannot be read ({type(error).__name__}: {error}): repair or remove it"
            raise DatasetError(reason, OPTION, image.source) from error
        if any(size) and picture.size != size[::-1]:
            reason = f"is {picture.width} × {picture.height}, those before it {size[1]} × {size[0]}"
            raise InputError(f"{reason}: frames must have one size", OPTION, image.source)
        size = picture.height, picture.width
        digest.update(picture.tobytes())
    shown = [(number / rate, number) for number in range(len(wanted))]
    found = len(wanted), shown, len(wanted) / rate, digest.hexdigest(), ""
    return Film(path, selection, size, *found, lambda: (image.read() for image in wanted))
