"""What goes wrong with a transfer from a server, as one value whatever library says so."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import RequestException

TIMEOUTS = (10.0, 60.0)  # seconds to wait for a connection, and for the next bytes


@dataclass
class TransferError(Exception):
    """Something could not be transferred."""

    reason: str  # what happened, in a few words
    status: int | None = None  # the server's HTTP status, if it answered with an error
    retry_after: float | None = None  # seconds that the server asks to wait
    is_transient: bool = True  # whether another attempt may succeed
    is_damaged: bool = False  # what arrived is not what the server has, and the file is deleted


def transfer_error(error: "RequestException", server: str) -> TransferError:
    """What an error of requests means for a transfer; without the address, which may hold a key."""
    from requests import ConnectionError, HTTPError, Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    if not isinstance(error, HTTPError):
        transient = isinstance(error, (ConnectionError, Timeout, ChunkedEncodingError))
        reason = f"the connection to {server} failed ({_innermost(error)})"
        return TransferError(reason, is_transient=transient)
    answer = error.response
    assert answer is not None, "requests and Kaggle's SDK give every HTTPError its response"
    # Kaggle may answer 200 with the status in the body.
    status = answer.status_code if answer.status_code >= 400 else int(answer.json()["code"])
    try:
        asked = Retry().get_retry_after(answer.raw)
    except InvalidHeader:
        asked = None
    reason = f"{server} answers {status} {answer.reason}"
    return TransferError(reason, status, asked, status == 429 or status >= 500)


def _innermost(error: BaseException) -> object:
    """What requests and urllib3 wrapped, in any of their three ways."""
    wrapped = error.__cause__ or getattr(error, "reason", None) or next(iter(error.args), None)
    return _innermost(wrapped) if isinstance(wrapped, BaseException) else error
