"""A store that is away for a while: which errors pass by themselves, and waiting until they do."""

import re
import sys
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import TypeVar

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception, wait_exponential

Answer = TypeVar("Answer")

LIMIT = 600.0
"""Seconds for which an outage is waited out."""

BRIEF_LIMIT = 60.0
"""Seconds for which a server may go on failing from within (status 500).

It does so for a moment when its database is stopped, but for good where its disk is full.
"""

QUIET_SECONDS = 3.0
"""Seconds of waiting that nobody needs to hear about."""

LONGEST_WAIT = 2.0
"""Seconds between two attempts at most."""

SERVER_ERROR = 500

PASSING_STATUSES = frozenset({408, 429, SERVER_ERROR, 502, 503, 504})
"""Statuses of a server that is overloaded, or that is there without what is behind it."""

PASSING_CODES = frozenset(
    {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"}
)
"""The same in MLflow's words."""

UNKNOWN_CODE = "INTERNAL_ERROR"
"""MLflow's word where it does not know, as of each request that found no server."""

BROKEN_CONNECTIONS = frozenset({"ConnectionError", "Timeout", "ChunkedEncodingError"})
"""Classes of requests for a connection that was not made, or not to the end."""

LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
"""How SQLite's errors begin where another process has the database."""


class OutageError(RuntimeError):
    """A store was away for longer than it was waited for."""


def retry_until_available(
    call: Callable[[], Answer],
    say: Callable[[str], None],
    limit_seconds: float = LIMIT,
    *,
    what: str = "MLflow",
    wait: Callable[[float], None] = sleep,
) -> Answer:
    """What a call gives, made again while it fails with an error that passes by itself.

    Nothing of a call is held back between attempts: there Ctrl-C ends the waiting at once. The
    call must leave the same when it is made twice, for the answer to the first can get lost.

    Args:
        call: what to do.
        say: tells a person a line, when waiting begins and when it has ended.
        limit_seconds: how long to wait; 0: one attempt.
        what: the store's name for these lines.
        wait: how to wait.

    Raises:
        OutageError: it took too long.
        Exception: whatever else the call raises.
    """
    # Raised in an `except` block, the call's errors carry what is handled there as their context.
    handled = sys.exc_info()[1]
    waiting = _Waiting(say, limit_seconds, what, handled)
    attempts = Retrying(
        retry=retry_if_exception(lambda error: is_transient(error, handled)),
        wait=wait_exponential(multiplier=0.1, max=LONGEST_WAIT),
        stop=waiting.is_done,
        before_sleep=waiting.tell,
        sleep=wait,
    )
    try:
        answer = attempts(call)
    except RetryError as error:
        last = error.last_attempt.exception()
        assert last is not None
        raise OutageError(
            f"{what}: {in_words(last, handled)}, for {waiting.seconds:.0f} s; given up"
        ) from last
    waiting.end()
    return answer


def is_transient(error: BaseException, handled: BaseException | None = None) -> bool:
    """Whether an error of MLflow's passes by itself: then the same call may succeed later.

    Args:
        error: what a call raised.
        handled: what was being handled when the call was made; it says nothing of the call.
    """
    passing = False
    for cause in _causes(error, handled):
        verdict = _verdict(cause)
        if verdict is not None:
            return verdict
        # It says so of every error of a database, also where SQLite below it knows better.
        passing = passing or getattr(cause, "error_code", None) in PASSING_CODES
    return passing


def status_of(error: BaseException, handled: BaseException | None = None) -> int | None:
    """The status with which a server refused, where it did; for `handled` see `is_transient`."""
    for cause in _causes(error, handled):
        response = getattr(cause, "response", None)
        if response is not None:
            return int(response.status_code)
        # All that is left of an answer where MLflow was told not to ask again by itself.
        found = re.fullmatch(r"too many (\d+) error responses", str(cause))
        if found:
            return int(found[1])
    return None


def in_words(error: BaseException, handled: BaseException | None = None) -> str:
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


class _Waiting:
    """How long a call has been waited for, and what was told of it."""

    def __init__(
        self,
        say: Callable[[str], None],
        limit_seconds: float,
        what: str,
        handled: BaseException | None,
    ) -> None:
        self._say, self._limit, self._what = say, limit_seconds, what
        self._handled = handled
        self._told = False
        self._began = monotonic()
        self._failing_since: float | None = None

    @property
    def seconds(self) -> float:
        """Since the first attempt."""
        return monotonic() - self._began

    def is_done(self, state: RetryCallState) -> bool:
        """Whether to give up after an attempt that failed."""
        if status_of(_error_of(state), self._handled) != SERVER_ERROR:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self.seconds
        failing = 0.0 if self._failing_since is None else self.seconds - self._failing_since
        return self.seconds >= self._limit or failing >= BRIEF_LIMIT

    def tell(self, state: RetryCallState) -> None:
        """Say once that there is waiting, and what for."""
        if not self._told and self.seconds >= QUIET_SECONDS:
            self._told = True
            self._say(
                f"{self._what}: {in_words(_error_of(state), self._handled)}; waiting, at most "
                f"{self._limit / 60:.0f} minutes (Ctrl-C ends it)"
            )

    def end(self) -> None:
        """Say that it is over, if it was said that it began."""
        if self._told:
            self._say(f"{self._what}: there again after {self.seconds:.0f} s")


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
    """Whether this error by itself is one that passes; None where it does not say."""
    sqlite = getattr(error, "sqlite_errorname", None)
    if sqlite is not None:
        return str(sqlite).startswith(LOCKED)
    code = getattr(error, "error_code", None)
    if code is not None:  # One of MLflow's.
        return None if code == UNKNOWN_CODE or code in PASSING_CODES else False
    names = {k.__name__ for k in type(error).__mro__ if k.__module__.startswith("requests.")}
    if names & {"RetryError", "HTTPError"}:
        return status_of(error) in PASSING_STATUSES
    if names:  # A wrong certificate is a ConnectionError of theirs, and stays wrong.
        return bool(names & BROKEN_CONNECTIONS) and "SSLError" not in names
    return True if isinstance(error, (ConnectionError, TimeoutError)) else None
