"""What can be wrong with a request for a backbone."""

from collections.abc import Iterable
from difflib import get_close_matches


class BackboneError(ValueError):
    """A backbone cannot be had as asked for; the message says why and what to do, in one line."""


def unknown_layer(backbone: str, layer: str, known: Iterable[str]) -> BackboneError:
    """The error for a layer that a backbone does not have, with the nearest name."""
    nearest = get_close_matches(layer, list(known), n=1, cutoff=0.4)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return BackboneError(
        f"backbone={backbone} has no layer '{layer}'.{hint} "
        f"`python -m benchmark.layers backbone={backbone}` lists them."
    )
