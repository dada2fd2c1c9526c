"""What a run prints: notices, and its progress, a bar in a terminal, else now and then a line."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from benchmark.transfer.loop import Epoch

SECONDS_BETWEEN_LINES = 20.0


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


def busy(output: Output, what: str) -> AbstractContextManager[object]:
    """Show in a terminal that something is being done."""
    return output.status(f"  {what} …") if output.is_terminal else nullcontext()


def announce_weights(output: Console, reasons: Mapping[str, str]) -> None:
    """Print one conspicuous line if backbones have random instead of ImageNet weights."""
    if reasons:
        output.print(
            f"WARNING: {', '.join(reasons)} with RANDOM weights: the results are not those of "
            f"trained networks; {next(iter(reasons.values()))}"
            f"{' (the same for the others)' if len(reasons) > 1 else ''}.",
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


class EpochProgress:
    """Shows the epochs of one run; a context manager, and a callback of the loop."""

    def __init__(
        self, title: str, epochs: int, examples: int, output: Output, done: int = 0
    ) -> None:
        """Of a run of at most so many epochs over so many examples, some of them done before."""
        self._title = title
        self._epochs = epochs
        self._done = done
        self._examples = examples
        self._output = output
        self._began = self._last_line = monotonic()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=output,
            transient=True,
            disable=not output.is_terminal,
        )
        self._task = self._bar.add_task(title, total=epochs, completed=done, state="compiling …")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def announce(self, line: str, style: str | None = None) -> None:
        """Print a line about the run."""
        self._output.print_of_run(self._title, line, style)

    def __call__(self, epoch: Epoch) -> None:
        """Show an epoch."""
        state = f"total loss {epoch.losses[0].mean():.4g}"
        if epoch.number:
            state += f", {self._examples / epoch.seconds_per_step:.3g} examples/s"
        self._bar.update(self._task, completed=epoch.number, state=state)
        now = monotonic()
        if not self._output.is_terminal and now - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = now
            left = (now - self._began) / max(epoch.number - self._done, 1)
            left *= self._epochs - epoch.number
            self._output.print(
                f"  {self._title}: epoch {epoch.number}/{self._epochs}, {state}, "
                f"at most {left:.0f} s left",
                soft_wrap=True,
                highlight=False,
            )
