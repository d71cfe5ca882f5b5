"""Does something when a wait takes too long, from another thread. No Airflow in here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def after(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """
    Do something from another thread if the block takes longer.

    When the block is left, that is done or never will be: what it is done to can be closed, or used for something else.

    :param seconds: how long the block may take.
    :param action: what to do then.
    """
    is_over = threading.Event()
    acting = threading.Lock()

    def act() -> None:
        with acting:
            if not is_over.is_set():
                action()

    timer = threading.Timer(seconds, act)
    # so that a process that ends does not wait for it
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        is_over.set()
        with acting:
            pass
