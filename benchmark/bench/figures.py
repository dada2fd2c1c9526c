"""A figure of the bench: what was measured, what it must reach, and how both are shown."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

Sides = Mapping[str, Callable[[], float]]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: for `--only` and `bench.json`.
        title: for people.
        value: a ratio.
        least: what it must be at least; None: nothing.
        most: what it must be at most; None: anything.
        aim: what would be better still, for people.
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


def alternately(sides: Sides, repeats: int, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Measurements of all sides, one of each in turn, so that all meet the same machine.

    The order turns round after each turn; one turn more, before the first, is not counted.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-warm_up, repeats):
        for name, measure in list(sides.items())[:: -1 if turn % 2 else 1]:
            seconds = measure()
            if turn >= 0:
                found[name].append(seconds)
    return found


def medians(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each side."""
    return {name: median(values) for name, values in measured.items()}


def table(figures: Iterable[Figure]) -> Table:
    """All figures for a terminal."""
    shown = Table("figure", "measured", "must be", "aim", "made of", show_lines=False)
    for one in figures:
        style = None if one.reached else "red"
        shown.add_row(one.title, f"{one.value:.3g}", one.bounds, one.aim, one.detail, style=style)
    return shown


def markdown(figures: Iterable[Figure]) -> str:
    """All figures for a README."""
    lines = ["| figure | measured | must be | aim | made of |", "| --- | --- | --- | --- | --- |"]
    for one in figures:
        value = f"{one.value:.3g}" if one.reached else f"**{one.value:.3g}**"
        lines.append(f"| {one.title} | {value} | {one.bounds} | {one.aim} | {one.detail} |")
    return "\n".join(lines) + "\n"


def write(file: Path, figures: Sequence[Figure], about: Mapping[str, Any]) -> None:
    """Write all figures with every measurement as JSON."""
    rows = [{**asdict(one), "reached": one.reached} for one in figures]
    content = _finite({**about, "figures": rows})
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    """The same with None for each number that JSON has no word for."""
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not isfinite(content) else content
