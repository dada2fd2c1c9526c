"""Outages of a store: which errors pass by themselves, and retrying until they do."""

import re
import sys
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import TypeVar

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception, wait_exponential

Answer = TypeVar("Answer")

RETRY_SECONDS = 600.0
"""For which a call is retried."""

SERVER_ERROR_SECONDS = 60.0
"""For which a call is retried if the server itself fails (status 500).

It does so for a moment when its database is stopped, but for good where its disk is full.
"""

QUIET_SECONDS = 3.0
"""For which a call is retried without a message."""

LONGEST_WAIT = 2.0
"""Seconds between two attempts at most."""

SERVER_ERROR = 500

TRANSIENT_STATUSES = frozenset({408, 429, SERVER_ERROR, 502, 503, 504})
"""HTTP statuses of a server that is overloaded, or whose database does not answer."""

TRANSIENT_CODES = frozenset(
    {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"}
)
"""The same as MLflow's error codes."""

UNKNOWN_CODE = "INTERNAL_ERROR"
"""MLflow's error code for what it does not know, as each request that found no server."""

BROKEN_CONNECTIONS = frozenset({"ConnectionError", "Timeout", "ChunkedEncodingError"})
"""Exceptions of requests for a connection that was refused or broke."""

LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
"""Prefixes of SQLite's errors while another process has locked the database."""


class OutageError(RuntimeError):
    """A store was unavailable for longer than calls are retried."""


def retry_until_available(
    call: Callable[[], Answer],
    announce: Callable[[str], None],
    limit_seconds: float = RETRY_SECONDS,
    *,
    name: str = "MLflow",
    wait: Callable[[float], None] = sleep,
) -> Answer:
    """The result of a call, which is retried while it fails with a transient error.

    Signals are not held back between attempts, so that Ctrl-C ends the waiting at once. The call
    must have the same effect when it is made twice, for the answer to the first can get lost.

    Args:
        call: what to do.
        announce: prints a line, when waiting begins and when it has ended.
        limit_seconds: how long to retry; 0: a single attempt.
        name: the store's, for these lines.
        wait: how to wait.

    Raises:
        OutageError: it took too long.
        Exception: whatever else the call raises.
    """
    # Raised in an `except` block, the call's errors carry what is handled there as their context.
    handled = sys.exc_info()[1]
    outage = _Outage(announce, limit_seconds, name, handled)
    attempts = Retrying(
        retry=retry_if_exception(lambda error: is_transient(error, handled)),
        wait=wait_exponential(multiplier=0.1, max=LONGEST_WAIT),
        stop=outage.is_over_limit,
        before_sleep=outage.announce_start,
        sleep=wait,
    )
    try:
        answer = attempts(call)
    except RetryError as error:
        last = error.last_attempt.exception()
        assert last is not None
        raise OutageError(
            f"{name}: {describe(last, handled)}; gave up after {outage.seconds:.0f} s"
        ) from last
    outage.announce_end()
    return answer


def is_transient(error: BaseException, handled: BaseException | None = None) -> bool:
    """Whether an error of MLflow's passes by itself: then the same call may succeed later.

    Args:
        error: what a call raised.
        handled: what was being handled when the call was made; it says nothing of the call.
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
    """The HTTP status of a server's error; None where it is none; for `handled` see above."""
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


class _Outage:
    """How long a call has been retried, and what was printed about it."""

    def __init__(
        self,
        announce: Callable[[str], None],
        limit_seconds: float,
        name: str,
        handled: BaseException | None,
    ) -> None:
        self._announce, self._limit, self._name = announce, limit_seconds, name
        self._handled = handled
        self._announced = False
        self._start = monotonic()
        self._server_error_since: float | None = None

    @property
    def seconds(self) -> float:
        """Since the first attempt."""
        return monotonic() - self._start

    def is_over_limit(self, state: RetryCallState) -> bool:
        """Whether to give up after an attempt that failed."""
        if status_of(_error_of(state), self._handled) != SERVER_ERROR:
            self._server_error_since = None
            return self.seconds >= self._limit
        if self._server_error_since is None:
            self._server_error_since = self.seconds
        failing = self.seconds - self._server_error_since
        return self.seconds >= self._limit or failing >= SERVER_ERROR_SECONDS

    def announce_start(self, state: RetryCallState) -> None:
        """Print once what is wrong and for how long it is retried."""
        if not self._announced and self.seconds >= QUIET_SECONDS:
            self._announced = True
            self._announce(
                f"{self._name}: {describe(_error_of(state), self._handled)}; retrying for up to "
                f"{self._limit / 60:.0f} minutes (Ctrl-C to stop)"
            )

    def announce_end(self) -> None:
        """Print that it is over, if its start was printed."""
        if self._announced:
            self._announce(f"{self._name}: reconnected after {self.seconds:.0f} s")


def _error_of(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None
    return error


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
        return None if code == UNKNOWN_CODE or code in TRANSIENT_CODES else False
    names = {k.__name__ for k in type(error).__mro__ if k.__module__.startswith("requests.")}
    if names & {"RetryError", "HTTPError"}:
        return status_of(error) in TRANSIENT_STATUSES
    if names:  # A wrong certificate is a ConnectionError of theirs, and stays wrong.
        return bool(names & BROKEN_CONNECTIONS) and "SSLError" not in names
    return True if isinstance(error, (ConnectionError, TimeoutError)) else None
