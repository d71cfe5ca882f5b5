"""Does something when a wait takes too long, from another thread. No Airflow in here."""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        with wait.acting:
            wait.is_over = True
        _watchdog.forget(wait)


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
                self.is_over = True
                self.action()


class _Watchdog:
    """
    One thread that watches all waits: to start one for each would take longer than most statements do.

    It has no lock that others wait for: an exception from a signal handler, such as Airflow's time limit for a task,
    could leave that locked. What is done to a set and a SimpleQueue here cannot be interrupted.
    """

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._wakes_at = math.inf
        self._is_watching = False

    def watch(self, wait: _Wait) -> None:
        self._waits.add(wait)
        if not self._is_watching:
            threading.Thread(target=self._run, daemon=True).start()
            self._is_watching = True
        elif wait.ends < self._wakes_at:
            self._wake.put(None)

    def forget(self, wait: _Wait) -> None:
        self._waits.discard(wait)

    def _run(self) -> None:
        try:
            while True:
                self._act_and_sleep()
        finally:
            self._is_watching = False

    def _act_and_sleep(self) -> None:
        # whatever is added from here on wakes it, until it is known when it will wake by itself
        self._wakes_at = math.inf
        now = time.monotonic()
        waits = list(self._waits)
        for wait in waits:
            if wait.ends <= now:
                self.forget(wait)
                # in a separate thread, since it may wait itself
                acting = threading.Thread(target=wait.act, name=ACTING, daemon=True)
                try:
                    acting.start()
                except RuntimeError:  # no more threads
                    acting.run()
        self._wakes_at = min((wait.ends for wait in waits if wait.ends > now), default=math.inf)
        with suppress(queue.Empty):
            self._wake.get(timeout=min(max(self._wakes_at - time.monotonic(), 0), threading.TIMEOUT_MAX))


_watchdog = _Watchdog()


def _start_again() -> None:
    """Watch with a new thread after a fork, which keeps none."""
    global _watchdog
    _watchdog = _Watchdog()


os.register_at_fork(after_in_child=_start_again)
