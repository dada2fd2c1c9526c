"""What is shown while a film is painted: a bar in a terminal, else now and then a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from benchmark.runs.progress import Output, progress_bar
from benchmark.sweeps.cost import duration

LINE_SECONDS = 20.0


@contextmanager
def frame_progress(
    title: str, frames: int, done: int, output: Output
) -> Iterator[Callable[[int, float], None]]:
    """Shows the frames of a film, some `done` before; called with their number and total loss."""
    bar = progress_bar("frames", output)
    task = bar.add_task(title, total=frames, completed=done, state="compiling …")
    began = last_line = monotonic()

    def show(number: int, loss: float) -> None:
        nonlocal last_line
        if number <= done:
            return
        now = monotonic()
        rate = (number - done) / max(now - began, 1e-9)
        state = f"{rate:.3g} frames/s, total loss {loss:.4g}"
        bar.update(task, completed=number, state=state)
        if not output.is_terminal and now - last_line > LINE_SECONDS:
            last_line = now
            left = duration((frames - number) / rate)
            line = f"  {title}: frame {number}/{frames}, {state}, about {left} left"
            output.print(line, soft_wrap=True)

    with bar:
        yield show
