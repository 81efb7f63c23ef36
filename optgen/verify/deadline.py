"""A point in time after which a decision is given up."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class OutOfTime(Exception):
    """The deadline has passed; becomes the verdict `Undecided`."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, looked at between operations.

    Attributes:
        at: Seconds on `time.monotonic`.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return time.monotonic() > self.at

    @property
    def remaining(self) -> float:
        """Seconds left, 0 once the moment is over."""
        return max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raise `OutOfTime` once the moment is over."""
        if self.passed:
            raise OutOfTime("out of time")

    def sooner(self, seconds: float) -> Deadline:
        """Return this moment, or the one `seconds` from now if that comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))


_GRACE = 0.3  # seconds in which the looks at the clock may still end the work
_AGAIN = 0.2


class _Interrupted(BaseException):
    """Raised in the thread that decides; no `except Exception` below the boundary takes it."""


def within(deadline: Deadline, work: Callable[[], T]) -> T:
    """Return what `work` gives; break it off if it never looks at the clock.

    It works in every thread and on every system, where the interpreter can raise an
    exception in a thread; a single call into C is waited for.

    Raises:
        OutOfTime: The deadline has passed.
    """
    deadline.check()
    watch = _Watch(deadline.at + _GRACE)
    try:
        try:
            watch.start()
            return work()
        finally:
            watch.stop()
    except _Interrupted:
        watch.stop()  # if it was raised on the way to the first call
        raise OutOfTime("out of time") from None


class _Watch:
    """A thread that interrupts the one which made it, unless that is done in time."""

    def __init__(self, at: float) -> None:
        self._at = at
        self._ident = threading.get_ident()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._posted = False
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        if hasattr(ctypes, "pythonapi"):
            self._thread.start()

    def stop(self) -> None:
        """Watch no longer: when this returns, nothing is raised any more."""
        while not self._done.is_set():
            try:
                with self._lock:
                    self._done.set()
                    if self._posted:
                        _raise_in(self._ident, None)
            except _Interrupted:
                continue

    def _watch(self) -> None:
        wait = min(max(0.0, self._at - time.monotonic()), threading.TIMEOUT_MAX)
        while not self._done.wait(wait):
            with self._lock:
                if not self._done.is_set():
                    self._posted = True
                    _raise_in(self._ident, _Interrupted)
            wait = _AGAIN  # whoever swallows it, a callback for example, gets it again


def _raise_in(ident: int, kind: type[BaseException] | None) -> None:
    """Let a thread meet an exception as soon as it can; None takes back one not yet met."""
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), what)
