"""What happens when a wait takes too long."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

from communication_trends.core.deadline import after


def is_done(seconds):
    """Wait too long, and return whether something was done about it within ten seconds."""
    done = threading.Event()
    with after(seconds, done.set):
        return done.wait(10)


def test_it_is_done_where_the_block_takes_longer():
    begun = time.monotonic()
    assert is_done(0.05)
    assert time.monotonic() - begun >= 0.05
    assert is_done(0)


def test_it_is_never_done_once_the_block_is_left():
    done = threading.Event()
    for _ in range(100):
        with after(0.02, done.set):
            pass
    assert not done.wait(0.1)


def test_a_shorter_wait_ends_before_a_longer_one_that_began_earlier():
    with after(3600, lambda: None), after(1e12, lambda: None):
        assert is_done(0.05)


def test_one_that_is_stuck_or_fails_holds_up_no_other(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    stuck, go_on = threading.Event(), threading.Event()

    def be_stuck():
        stuck.set()
        go_on.wait(10)

    def wait():
        with after(0, be_stuck):
            stuck.wait(10)

    thread = threading.Thread(target=wait)
    thread.start()
    assert stuck.wait(10)
    with after(0, lambda: print(1 / 0)):
        assert is_done(0.05)
    go_on.set()
    thread.join(10)
    assert not thread.is_alive()


def test_an_exception_of_a_signal_handler_holds_up_no_later_wait():
    def interrupt(number, frame):
        raise TimeoutError

    assert is_done(0)
    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(500):
            with suppress(TimeoutError):
                signal.setitimer(signal.ITIMER_REAL, 2e-5 + number * 4e-7)
                for _ in range(10_000):
                    with after(3600, lambda: None):
                        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert is_done(0.05)


def test_a_process_that_forks_is_watched_on_both_sides():
    with after(3600, lambda: None):
        child = os.fork()
        if not child:
            os._exit(0 if is_done(0.05) else 1)
        assert is_done(0.05)
    assert os.waitpid(child, 0)[1] == 0
