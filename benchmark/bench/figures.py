"""A figure of the bench: what was measured, its bounds, and how both are shown."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Measurement:
    """One line of the table.

    Attributes:
        name: for `--only` and `bench.json`.
        title: for people.
        value: a ratio.
        least: its lower bound; None: none.
        most: its upper bound; None: none.
        aim: a better value to work towards, for people.
        detail: what the ratio is made of, for people.
        measured: every single measurement, in seconds or bytes.
    """

    name: str
    title: str
    value: float
    least: float | None = None
    most: float | None = None
    aim: str = ""
    detail: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the value is within its bounds; NaN is not."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def bounds(self) -> str:
        """The bounds, for people."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


def terminal_table(figures: Iterable[Measurement]) -> Table:
    """All figures for a terminal."""
    shown = Table("figure", "measured", "must be", "aim", "made of", show_lines=False)
    for figure in figures:
        value, style = f"{figure.value:.3g}", None if figure.reached else "red"
        shown.add_row(figure.title, value, figure.bounds, figure.aim, figure.detail, style=style)
    return shown


def markdown_table(figures: Iterable[Measurement]) -> str:
    """All figures for a document."""
    lines = ["| figure | measured | must be | aim | made of |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        value = f"{figure.value:.3g}" if figure.reached else f"**{figure.value:.3g}**"
        cells = (figure.title, value, figure.bounds, figure.aim, figure.detail)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_figures(file: Path, figures: Sequence[Measurement], about: Mapping[str, Any]) -> None:
    """Write all figures with every measurement as JSON."""
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    content = _finite({**about, "figures": rows})
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    """The same with None for each number that JSON has no word for."""
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not isfinite(content) else content
