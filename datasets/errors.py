"""What can be wrong with images."""

from collections.abc import Sequence

from benchmark.user_input import InputError, closest


class DatasetError(InputError):
    """Images cannot be provided as the user asks."""


def unknown_name(
    option: str, name: str, known: Sequence[str], nearest: str | None = None
) -> DatasetError:
    """The error for an unknown name, with the nearest known one, looked for if not given."""
    nearest = nearest or closest(name, known, cutoff=0.6)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    shown = ", ".join(known[:12]) + (f", … ({len(known)} in all)" if len(known) > 12 else "")
    return DatasetError(f"no such name.{hint} Known: {shown}", option=option, value=name)
