"""Errors of a store: which pass by themselves, retrying until they do, words for the others."""

import re
import sys
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import TypeVar

Returned = TypeVar("Returned")

RETRY_SECONDS = 600.0
"""For which a call is retried."""

TRANSIENT_CODES = {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"}
"""MLflow's error codes of a server that is overloaded, or whose database does not answer."""

LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
"""Prefixes of SQLite's errors while another process has locked the database."""


class OutageError(RuntimeError):
    """A store was unavailable for longer than calls are retried."""


def retry_until_available(
    call: Callable[[], Returned],
    announce: Callable[[str], None],
    limit_seconds: float = RETRY_SECONDS,
    *,
    wait: Callable[[float], None] = sleep,
) -> Returned:
    """The result of a call, which is retried while it fails with a transient error.

    Signals are not held back between attempts, so that Ctrl-C ends the waiting at once. The call
    must have the same effect when it is made twice, for the answer to the first can get lost.

    `announce` prints a line when waiting begins and when it has ended. After the limit, for 0 after
    one attempt, OutageError is raised; errors that are not transient are raised at once.
    """
    # Raised in an `except` block, the call's errors carry what is handled there as their context.
    handled = sys.exc_info()[1]
    start = server_error_since = monotonic()
    announced, pause = False, 0.1
    while True:
        try:
            answer = call()
        except Exception as error:
            if not is_transient(error, handled):
                raise
            now, reason = monotonic(), describe(error, handled)
            if status_of(error, handled) != 500:
                server_error_since = now
            # A server itself fails for a moment when its database is stopped, but for good where
            # its disk is full.
            if now - start >= limit_seconds or now - server_error_since >= 60:
                text = f"MLflow: {reason}; gave up after {now - start:.0f} s"
                raise OutageError(text) from error
            if now - start >= 3 and not announced:
                announced = True
                limit = f"{limit_seconds / 60:.0f} minutes"
                announce(f"MLflow: {reason}; retrying for up to {limit} (Ctrl-C to stop)")
        else:
            break
        wait(pause)
        pause = min(2 * pause, 2.0)
    if announced:
        announce(f"MLflow: reconnected after {monotonic() - start:.0f} s")
    return answer


def is_transient(error: BaseException, handled: BaseException | None = None) -> bool:
    """Whether an error of MLflow's passes by itself: then the same call may succeed later.

    `handled` was being handled when the call was made; it says nothing of the call.
    """
    transient = False
    for cause in _causes(error, handled):
        verdict = _verdict(cause)
        if verdict is not None:
            return verdict
        # MLflow says so of every error of a database, also where SQLite below it knows better.
        transient = transient or getattr(cause, "error_code", None) in TRANSIENT_CODES
    return transient


def status_of(error: BaseException, handled: BaseException | None = None) -> int | None:
    """The HTTP status of a server's error, where it is one; for `handled` see `is_transient`."""
    for cause in _causes(error, handled):
        response = getattr(cause, "response", None)
        if response is not None:
            return int(response.status_code)
        # All that is left of an answer where MLflow was told not to retry by itself.
        match = re.fullmatch(r"too many (\d+) error responses", str(cause))
        if match:
            return int(match[1])
    return None


def describe(error: BaseException, handled: BaseException | None = None) -> str:
    """An error of a store in a few words; for `handled` see `is_transient`."""
    status = status_of(error, handled)
    if status is not None:
        return f"the server answers with status {status}"
    innermost = list(_causes(error, handled))[-1]
    if getattr(innermost, "sqlite_errorname", "").startswith(LOCKED):
        return "the database is locked by another process"
    if isinstance(innermost, TimeoutError):
        return "no answer"
    if isinstance(innermost, ConnectionRefusedError):
        return "no server answers"
    return " ".join(f"{type(innermost).__name__}: {innermost}".split())


def error_summary(error: Exception) -> str:
    """An error in one line; of an error of the store only its cause."""
    of_store = type(error).__module__.split(".")[0] in ("mlflow", "sqlalchemy")
    text = f"MLflow: {describe(error)}" if of_store else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def access_advice(error: Exception) -> str | None:
    """What to do where a server denies access; None where that is not what is wrong."""
    return {
        "UNAUTHENTICATED": "the server asks for a login: set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD",
        "PERMISSION_DENIED": "the server denies you access: ask its administrator, or write into "
        "an experiment of your own with tracking.experiment=NAME",
    }.get(getattr(error, "error_code", ""))


def _causes(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    """An error, what it came from, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and cause is not handled and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _verdict(error: BaseException) -> bool | None:
    """Whether this error by itself is transient; None where it does not say."""
    sqlite = getattr(error, "sqlite_errorname", None)
    if sqlite is not None:
        return str(sqlite).startswith(LOCKED)
    code = getattr(error, "error_code", None)
    if code is not None:  # One of MLflow's.
        # What MLflow does not know, as each request that found no server, is an INTERNAL_ERROR.
        return None if code in {*TRANSIENT_CODES, "INTERNAL_ERROR"} else False
    names = {k.__name__ for k in type(error).__mro__ if k.__module__.startswith("requests.")}
    if names & {"RetryError", "HTTPError"}:
        return status_of(error) in {408, 429, 500, 502, 503, 504}
    if names:  # A wrong certificate is a ConnectionError of theirs, and stays wrong.
        broken = names & {"ConnectionError", "Timeout", "ChunkedEncodingError"}
        return bool(broken) and "SSLError" not in names
    return True if isinstance(error, (ConnectionError, TimeoutError)) else None
