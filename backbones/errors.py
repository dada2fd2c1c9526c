"""What can be wrong with a request for a backbone."""

from user_input import InputError


class BackboneError(InputError):
    """A backbone cannot be loaded as the user asks."""
