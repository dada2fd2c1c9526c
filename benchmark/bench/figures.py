"""A figure of the bench: what was measured, its bounds, and how both are shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pydantic_core import to_json

HEADINGS = ["figure", "measured", "must be", "aim", "made of"]


@dataclass(frozen=True)
class Measurement:
    """One line of the table."""

    name: str  # for `--only` and `bench.json`
    title: str  # for people, as are `aim` and `detail`
    value: float  # a ratio, from `least` to `most` if all is well
    least: float | None = None
    most: float | None = None
    aim: str = ""  # a better value to work towards
    detail: str = ""  # what the ratio is made of
    measured: Mapping[str, Any] = field(default_factory=dict)  # each time, in seconds, or in bytes

    @property
    def reached(self) -> bool:
        """Whether the value is within its bounds; NaN is not."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What the table says of it."""
        if self.least is not None and self.most is not None:
            bounds = f"{self.least:g} to {self.most:g}"
        else:
            bounds = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return self.title, f"{self.value:.3g}", bounds, self.aim, self.detail


def ratio_of_medians(
    name: str, title: str, sides: Mapping[str, Sequence[float]], digits: int = 3, **others: Any
) -> Measurement:
    """The median seconds of the first of two sides over the second's."""
    over, under = map(median, sides.values())
    detail = f"{over:.{digits}f} s / {under:.{digits}f} s"
    return Measurement(name, title, over / under, detail=detail, measured=sides, **others)


def markdown_table(figures: Iterable[Measurement]) -> str:
    """All figures for a document."""
    rows = [HEADINGS, ["---"] * len(HEADINGS)]
    for figure in figures:
        title, value, *others = figure.cells
        rows.append([title, value if figure.reached else f"**{value}**", *others])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write_figures(folder: Path, figures: Sequence[Measurement], about: Mapping[str, Any]) -> None:
    """Write bench.json with every measurement, null for NaN and infinity, and bench.md."""
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    report = to_json({**about, "figures": rows}, indent=2, inf_nan_mode="null")
    (folder / "bench.json").write_bytes(report + b"\n")
    (folder / "bench.md").write_text(markdown_table(figures))
