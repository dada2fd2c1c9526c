"""The table of scores: its columns, its subjects, its means."""

import pandas as pd

COLUMNS = ["artist", "content", "subject", "metric", "evaluator", "layer", "value"]

EXAMPLE = ["artist", "content"]
"""Columns that name an example."""

RESULT, CONTENT, PAINTING = "result", "content", "painting"
"""Subjects: a run's result; its untouched content picture, as a baseline; a held-out painting of
the artist, as what real paintings score."""


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean over the results of each metric, by "metric" or "metric.evaluator".

    Of those that were computed for all examples: others would be means over other artists.
    """
    whole = table[(table["subject"] == RESULT) & (table["layer"] == "")]
    examples = len(whole[EXAMPLE].drop_duplicates())
    keys = whole["metric"].str.cat(whole["evaluator"], sep=".").str.rstrip(".")
    summary = whole["value"].groupby(keys, sort=False).agg(["mean", "size"])
    complete = summary[summary["size"] == examples]
    return {str(key): float(mean) for key, mean in complete["mean"].items()}
