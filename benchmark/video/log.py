"""A film as a run in MLflow: numbers of each frame, a strip of frames, and a clip side by side."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmark.config.schema import flat, nested
from benchmark.images import sheets
from benchmark.runs.log import FILMS, log_inputs, logged_options, run_title
from benchmark.runs.progress import Output
from benchmark.sweeps import application
from benchmark.sweeps.execution import RunContext, facts_of, tracker_of
from benchmark.sweeps.plan import pairs_of
from benchmark.sweeps.sweep import mark_lost_runs
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Artifact, Results, result_file
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.step import LOSS_NAMES
from benchmark.video.measures import FrameMeasures, film_measures
from benchmark.video.painting import Frame
from benchmark.video.preparation import Job
from benchmark.video.work import FrameFacts, Work
from benchmark.video.writing import write_film

STRIP = 8
"""Frames of a strip."""

CLIP_FRAMES = 250
"""The most of the clip that plays in the browser, which MLflow's store keeps whole."""


@dataclass(frozen=True)
class FilmLog:
    """Writes a film's run."""

    job: Job
    log: RunLog
    title: str

    def frame(self, number: int, facts: FrameFacts, seconds: float) -> None:
        """Log how a frame was painted."""
        losses = dict(zip(LOSS_NAMES, facts.losses, strict=True))
        metrics = {**losses, "epochs": float(facts.epochs), "seconds_per_frame": seconds}
        self.log.metrics(metrics, number)

    def results(
        self,
        facts: Sequence[FrameFacts],
        measures: Sequence[FrameMeasures],
        work: Work,
        frames: Iterable[Frame],
    ) -> None:
        """Log the measures, the strip, the clip and the final numbers, and end the run."""
        rows = []
        for number, (fact, measured) in enumerate(zip(facts, measures, strict=True)):
            self.log.metrics(measured._asdict(), number)
            losses = dict(zip(LOSS_NAMES, fact.losses, strict=True))
            row = {"frame": number + 1, "begins": fact.begins, "epochs": fact.epochs}
            rows.append({**row, **losses, **measured._asdict()})
        self.log.table("frames.json", pd.DataFrame(rows))
        means = film_measures(measures)
        if seconds := work.seconds():
            means["seconds_per_frame"] = float(np.mean(seconds))
        self.log.metrics({f"film/{name}": value for name, value in means.items()})
        total, style, content = np.mean([fact.losses for fact in facts], axis=0)
        numbers = Results(
            final_total_loss=total,
            final_style_loss=style,
            final_content_loss=content,
            examples=1,
            epochs_done=sum(fact.epochs for fact in facts),
            seconds=sum(seconds),
        )
        self.log.metrics(numbers.model_dump(exclude_none=True), len(facts))
        self._pictures(len(facts), work, frames)
        lost = sum(fact.diverged for fact in facts)
        reason = f"{lost} frames diverged" if lost else f"all {len(facts)} frames were painted"
        if lost:
            self.log.end("diverged", "diverged", reason)
        else:
            self.log.end("finished", "complete", reason)

    def _pictures(self, count: int, work: Work, frames: Iterable[Frame]) -> None:
        """Log the strip, and a clip of film and result side by side."""
        chosen = sorted({round(n) for n in np.linspace(0, count - 1, min(STRIP, count))})
        columns: list[Frame] = []
        with TemporaryDirectory() as folder:
            beside = Work(Path(folder), "")
            for number, frame in enumerate(frames):
                if number in chosen:
                    columns.append(frame)
                if number < CLIP_FRAMES:
                    both = np.concatenate(frame, axis=1)
                    beside.write(number, both, FrameFacts(False, 0, (0.0, 0.0, 0.0)))
            clip = Path(folder, "side_by_side.mp4")
            last = min(count, CLIP_FRAMES)
            shown = [one for one in self.job.film.shown if one[1] < last]
            whole = self.job.film.duration
            length = next((t for t, n in self.job.film.shown if n >= last), whole)
            write_film(clip, beside.picture, shown, length)
            self.log.file(clip.name, clip.read_bytes())
        names = [f"frame {number + 1}" for number in chosen]
        rows = [[one.source for one in columns], [one.painted for one in columns]]
        self.log.picture("strip.png", sheets.grid(rows, ["film", "painted"], names, self.title))
        [(artist, content)] = self.job.prepared.examples
        self.log.picture(result_file(artist, content), columns[len(columns) // 2].painted)


@contextmanager
def logged(job: Job, screen: Output, sweep: str, *, is_resumed: bool) -> Iterator[FilmLog]:
    """Open a film's run in MLflow, or resume it; errors are recorded, and raised."""
    config = job.config
    Tracker.check_reachable(config.tracking.uri)
    tracker = tracker_of(config, application.current())
    mark_lost_runs(tracker, screen)
    earlier = tracker.run_of(sweep, 0) if is_resumed else None
    title = f"{job.film.name} · {config.consistency} · {run_title(config)}"
    facts = facts_of(config, RunContext(title, pairs_of(job.overrides)), "")
    facts = facts.model_copy(update={"command": job.request.command})
    with tracker.run(title, facts, earlier, lambda: None) as log:
        options = logged_options(config)
        film = {k: v for k, v in flat(config).items() if k.startswith(FILMS)}
        selection = job.film.selection
        about = {"film": job.film.path, **vars(selection)}
        log.params({**options, **film, **about, "content.name": "film"})
        log.json(Artifact.CONFIG, nested(config))
        log_inputs(log, job.prepared)
        yield FilmLog(job, log, title)
    screen.print(f"logged in MLflow, {tracker.uri}", soft_wrap=True)
