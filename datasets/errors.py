"""What can be wrong with pictures."""

from collections.abc import Sequence
from difflib import get_close_matches


class DatasetError(ValueError):
    """Pictures cannot be had as asked for; the message says why and what to do, in one line."""


def unknown_name(
    option: str, name: str, known: Sequence[str], nearest: str | None = None
) -> DatasetError:
    """The error for a name that is not there, with the nearest one, found here if not given."""
    found = [nearest] if nearest else get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f" Did you mean '{found[0]}'?" if found else ""
    shown = ", ".join(known[:12]) + (f", … ({len(known)} in all)" if len(known) > 12 else "")
    return DatasetError(f"{option}={name}: there is no such name.{hint} There are: {shown}")
