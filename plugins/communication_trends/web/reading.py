"""
How a request reads the database: few at once, each with an end.

Airflow's API server runs its own routes, heartbeats of task instances included, on 40 threads that every application in
it shares. A database that hangs must not take them: requests wait here without a thread, and not for long.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import anyio
import anyio.to_thread

from communication_trends import stored
from communication_trends.core.database import Limits
from communication_trends.stored import Reading

CONNECTIONS = 4
"""Connections to the database at once, per process of the API server."""

PATIENCE = 3
"""Seconds that a request waits for one of them."""

STATEMENT_TIMEOUT = 50
"""Seconds; a person is waiting, and many a proxy gives up after 60."""

LIMITS = Limits(statement=STATEMENT_TIMEOUT, lock=5, network=5)

Result = TypeVar("Result")


class BusyError(Exception):
    """Raised when all connections are taken."""


def reading(*, with_changes: bool = False) -> AbstractContextManager[Reading]:
    """
    Open a connection for a request, and one read-only transaction on one snapshot, and close both.

    :param with_changes: whether to look up beforehand up to when the snapshot has every change.
    """
    return stored.reading(LIMITS, with_changes=with_changes)


class Places:
    """The connections that requests share; made once per application."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._threads: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[], Result]) -> Result:
        """
        Run something that blocks on a thread of its own, when one of the places is free.

        :param work: what to run.
        :raises BusyError: when none becomes free in time.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            self._threads = self._threads or anyio.CapacityLimiter(CONNECTIONS)
            # not abandoned when the browser goes away: the place is free when the thread is
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._free.release()
