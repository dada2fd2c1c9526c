"""What a run prints: notices, and its progress, a bar in a terminal, else now and then a line."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmark.transfer.loop import Epoch

if TYPE_CHECKING:  # It imports this module.
    from benchmark.runs.prepare import Prepared


class Output(Console):
    """Standard output; wide enough for the tables where it is not a terminal."""

    def __init__(self, *, shared: bool = False) -> None:
        """With `shared`, other processes write into it too, and bars would overwrite each other."""
        self.shared = shared
        # No markup: option lists such as [a,b] would be taken for it.
        super().__init__(highlight=False, markup=False)
        if shared or not self.is_terminal:
            super().__init__(force_terminal=False, highlight=False, markup=False, width=160)

    def print_of_run(self, title: str, line: str, style: str | None = None) -> None:
        """Print a line about a run, with its title where lines of several processes mix."""
        prefix = f"  {title}: " if self.shared else "  "
        self.print(prefix + line, style=style, soft_wrap=True)


def announce_weights(output: Console, reasons: Mapping[str, str]) -> None:
    """Print one conspicuous line if backbones have random instead of ImageNet weights."""
    if reasons:
        # A reason ends in a remedy, which may be another for each.
        listed = "; ".join(f"{backbone}: {reason}" for backbone, reason in reasons.items())
        output.print(
            f"WARNING: {', '.join(reasons)} with RANDOM weights: the results are not those of "
            f"trained networks. {listed}.",
            style="bold red",
            soft_wrap=True,
        )


def announce_evaluators(output: Console, reasons: Mapping[str, str]) -> None:
    """Print one line if evaluators lack their weights."""
    if reasons:
        output.print(
            f"No weights for the evaluators {', '.join(reasons)}: metrics that need them (style, "
            "recognition, …) are skipped; `python -m benchmark.evaluate` can add them later. "
            f"{next(iter(reasons.values()))}",
            style="yellow",
            soft_wrap=True,
        )


def progress_bar(unit: str, output: Output) -> Progress:
    """A bar of so many of a unit, with the time left and a task's field `state`; in terminals."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=output,
        transient=True,
        disable=not output.is_terminal,
    )


@contextmanager
def epoch_progress(
    title: str, prepared: "Prepared", output: Output, done: int = 0
) -> Iterator[Callable[[Epoch], None]]:
    """Shows the epochs of a run that it is called with, some `done` before."""
    epochs, examples, sizes = prepared.epochs, len(prepared.examples), prepared.sizes
    bar = progress_bar("epochs", output)
    task = bar.add_task(title, total=epochs, completed=done, state="compiling …")
    last_line = monotonic()
    first: tuple[int, float] | None = None  # the first epoch shown, and when: compiled by then

    def show(epoch: Epoch) -> None:
        nonlocal last_line, first
        state = f"{sizes[epoch.scale]} pixels, " if len(sizes) > 1 else ""
        state += f"total loss {epoch.losses[0].mean():.4g}"
        if epoch.seconds_per_step > 0:  # NaN where no step came before
            state += f", {examples / epoch.seconds_per_step:.3g} examples/s"
        bar.update(task, completed=epoch.number, state=state)
        now = monotonic()
        first_number, began = first = first or (epoch.number, now)
        if not output.is_terminal and now - last_line > 20:
            last_line = now
            if passed := epoch.number - first_number:
                left = (now - began) / passed * (epochs - epoch.number)
                state += f", at most {left:.0f} s left"
            line = f"  {title}: epoch {epoch.number}/{epochs}, {state}"
            output.print(line, soft_wrap=True)

    with bar:
        yield show


@contextmanager
def picture_progress(title: str, total: int, output: Output) -> Iterator[Callable[[int], None]]:
    """Shows how many of so many pictures are done; it is called with how many are done more."""
    bar = progress_bar("pictures", output)
    task = bar.add_task(title, total=total, state="")
    began = last_line = monotonic()
    done = 0

    def advance(pictures: int) -> None:
        nonlocal done, last_line
        done, now = done + pictures, monotonic()
        rate = done / max(now - began, 1e-3)
        bar.update(task, completed=done, state=f"{rate:.3g} a second")
        if not output.is_terminal and now - last_line > 20:
            last_line = now
            left = (total - done) / rate
            line = f"  {title}: {done}/{total} pictures, {rate:.3g} a second, {left:.0f} s left"
            output.print(line, soft_wrap=True)

    with bar:
        yield advance
