"""What the page does, without the page: uploads in, pictures on the way and files out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.app.choices import (
    ArtistChoice,
    Settings,
    command_of,
    named,
    request_of,
    with_epochs,
)
from benchmark.app.device import Device, Job
from benchmark.app.uploads import Limits, Session, Sessions, check_number
from benchmark.images.saving import save_like
from benchmark.runs.progress import Output
from benchmark.runs.workspace import Workspace
from benchmark.sweeps.painting import Request
from benchmark.sweeps.stages import Stage, begun, log_stage, painted_until
from benchmark.transfer import backend
from benchmark.user_input import InputError
from datasets import sample

POLL_SECONDS = 0.5

WARM_SIZE = (384, 288)  # pixels of a photograph whose shape cameras have


@dataclass(frozen=True)
class Finished:
    """The files of a picture, and what makes it."""

    png: str
    jpeg: str
    before: str  # the photograph at the picture's size
    command: str


@dataclass(frozen=True)
class Update:
    """What there is to see."""

    text: str
    stage: Stage | None = None
    finished: Finished | None = None


@dataclass
class Service:
    """Paints for everybody who has the page open, one picture at a time."""

    artists: Sequence[ArtistChoice]
    sessions: Sessions
    limits: Limits = field(default_factory=Limits)
    workspace: Workspace = field(default_factory=Workspace)
    defaults: Settings = field(default_factory=Settings)
    extra: tuple[str, ...] = ()  # options of the program that all pictures have
    log_options: tuple[str, ...] = ()  # where runs are logged

    def __post_init__(self) -> None:
        self.device = Device()

    def accept(self, key: str | None, upload: str) -> str:
        """Check a photograph as soon as it is there, and make ready for its shape.

        Raises:
            InputError: it is no picture, or too large.
        """
        photograph = self.sessions.of(key).keep(upload, "photograph", self.limits)
        self.device.do_aside(partial(self._warm, photograph, self.artists[0]))
        return f"{photograph.name} is ready. Choose an artist and press Paint."

    def paint(
        self,
        key: str | None,
        photograph: str | None,
        artists: Sequence[str],
        share: float,
        own: Sequence[str],
        settings: Settings,
    ) -> Iterator[Update]:
        """Paint a picture; yields it again and again, and at the end its files.

        Raises:
            InputError: something is missing or wrong.
        """
        self.sessions.close_forgotten()
        if not photograph:
            raise InputError("upload a photograph first")
        session = self.sessions.of(key)
        check_number(own, self.limits)
        photo = session.keep(photograph, "photograph", self.limits)
        paintings = [session.keep(file, "paintings", self.limits) for file in own]
        chosen = [named(self.artists, name) for name in artists if name]
        request = request_of(photo, chosen, share, paintings, settings)
        request = Request(request.photographs, request.style, [*request.overrides, *self.extra])

        def work(job: Job[Stage]) -> Stage:
            prepared = begun(request, self.workspace)
            session.until = prepared.stopping.epochs * len(prepared.sizes)
            return painted_until(request, prepared, session.until, job.show)

        session.stage = None
        yield Update("Reading the pictures …")
        yield from self._follow(session, work)

    def go_on(self, key: str | None, epochs: int) -> Iterator[Update]:
        """Paint the rest of a picture that was stopped, or so many epochs more.

        Raises:
            InputError: there is no picture to go on with.
        """
        session = self.sessions.of(key)
        stage = session.stage
        if stage is None:
            raise InputError("paint a picture first, then go on")
        if stage.epochs >= session.until:
            session.until = stage.epochs + epochs

        def work(job: Job[Stage]) -> Stage:
            return painted_until(
                stage.request, stage.prepared, session.until, job.show, stage.state
            )

        yield from self._follow(session, work)

    def stop(self, key: str | None) -> None:
        """Stop what a page is waiting for; what is there is kept."""
        job = self.sessions.of(key).job
        if job:
            job.stop()

    def log(self, key: str | None) -> str:
        """Log the picture that is there as a run in MLflow.

        Raises:
            InputError: there is none, or the store cannot be reached.
        """
        stage = self.sessions.of(key).stage
        if stage is None:
            raise InputError("paint a picture first, then log it")
        overrides = [*stage.request.overrides, *self.log_options]
        request = Request(stage.request.photographs, stage.request.style, overrides)
        shown = Stage(request, stage.prepared, stage.state)
        done: Job[None] = Job(self.limits.minutes * 60)
        self.device.do(done, lambda: log_stage(shown, self.workspace, Output()))
        done.result.result()
        return "Logged in MLflow: make ui shows it, in the experiment stylize."

    def warm(self, sizes: Sequence[int] = ()) -> None:
        """Load the network and, when there is nothing else to do, extract the painters' styles."""
        picture = self.sessions.folder / "warm.png"
        picture.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Image.fromarray(np.asarray(sample.photograph("coffee").resize(WARM_SIZE))).save(picture)
        for artist in reversed([a for a in self.artists if a.is_embedded]):
            self.device.do_aside(partial(self._warm, picture, artist))

    def close(self) -> None:
        """End the device's thread."""
        self.device.close()

    def _warm(self, photograph: Path, artist: ArtistChoice) -> None:
        """Do a step at each size, with what is kept for the next picture."""
        if not photograph.exists():  # Its page was closed.
            return
        request = request_of(photograph, [artist], 0.0, [], self.defaults)
        request = Request(
            request.photographs, request.style, [*request.overrides, *self.extra, "epochs=1"]
        )
        prepared = begun(request, self.workspace)
        painted_until(request, prepared, len(prepared.sizes) + 1, lambda stage: True)

    def _follow(self, session: Session, work: Callable[[Job[Stage]], Stage]) -> Iterator[Update]:
        """What a job shows, and at its end the files."""
        if session.job:
            session.job.stop()
        job = session.job = Job[Stage](self.limits.minutes * 60)
        self.device.do(job, partial(work, job))
        try:
            while not job.result.done():
                stage = job.newest(POLL_SECONDS)
                if stage:
                    yield Update(progress(stage, session.until), stage)
            stage = session.stage = job.result.result()
        finally:
            job.stop()
        text = f"Done: {stage.epochs} steps in {stage.state.seconds[0]:.0f} s."
        if stage.epochs < session.until:
            why = "The time that a picture may take is over" if job.is_late else "Stopped"
            text = f"{why} after {stage.epochs} of {session.until} steps. Go on does the rest."
        yield Update(text, stage, files_of(session, stage, self.limits.history))


def progress(stage: Stage, epochs: int) -> str:
    """Where a picture is, in a sentence."""
    text = f"Step {stage.epochs} of {epochs}, at {stage.size} pixels"
    left = stage.seconds_left(epochs)
    return f"{text}; about {left:.0f} s left" if isfinite(left) and stage.epochs else text


def files_of(session: Session, stage: Stage, history: int) -> Finished:
    """Write a picture into its session's folder."""
    photograph = Path(stage.request.photographs[0])
    artist, pixels = stage.prepared.examples[0][0], stage.pixels
    folder = session.folder / f"result-{len(session.results)}-{stage.epochs}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{photograph.stem} {artist}".replace("/", "-")[:120]
    files = [folder / f"{name}{ending}" for ending in (".png", ".jpg")]
    for file in files:
        save_like(pixels, photograph, file)
    before = folder / "before.jpg"
    content = stage.prepared.contents(max(pixels.shape[:2]))[0]
    Image.fromarray(content).save(before, quality=92)
    command = command_of(with_epochs(stage.request, stage.epochs), session.names)
    session.results.insert(0, (str(files[1]), f"{name}, {stage.epochs} steps"))
    del session.results[history:]
    return Finished(str(files[0]), str(files[1]), str(before), command)


def default_precision() -> str:
    """The faster one where the device has it: GPUs, and processors with instructions for it."""
    return "bfloat16" if backend.has_bfloat16() else "float32"
