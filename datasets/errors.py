"""What can be wrong with images."""

from benchmark.user_input import InputError


class DatasetError(InputError):
    """Images cannot be provided as the user asks."""
