"""The pictures that people rate, each under an id that does not say which run made it."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from benchmark.config.errors import ConfigError
from benchmark.metrics.table import CONTENT, RESULT
from benchmark.report.gallery import Example, examples_of, in_turn
from benchmark.tracking.records import RunRecord, content_file, result_file
from benchmark.tracking.tracker import Tracker


class RatedPicture(NamedTuple):
    """A run's result, or its untouched content picture, to be judged against an artist or genre."""

    run_id: str
    artist: str
    content: str
    subject: str = RESULT

    @property
    def id(self) -> str:
        """16 hexadecimal digits; without the run's id, which is random, nobody can compute them."""
        return sha256("\0".join(self).encode()).hexdigest()[:16]

    @property
    def example(self) -> Example:
        """Its artist and content picture."""
        return Example(self.artist, self.content)

    @property
    def file(self) -> str:
        """The run's artifact that holds it."""
        is_result = self.subject == RESULT
        return result_file(*self.example) if is_result else content_file(self.content)


def pictures_of(tracker: Tracker, records: Sequence[RunRecord]) -> list[RatedPicture]:
    """All results that runs kept, each followed by its content picture."""
    return [
        RatedPicture(record.run_id, *example, subject)
        for record in records
        for example in examples_of(tracker, record.run_id)
        for subject in (RESULT, CONTENT)
    ]


def select_pictures(
    pictures: Sequence[RatedPicture],
    untouched: bool,
    limit: int | None,
    rng: np.random.Generator,
) -> list[RatedPicture]:
    """The results among some pictures; `untouched`: and each example's content picture, once.

    Of more than `limit`, as many of each run as of every other, or one more; of the same examples,
    drawn at random, as many of each artist likewise; so that runs stay paired.

    Raises:
        ConfigError: there is no result, or `limit` is too low for one picture of each run.
    """
    groups: dict[str, dict[Example, RatedPicture]] = {}
    for picture in pictures:
        if picture.subject == RESULT or untouched:
            group = picture.run_id if picture.subject == RESULT else CONTENT
            groups.setdefault(group, {}).setdefault(picture.example, picture)
    if not groups:
        raise ConfigError("these runs kept no results that could be rated")
    if limit is not None and limit < len(groups):
        reason = f"must be at least {len(groups)}, for one picture of each run"
        raise ConfigError(
            f"{reason} and of the photographs" if untouched else reason, "--limit", limit
        )
    known = list(dict.fromkeys(picture.example for picture in pictures))
    examples = in_turn([known[place] for place in rng.permutation(len(known))])
    of_groups = [groups[name] for name in rng.permutation([*groups])]
    rows = zip_longest(*([one[e] for e in examples if e in one] for one in of_groups))
    return [picture for picture in chain.from_iterable(rows) if picture is not None][:limit]
