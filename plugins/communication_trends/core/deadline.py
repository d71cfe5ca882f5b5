"""Does something when a wait takes too long, from another thread. No Airflow in here."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ACTING = "communication_trends deadline"
"""Name of the threads that do something because a wait has taken too long."""


@contextmanager
def after(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """
    Do something from another thread if the block takes longer.

    When the block is left, that is done or never will be: what it is done to can be closed, or used for something else.

    :param seconds: how long the block may take.
    :param action: what to do then.
    """
    wait = _Wait(time.monotonic() + seconds, action)
    try:
        _watchdog.watch(wait)
        yield
    finally:
        _watchdog.forget(wait)
        with wait.acting:
            wait.is_over = True


@dataclass(eq=False)
class _Wait:
    """
    A wait that is watched.

    :param ends: when it has taken too long, by the monotonic clock.
    :param action: what to do then.
    """

    ends: float
    action: Callable[[], None]
    acting: threading.Lock = field(default_factory=threading.Lock)
    is_over: bool = False

    def act(self) -> None:
        with self.acting:
            if not self.is_over:
                self.action()


class _Watchdog:
    """One thread that watches all waits: to start one for each would take longer than most statements do."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waits: set[_Wait] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf

    def watch(self, wait: _Wait) -> None:
        with self._changed:
            self._waits.add(wait)
            if not (self._thread and self._thread.is_alive()):
                thread = threading.Thread(target=self._run, daemon=True)
                thread.start()
                self._thread = thread
            elif wait.ends < self._wakes_at:
                self._changed.notify()

    def forget(self, wait: _Wait) -> None:
        with self._changed:
            self._waits.discard(wait)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for wait in [wait for wait in self._waits if wait.ends <= now]:
                    self._waits.remove(wait)
                    # in a separate thread, since it may wait itself
                    acting = threading.Thread(target=wait.act, name=ACTING, daemon=True)
                    try:
                        acting.start()
                    except RuntimeError:  # no more threads
                        acting.run()
                self._wakes_at = min((wait.ends for wait in self._waits), default=math.inf)
                self._changed.wait(min(self._wakes_at - now, threading.TIMEOUT_MAX))


_watchdog = _Watchdog()


def _start_again() -> None:
    """Watch with a new thread after a fork, which keeps none."""
    global _watchdog
    _watchdog = _Watchdog()


os.register_at_fork(after_in_child=_start_again)
