"""How to read a metric, as its YAML says it and reports show it."""

from typing import Literal

from pydantic import BaseModel


class MetricDescription(BaseModel, frozen=True):
    """The keys of a metric's YAML that are not for its function.

    Attributes:
        reference: the paintings it compares with.
        label: a heading; empty: the metric's name.
        better: which values are good: "one" those near 1, "none" neither high nor low ones.
        range: of its values, for people.
        about: a line for people.
        rate: whether values are 0 or 1, so that their mean is a rate.
        interval: whether values vary by example, so that their mean has an interval.
    """

    reference: Literal["style_set", "held_out", "others"] | None = None
    label: str = ""
    better: Literal["higher", "lower", "one", "none"] = "none"
    range: str = ""
    about: str = ""
    rate: bool = False
    interval: bool = True
