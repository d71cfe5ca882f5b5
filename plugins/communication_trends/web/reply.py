"""How a request is answered: as JSON or as CSV, in pages or whole, and not again where the client has the answer."""

import asyncio
import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from communication_trends import __version__, settings
from communication_trends.core.database import Database
from communication_trends.core.period import KINDS
from communication_trends.core.period_range import FRESHNESS_GRACE
from communication_trends.core.trend_reader import TrendReader, open_reader
from communication_trends.web import csv_export
from communication_trends.web.kept_answers import SHARED_FROM, KeptAnswers, Made, Pending
from communication_trends.web.limits import ConnectionSlots, connection, is_abandoned
from communication_trends.web.ranges import Now

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Reply:
    """
    How a request wants its answer.

    :param request: the request.
    :param now: when it asks.
    :param as_csv: whether as a table, to download.
    :param limit: entries of the page; None for all, since a download is complete.
    :param offset: entries before the page.
    """

    request: Request
    now: datetime.datetime
    as_csv: bool
    limit: int | None
    offset: int

    async def __call__(
        self,
        answer: Callable[[TrendReader], Answer],
        table: Callable[[Answer], tuple[str, str]],
        status: Callable[[Answer], int] = lambda _: 200,
        *,
        with_changes: bool = False,
        for_monitor: bool = False,
    ) -> Response:
        """
        Answer, in a separate thread; without content where the client has the answer already.

        :param answer: reads the database and returns the answer.
        :param table: returns the name and the content of its CSV.
        :param status: returns its HTTP status.
        :param with_changes: as of `open_reader`. It then says up to when it is complete, and differs each time.
        :param for_monitor: whether it has a separate slot, and its errors other statuses.
        """
        state = self.request.app.state
        kept: KeptAnswers = state.kept_answers

        def make(database: Database, headers: dict[str, str]) -> Made:
            with open_reader(database, with_changes=with_changes) as opened:
                found = answer(opened)
            if status(found) != 200:
                headers = {}
            if not self.as_csv:
                content = found.model_dump_json(by_alias=True).encode()
                return Made(content, status=status(found), headers=headers)
            name, text = table(found)
            disposition = f'attachment; filename="{csv_export.file_name(name)}.csv"'
            headers = {**headers, "Content-Disposition": disposition}
            return Made(text.encode(), "text/csv", status(found), headers)

        def respond() -> Made | Pending:
            with connection() as database:
                stored = None if with_changes else _stored_version(database)
                if stored is None:
                    return make(database, {})
                version, organizations = stored
                tag = self._tag(version)
                headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
                if tag in self.request.headers.get("if-none-match", ""):
                    return Made(status=304, headers=headers)
                if organizations < SHARED_FROM:
                    return make(database, headers)
                if found := kept.find_or_begin(tag):
                    return found
                try:
                    made = make(database, headers)
                except Exception as error:
                    kept.end(tag, error=None if is_abandoned() else error)
                    raise
                kept.end(tag, made)
                return made

        self.request.state.for_monitor = for_monitor
        slots: ConnectionSlots = state.monitor_slots if for_monitor else state.slots
        while True:
            found = await slots.run(respond, self.request.receive)
            # without a slot; shielded, since others wait for it as well
            made = found if isinstance(found, Made) else await asyncio.shield(asyncio.wrap_future(found))
            if made:
                return made.response()

    def _tag(self, version: str) -> str:
        """Return what names the answer: what is stored, what is asked, what is due, and by which settings."""
        due = [
            period.first_date
            for kind in KINDS.values()
            for now in (self.now, self.now - FRESHNESS_GRACE)
            for period in (kind.last_completed(now), kind.last_due(now))
        ]
        parts = [
            version,
            str(self.request.url),
            due,
            settings.hotspot_rule().as_json(),
            settings.known_marks(),
            __version__,
        ]
        return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _stored_version(database: Database) -> tuple[str, int] | None:
    """
    Return a text that differs as soon as an answer could, and how many organizations there are.

    It is read before the transaction of the answer begins: of an older version than the answer, never of a newer one.
    None where a change of what is stored cannot be seen.
    """
    with database.transaction(read_only=True) as transaction:
        reader = TrendReader(database, transaction)
        [row] = reader.rows("web/version")
        latest = reader.rows("web/latest_change") if reader.knows_origins else []
    return None if row["written"] is None else (f"{row} {latest}", row["organizations_total"])


Format = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="csv: the same as a table, to download; always all of it."),
]


def asked_reply(request: Request, now: Now, as_format: Format = "json") -> Reply:
    """Return how a request wants its answer, which is not in pages."""
    return Reply(request, now, as_format == "csv", None, 0)


def asked_page(
    request: Request,
    now: Now,
    as_format: Format = "json",
    limit: Annotated[int, Query(ge=1, le=200, description="Entries of the page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Entries before the page.")] = 0,
) -> Reply:
    """Return how a request wants its answer, which is in pages."""
    as_csv = as_format == "csv"
    return Reply(request, now, as_csv, None if as_csv else limit, 0 if as_csv else offset)


FullReply = Annotated[Reply, Depends(asked_reply)]
PagedReply = Annotated[Reply, Depends(asked_page)]
