"""A film painted from its first frame to its last, measured, logged and written."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from time import perf_counter

import numpy as np

from benchmark.analysis.pages import with_noun
from benchmark.config.schema import Consistency, Estimate
from benchmark.runs.progress import Output
from benchmark.runtime.interrupts import EXIT_CODE
from benchmark.sweeps import application
from benchmark.sweeps.cost import duration, step_cost
from benchmark.sweeps.execution import reason_of
from benchmark.user_input import InputError
from benchmark.video.log import FilmLog, logged
from benchmark.video.measures import FrameMeasures, film_measures, frame_measures
from benchmark.video.painting import Frame
from benchmark.video.preparation import Job, Request, job_of
from benchmark.video.progress import frame_progress
from benchmark.video.work import FrameFacts, Work, kept_sweep, opened_work
from benchmark.video.writing import Sound, write_film

FLOW_SECONDS = 0.05
"""About what reading a frame, its flow and its measures take."""


def paint(request: Request) -> int:
    """Paint the film that is requested; returns the exit code.

    Raises:
        InputError: a file or an option is wrong, or a file is there and `force` is not given.
    """
    screen, process = Output(), application.begin()
    process.interrupts.install()
    job = job_of(request, screen)
    sweep = kept_sweep(job.folder, job.fingerprint)
    if job.film.damage:
        line = f"the film is damaged ({job.film.damage}): its first {job.film.frames} frames are"
        screen.print(f"{line} painted", style="yellow", soft_wrap=True)
    if job.config.estimate is not Estimate.skip:
        print_estimate(job, screen, Work(job.folder, "").count(job.film.frames) if sweep else 0)
    if job.config.estimate is Estimate.only:
        return 0
    tracking = replace(job.config.tracking, sweep=sweep or job.config.tracking.sweep)
    job = replace(job, config=replace(job.config, tracking=tracking))
    with opened_work(job.folder, job.fingerprint, tracking.sweep or "", request.output) as work:
        try:
            diverged = _painted(job, work, screen, is_resumed=sweep is not None)
        except InputError:
            raise
        except KeyboardInterrupt:
            screen.print("interrupted: the same command goes on from here", style="red")
            return EXIT_CODE
        except Exception as error:
            kept = f"{work.count(job.film.frames)} of {job.film.frames} frames are in {work.folder}"
            line = f"failed: {reason_of(error)}; {kept}, from which the same command goes on"
            screen.print(line, style="red", soft_wrap=True)
            return 1
        if request.frames is None:
            work.remove()
    if diverged:
        numbers = ", ".join(map(str, diverged))
        screen.print(f"diverged: frames {numbers}", style="red", soft_wrap=True)
    return 1 if diverged else 0


def _painted(job: Job, work: Work, screen: Output, *, is_resumed: bool) -> list[int]:
    """Paint, measure, log and write; the numbers, from 1, of frames that diverged."""
    interrupts = application.current().interrupts

    def write_what_is_there() -> None:
        with interrupts.ending:
            interrupts.is_shutting_down = True
            write(job, work, screen)

    with ExitStack() as stack:
        log = None
        if job.request.is_logged:
            log = stack.enter_context(logged(job, screen, work.sweep, is_resumed=is_resumed))
        stack.enter_context(interrupts.on_forced_exit(write_what_is_there))
        try:
            paint_frames(job, work, screen, log)
            interrupts.check()
        except KeyboardInterrupt:
            # What is there may be good enough: that is why people interrupt.
            write_what_is_there()
            raise
        write(job, work, screen)  # Measuring takes minutes; who interrupts it has the film.
        facts = [found[1] for n in range(job.film.frames) if (found := work.read(n))]
        with screen.status("  measuring …") if screen.is_terminal else nullcontext():
            measures = list(frame_measures(frames_of(job, work), job.config.video.cut_share))
        print_measures(job, facts, measures, work.seconds(), screen)
        if log:
            log.results(facts, measures, work, frames_of(job, work))
    return [number + 1 for number, one in enumerate(facts) if one.diverged]


def paint_frames(job: Job, work: Work, screen: Output, log: FilmLog | None) -> None:
    """Paint the frames that are not there yet."""
    film = job.film
    before: Frame | None = None
    done = work.count(film.frames)
    if done:
        screen.print(f"going on after {done} of {film.frames} frames", soft_wrap=True)
    with frame_progress(film.name, film.frames, done, screen) as show:
        for number, frame in enumerate(film.pictures(job.size)):
            kept = work.read(number)
            if kept is None:
                began = perf_counter()
                painted = job.painter.paint(frame, before)
                result = painted.result
                total, style, content = map(float, result.losses[:, 0])
                lost = result.status == "diverged" and painted.begins
                losses, seconds = (total, style, content), perf_counter() - began
                facts = FrameFacts(painted.begins, result.epochs, losses, lost)
                work.write(number, painted.picture, facts)
                work.note_seconds(number, seconds)
                kept = painted.picture, facts
                if log:
                    log.frame(number, facts, seconds)
            before = Frame(frame, kept[0])
            show(number + 1, kept[1].losses[0])
            application.current().interrupts.check()


def frames_of(job: Job, work: Work) -> Iterator[Frame]:
    """The frames of a film beside what was painted."""
    for number, source in enumerate(job.film.pictures(job.size)):
        yield Frame(source, work.picture(number))


def write(job: Job, work: Work, screen: Output) -> None:
    """Write the film as far as its frames are there, and say so."""
    film, output = job.film, job.request.output
    count = work.count(film.frames)
    if job.request.frames:
        screen.print(f"{count} frames in {job.request.frames}", soft_wrap=True)
    if output is None or not count:
        return
    shown = [(time, number) for time, number in film.shown if number < count]
    length = next((time for time, number in film.shown if number >= count), film.duration)
    sound = None if film.path.is_dir() else Sound(film.path, film.selection.begin)
    note = write_film(output, work.picture, shown, length, job.request.codec, sound)
    part = "" if count == film.frames else f", {count} of {film.frames} frames"
    screen.print(f"wrote {output}{part}{f'; {note}' if note else ''}", soft_wrap=True)


def print_estimate(job: Job, screen: Output, done: int) -> None:
    """Measure a few steps, and print how long the frames that are left will take, and their disk.

    A cut costs as much more as a first frame does; where these are is not known before.
    """
    film, left = job.film, job.film.frames - done
    first = next(film.pictures(job.size))
    screen.print("Measuring a few steps …")
    cost = step_cost(job.prepared.transfer, job.painter.first_batch(first))
    begun = job.prepared.epochs * float(np.mean(np.square(np.divide(job.prepared.sizes, job.size))))
    after = job.config.video.epochs_after or job.prepared.stopping.epochs
    begins = left if job.config.consistency is Consistency.none else int(done == 0)
    steps = (begins * begun + (left - begins) * after) * job.prepared.stopping.steps_per_epoch
    seconds = steps * cost.step_seconds + left * FLOW_SECONDS
    height, width = film.sides(job.size)
    disk = film.frames * height * width * 3
    screen.print(
        f"Estimated: {with_noun(left, 'frame')} of {width} × {height}, {film.frames} in all; "
        f"about {duration(seconds)} on this machine, {seconds / max(left, 1):.3g} s a frame; at "
        f"most {disk / 1e6:.3g} MB of disk while it is painted",
        soft_wrap=True,
    )
    free = shutil.disk_usage(job.folder.absolute().parent).free
    if disk > free:
        line = f"Only {free / 1e6:.3g} MB are free there: it may not be enough"
        screen.print(line, style="yellow", soft_wrap=True)


def print_measures(
    job: Job,
    facts: Sequence[FrameFacts],
    measures: Sequence[FrameMeasures],
    seconds: Sequence[float],
    screen: Output,
) -> None:
    """Print what a film's numbers are."""
    found = film_measures(measures)
    parts = [f"{job.film.frames} frames, {sum(one.begins for one in facts)} begun anew"]
    if "warping_error_ratio" in found:
        ratio = found["warping_error_ratio"]
        parts.append(
            f"warping error {found['warping_error']:.3g}, {ratio:.3g} times the film's own"
        )
    parts.append(f"SSIM to the film {found['ssim']:.3g}")
    if seconds:
        parts.append(f"{np.mean(seconds):.3g} s a frame")
    screen.print("; ".join(parts), soft_wrap=True)
