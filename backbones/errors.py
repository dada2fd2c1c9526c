"""What can be wrong with a request for a backbone."""

from collections.abc import Iterable

from user_input import InputError, did_you_mean


class BackboneError(InputError):
    """A backbone cannot be had as asked for."""


def unknown_layer(backbone: str, layer: str, known: Iterable[str]) -> BackboneError:
    """The error for a layer that a backbone does not have, with the nearest name."""
    return BackboneError(
        f"no layer '{layer}'.{did_you_mean(layer, known, cutoff=0.4)} "
        f"`python -m benchmark.layers backbone={backbone}` lists them.",
        option="backbone",
        value=backbone,
    )
