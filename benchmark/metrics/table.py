"""How to read metrics, and the table of scores: its columns, its subjects, its means."""

from typing import Literal

import pandas as pd
from pydantic import BaseModel, Field

COLUMNS = ["artist", "content", "subject", "metric", "evaluator", "layer", "value"]

EXAMPLE = ["artist", "content"]
"""Columns that name an example."""

RESULT, CONTENT, PAINTING = "result", "content", "painting"
"""Subjects: a run's result; its untouched content picture, as a baseline; a held-out painting of
the artist, as what real paintings score."""


class MetricDescription(BaseModel, frozen=True):
    """The keys of a metric's YAML that are not for its function."""

    reference: Literal["style_set", "held_out", "others"] | None = None  # what it compares with
    label: str = ""  # a heading; empty: the metric's name
    # Which values are good: "one" those near 1, "none" neither high nor low ones.
    better: Literal["higher", "lower", "one", "none"] = "none"
    range: str = ""
    about: str = ""
    whole_run: bool = False  # whether it is one of all results of a run together
    at_least: int = Field(default=1, ge=1)  # results that one of a whole run needs
    rate: bool = False  # whether values are 0 or 1, so that their mean is a rate
    interval: bool = True  # whether values vary by example, so that their mean has an interval


def means(table: pd.DataFrame, examples: int = 0) -> dict[str, float]:
    """Mean over the results of each metric, by "metric" or "metric.evaluator".

    Of those that were computed for all examples, so many at least: others would be means over
    other artists.
    """
    whole = table[(table["subject"] == RESULT) & (table["layer"] == "")]
    examples = max(examples, len(whole[EXAMPLE].drop_duplicates()))
    keys = whole["metric"].str.cat(whole["evaluator"], sep=".").str.rstrip(".")
    summary = whole["value"].groupby(keys, sort=False).agg(["mean", "size"])
    complete = summary[summary["size"] == examples]
    return {str(key): float(mean) for key, mean in complete["mean"].items()}
