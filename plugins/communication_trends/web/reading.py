"""
How a request reads the database: few at once, each with an end.

Airflow's API server runs its own routes, heartbeats of task instances included, on 40 threads that every application in
it shares. A database that hangs must not take them: requests wait here without a thread, and not for long.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from communication_trends import settings
from communication_trends.connections import connected
from communication_trends.database import Database, Limits, Transaction

CONNECTIONS = 4
"""Connections to the database at once, per process of the API server."""

PATIENCE = 3
"""Seconds that a request waits for one of them."""

STATEMENT_TIMEOUT = 30
"""Seconds; a person is waiting."""

LIMITS = Limits(statement=STATEMENT_TIMEOUT, lock=5, network=5)

Result = TypeVar("Result")


class BusyError(Exception):
    """Raised when all connections are taken."""


class Reading:
    """One open read-only transaction, with the statements of ``sql/web/``."""

    def __init__(self, database: Database, transaction: Transaction) -> None:
        self._database = database
        self._transaction = transaction

    def rows(self, name: str, **parameters: object) -> list[dict]:
        """
        Run one statement and return its rows.

        :param name: its file in ``sql/web/``, without the ending.
        :param parameters: the values it binds.
        """
        return self._transaction.rows(self._database.sql(f"web/{name}.sql"), parameters)


@contextmanager
def reading() -> Iterator[Reading]:
    """Open a connection and one read-only transaction on one snapshot, and close both."""
    with connected(settings.conn_id(), LIMITS) as database, database.transaction(read_only=True) as transaction:
        opened = Reading(database, transaction)
        opened.rows("session")
        yield opened


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
