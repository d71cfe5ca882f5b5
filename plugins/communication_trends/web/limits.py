"""
How a request reads the database: few at once, each with an end.

Airflow's API server runs its own routes, heartbeats of task instances included, on 40 threads that every application in
it shares. A database that hangs must not take them: requests wait here without a thread, and not for long.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from airflow.configuration import conf
from airflow.models.dag import DagModel

from communication_trends import settings
from communication_trends.connections import open_database
from communication_trends.core.database import Database, Limits
from communication_trends.core.period import DAILY

CONNECTIONS = 4
"""Connections to the database at once, per process of the API server."""

QUEUE_TIMEOUT = 3
"""Seconds that a request waits for one of them."""

STATEMENT_TIMEOUT = 50
"""Seconds; a person is waiting, and many a proxy gives up after 60."""

LIMITS = Limits(statement=STATEMENT_TIMEOUT, lock=5, network=5)

Result = TypeVar("Result")


class BusyError(Exception):
    """Raised when all connections are taken."""


class AbandonedError(Exception):
    """Raised when the client has gone."""


class _Asking:
    """One request's use of the database, which can be given up from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: Database | None = None
        self.is_abandoned = False

    @contextmanager
    def using(self, database: Database) -> Iterator[None]:
        with self._lock:
            self._database = database
            if self.is_abandoned:
                raise AbandonedError
        try:
            yield
        finally:
            # the connection is not closed while it is being canceled
            with self._lock:
                self._database = None

    def abandon(self) -> None:
        """Give up, and cancel the statement that runs; blocks for as long as that takes."""
        with self._lock:
            self.is_abandoned = True
            if self._database:
                self._database.cancel()


_asking: ContextVar[_Asking] = ContextVar("asking")
"""That of the thread's request, in all that `ConnectionSlots.run` runs."""


@contextmanager
def connection() -> Iterator[Database]:
    """Open the connection that the tasks of the daily DAG store trends with, for a request, and close it."""
    with (
        open_database(settings.conn_id(), LIMITS, team_name=_team_name()) as database,
        _asking.get().using(database),
    ):
        yield database


def is_abandoned() -> bool:
    """Whether the client of this thread's request has gone away."""
    return _asking.get().is_abandoned


def _team_name() -> str | None:
    """Return the team of the daily DAG; None where Airflow (3.2 and newer) knows of no teams."""
    if not conf.getboolean("core", "multi_team", fallback=False):
        return None
    return DagModel.get_team_name(DAILY.dag_id)


class ConnectionSlots:
    """
    The connection slots that requests share; made once per application.

    :param number: how many there are.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._free = asyncio.Semaphore(number)
        self._threads: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[], Result], receive: Callable[[], Awaitable[Any]]) -> Result:
        """
        Run something that blocks in a separate thread, when a slot is free.

        :param work: what to run.
        :param receive: what the request receives from its client, at last that it has gone away: then a statement of
            `work` is canceled, so that the slot is free again.
        :raises BusyError: when no slot becomes free in time.
        :raises AbandonedError: when the client went away.
        """
        try:
            async with asyncio.timeout(QUEUE_TIMEOUT):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError from None
        asking = _Asking()
        token = _asking.set(asking)
        watching = asyncio.create_task(_abandon_when_gone(asking, receive))
        try:
            self._threads = self._threads or anyio.CapacityLimiter(self._number)
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        except Exception:
            if asking.is_abandoned:
                raise AbandonedError from None
            raise
        finally:
            self._free.release()
            _asking.reset(token)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _abandon_when_gone(asking: _Asking, receive: Callable[[], Awaitable[Any]]) -> None:
    # a middleware in between may find fault with being asked; then no client is seen to go away
    with suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass
        await anyio.to_thread.run_sync(asking.abandon, abandon_on_cancel=True)
