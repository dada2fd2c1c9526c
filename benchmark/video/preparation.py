"""From a request to a job: the film looked through, its options and places checked."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Shape
from benchmark.images import flow
from benchmark.runs.fingerprint import fingerprint_of
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output
from benchmark.sweeps import application
from benchmark.sweeps.execution import checked, workspace_of
from benchmark.sweeps.painting import paintings_each, style_options
from benchmark.transfer import backend
from benchmark.user_input import InputError
from benchmark.video.painting import FramePainter
from benchmark.video.source import Film, Selection, open_film
from benchmark.video.work import check_folder_free, is_output, kept_sweep
from benchmark.video.writing import check_writable
from datasets import ImageSet, load_images

PACKAGES = ("av", "opencv-python-headless", "numpy", "pillow", "scipy")
"""Whose versions may change what is read of a film, its flow, or a frame's file."""


@dataclass(frozen=True)
class Request:
    """What is to be painted, and where it goes."""

    film: Path
    style: Sequence[str]  # as `stylize` takes it
    overrides: Sequence[str]  # `option=value`, over those of `conf/experiment/video.yaml`
    selection: Selection
    command: str  # the command line, for whoever looks at the run
    output: Path | None = None  # the film to write
    frames: Path | None = None  # a folder that keeps the frames as PNG
    codec: str = "h264"
    force: bool = False
    is_logged: bool = True


@dataclass(frozen=True)
class Job:
    """All that painting a film needs."""

    request: Request
    film: Film
    config: Config
    overrides: Sequence[str]
    painter: FramePainter
    fingerprint: str  # of all that shapes its frames

    @property
    def prepared(self) -> Prepared:
        """The run that paints each frame."""
        return self.painter.prepared

    @property
    def folder(self) -> Path:
        """That of its frames."""
        request = self.request
        return request.frames or work_folder(request.output or Path())

    @property
    def size(self) -> int:
        """Pixels of the longest side."""
        return self.prepared.sizes[-1]


def work_folder(output: Path) -> Path:
    """The folder beside a film in which its frames are until it is written."""
    return output.with_name(f"{output.name}.frames")


def job_of(request: Request, screen: Output) -> Job:
    """Check a request and load all that it needs; nothing is written.

    Raises:
        InputError: a file or an option is wrong, or a file is there and `force` is not given.
    """
    check_places(request)
    config, overrides = config_of(request)
    film = open_film(request.film, request.selection)
    if request.output:
        sides = film.sides(config.image_size)
        check_writable("--output", request.output, request.codec, sides)
    [prepared] = checked([config], workspace_of(application.current()), screen)
    if len(prepared.paintings) > 1 or prepared.together:
        names = ", ".join(one.name for one in prepared.together or prepared.paintings)
        raise InputError(f"a film is painted in one manner, not in those of {names}", "--style")
    first = load_images(ImageSet("film", (film.first(),)), config.image_size)
    prepared = replace(prepared, content=replace(first, digests=(film.digest,)))
    painter = FramePainter(prepared, film, config.consistency, config.video)
    job = Job(request, film, config, overrides, painter, fingerprint(config, prepared, film))
    option = "--frames" if request.frames else "--output"
    check_folder_free(option, job.folder, job.fingerprint, force=request.force)
    output = request.output
    is_known = kept_sweep(job.folder, job.fingerprint) is not None
    is_free = output and (not output.exists() or (is_known and is_output(job.folder, output)))
    if output and not request.force and not is_free:
        reason = "is there already: name another, or add --force"
        raise InputError(reason, "--output", str(output))
    return job


def check_places(request: Request) -> None:
    """Raise InputError where a film or its frames cannot be written, or would replace the film."""
    for option, place in (("--output", request.output), ("--frames", request.frames)):
        if place is None:
            continue
        if place.exists() and request.film.exists() and place.samefile(request.film):
            raise InputError("is the film that is read: name another", option, str(place))
        folder = place.absolute().parent
        if not folder.is_dir():
            raise InputError("no such folder: make it first", option, str(folder))
        if not os.access(folder, os.W_OK):
            raise InputError("no permission to write into this folder", option, str(folder))
    output = request.output
    if output and output.is_dir():
        raise InputError("is a folder: name a file, such as out.mp4", "--output", str(output))


def config_of(request: Request) -> tuple[Config, list[str]]:
    """The configuration of a request, and the options that it comes from.

    Raises:
        InputError: an option is wrong, or none of a film.
    """
    for override in request.overrides:
        option, _, value = override.lstrip("+~").partition("=")
        if option.partition(".")[0] == "content":
            raise ConfigError("what is painted are the film's frames", option, value)
    options = [
        "experiment=video",
        f"tracking.sweep=video-{datetime.now():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(2)}",
        *style_options([request.style]),
        # In the place of the film's first frame, which needs no file of its own.
        *("content=sample", "content.count=1", "batch=1"),
    ]
    first = composed([*options, *request.overrides])
    if first.shape is not Shape.native:
        raise ConfigError("frames keep their aspect ratio", "shape", first.shape.value)
    options.append(f"dataset.paintings={paintings_each(first, [request.style])}")
    options += request.overrides
    return composed(options), options


def fingerprint(config: Config, prepared: Prepared, film: Film) -> str:
    """A hash of all that shapes a film's frames: options, data, sources, software, device."""
    own = (Path(__file__).with_name(f"{name}.py") for name in ("painting", "source", "work"))
    sources = [Path(flow.__file__), *own]
    parts = (
        fingerprint_of(replace(config, content={})),
        prepared.style_digest,
        prepared.backbone.digest,
        film.digest,
        film.selection,
        film.sides(config.image_size),
        [hashlib.sha256(file.read_bytes()).hexdigest() for file in sources],
        [version(package) for package in PACKAGES],
        backend.numerics(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
