"""What tests wait with."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


def wait_until(condition, seconds: float = 300) -> None:
    """Wait until a condition holds; fail where it takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@contextmanager
def in_background(action) -> Iterator[None]:
    """Run something in parallel with the block, and wait for it at the block's end."""
    thread = threading.Thread(target=action)
    thread.start()
    try:
        yield
    finally:
        thread.join()
