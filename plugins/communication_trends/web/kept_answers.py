"""
Answers that several requests share: one that took long is kept, and one that is being made is waited for.

Of tens of thousands of organizations an answer takes seconds of the database's processors, and a team opens the page in
the same minutes of the morning.
"""

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field

from fastapi import Response

SHARED_FROM = 1000
"""Organizations from which on answers are shared; of fewer, each request makes its own in well under a second."""

WORTH_KEEPING = 1.0
"""Seconds; what takes less is made again, and so shows at once what PostgreSQL counts some seconds late."""

MAX_BYTES = 16_000_000
"""Bytes of all answers that are kept, per process of the API server; a download of more is not kept."""


@dataclass(frozen=True)
class Made:
    """
    An answer, ready to be sent any number of times.

    :param content: its body.
    :param media_type: of the body.
    :param status: HTTP status.
    :param headers: those that belong to it.
    """

    content: bytes = b""
    media_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return it as a response of its own."""
        kind = None if self.status == 304 else self.media_type
        return Response(self.content, status_code=self.status, headers=self.headers, media_type=kind)


Pending = Future[Made | None]
"""An answer that another request is making; None if that one is given up."""


class KeptAnswers:
    """Answers by their tags, which name all that they depend on; made once per application. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._pending: dict[str, tuple[Pending, float]] = {}

    def find_or_begin(self, tag: str) -> Made | Pending | None:
        """
        Return an answer, or the promise of one; None where there is neither: then the caller makes it.

        The caller that makes it has to call `end`, whatever happens.

        :param tag: names the answer.
        """
        with self._lock:
            if made := self._kept.get(tag):
                self._kept.move_to_end(tag)
                return made
            if tag in self._pending:
                return self._pending[tag][0]
            self._pending[tag] = (Future(), time.monotonic())
            return None

    def end(self, tag: str, made: Made | None = None, error: Exception | None = None) -> None:
        """
        Hand what became of an answer to the requests that wait for it, and keep it if it took long.

        :param tag: names the answer.
        :param made: the answer; None if there is none.
        :param error: why not, for all of them, so that they do not fail one after the other; with neither, one of
            them is to make it.
        """
        with self._lock:
            pending, began = self._pending.pop(tag)
            fits = made and made.status == 200 and len(made.content) <= MAX_BYTES
            if made and fits and time.monotonic() - began >= WORTH_KEEPING:
                self._kept[tag] = made
                while sum(len(one.content) for one in self._kept.values()) > MAX_BYTES:
                    # the one that nobody has asked for the longest
                    self._kept.popitem(last=False)
        if error:
            pending.set_exception(error)
        else:
            pending.set_result(made)
