"""What the page does, without the page: uploads in, pictures on the way and files out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import isfinite
from pathlib import Path

from PIL import Image

from benchmark.app.choices import (
    ArtistChoice,
    Choices,
    Settings,
    command_of,
    named,
    request_of,
    with_options,
)
from benchmark.app.device import Device, Job, PostponedError
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
        self.workspace = self.workspace.watched(self._on_extracted)

    def accept(self, key: str | None, choices: Choices) -> str:
        """Check a photograph as soon as it is there, and make ready for its shape.

        Raises:
            InputError: it is no picture, or too large.
        """
        name = self._photograph(self.sessions.of(key), choices).name
        self.make_ready(key, choices)
        return f"{name} is ready. Choose an artist and press Paint."

    def make_ready(self, key: str | None, choices: Choices) -> None:
        """Do ahead, when there is nothing else to do, what the first step of a picture waits for.

        Of a page only its last choices. What is wrong with them is said when they are painted.
        """
        session = self.sessions.of(key)
        with suppress(InputError):
            request = session.wanted = self._request(session, choices)

            def work() -> None:
                if session.wanted == request:
                    self._warm(request)

            self.device.do_aside(work)

    def paint(self, key: str | None, choices: Choices) -> Iterator[Update]:
        """Paint a picture; yields it again and again, and at the end its files.

        Raises:
            InputError: something is missing or wrong.
        """
        self.sessions.close_forgotten()
        if not choices.photograph:
            raise InputError("upload a photograph first")
        session = self.sessions.of(key)
        request = self._request(session, choices)

        def work(job: Job[Stage]) -> Stage:
            job.doing = "Reading the pictures …"
            prepared = begun(request, self.workspace)
            session.until = prepared.stopping.epochs * len(prepared.sizes)
            return painted_until(request, prepared, session.until, job.show)

        session.stage = None
        yield from self._follow(session, work)

    def _request(self, session: Session, choices: Choices) -> Request:
        """What is painted of some choices; InputError if something is missing or wrong."""
        check_number(choices.own, self.limits)
        photograph = self._photograph(session, choices)
        own = [session.keep(file, "paintings", self.limits) for file in choices.own]
        first, second = (
            named(self.artists, name) if name else None for name in (choices.first, choices.second)
        )
        request = request_of(photograph, first, second, choices.share, own, choices.settings)
        return with_options(request, self.extra)

    def _photograph(self, session: Session, choices: Choices) -> Path:
        """The photograph of a page, or one of that shape while there is none."""
        if choices.photograph:
            return session.keep(choices.photograph, "photograph", self.limits)
        return self._stand_in

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
        request = with_options(stage.request, self.log_options)
        shown = Stage(request, stage.prepared, stage.state)
        done: Job[None] = Job(self.limits.minutes * 60)
        self.device.do(done, lambda: log_stage(shown, self.workspace, Output()))
        while not done.result.done():
            done.newest(POLL_SECONDS)
        done.result.result()
        return "Logged in MLflow: make ui shows it, in the experiment stylize."

    def warm(self) -> None:
        """Load the network and, when there is nothing else to do, extract the painters' styles."""
        for artist in reversed([a for a in self.artists if a.is_built_in]):
            request = request_of(self._stand_in, artist, None, 0.0, [], self.defaults)
            self.device.do_aside(partial(self._warm, with_options(request, self.extra)))

    def close(self) -> None:
        """End the device's thread."""
        self.device.close()

    @cached_property
    def _stand_in(self) -> Path:
        """A photograph in place of one that is not there yet."""
        file = self.sessions.folder / "warm.png"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sample.photograph("coffee").resize(WARM_SIZE).save(file)
        return file

    def _warm(self, request: Request) -> None:
        """Do a step at each size, with what is kept for the next picture."""
        prepared = begun(with_options(request, ["epochs=1"]), self.workspace)
        painted_until(request, prepared, len(prepared.sizes) + 1, self._goes_on_aside)

    def _goes_on_aside(self, stage: Stage) -> bool:
        """Whether to go on with what is done aside."""
        if self.device.is_wanted:
            raise PostponedError
        return True

    def _on_extracted(self, done: int, pictures: int) -> None:
        """Say how far the paintings are, and whether to go on, between two parts of them."""
        job = self.device.job
        if job is None:
            if self.device.is_wanted:
                raise PostponedError
            return
        job.doing = f"Looking at the paintings: {done} of {pictures}; kept for the next picture …"
        if job.is_left or (job.is_stopped and not job.has_shown):
            raise InputError("stopped before anything was painted")

    def _follow(self, session: Session, work: Callable[[Job[Stage]], Stage]) -> Iterator[Update]:
        """What a job shows, and at its end the files."""
        if session.job:
            session.job.leave()
        job = session.job = Job[Stage](self.limits.minutes * 60)
        self.device.do(job, partial(work, job))
        stage, said = None, ""
        try:
            while not job.result.done():
                newest = job.newest(POLL_SECONDS)
                if newest:
                    stage, said = newest, job.doing
                    yield Update(progress(stage, session.until), stage)
                elif job.doing != said:
                    said = job.doing
                    yield Update(said, stage)
            stage = session.stage = job.result.result()
        finally:
            job.leave()
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
    command = command_of(stage.exact_request, session.names)
    session.results.insert(0, (str(files[1]), f"{name}, {stage.epochs} steps"))
    del session.results[history:]
    return Finished(str(files[0]), str(files[1]), str(before), command)


def default_precision() -> str:
    """The faster one where the device has it: GPUs, and processors with instructions for it."""
    return "bfloat16" if backend.has_bfloat16() else "float32"
