"""Named days: holidays, releases, promotions, which charts show and sentences name. No Airflow in here."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from communication_trends.core.errors import InvalidInputError
from communication_trends.core.messages import MAX_NAME_LENGTH, printable
from communication_trends.core.period import Period

MAX_BYTES = 1_000_000
"""Size of a file of named days at most."""

MAX_MARKS = 10_000
"""More of them are a mistake, and would be sent with each answer."""

NAMED = 3
"""Names that a sentence has at most: a month may have many."""

_LINE = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?\s+(\S.*)")


@dataclass(frozen=True)
class Mark:
    """
    A named day, or several.

    :param first: the first UTC day.
    :param last: the last one, included.
    :param name: what it is called.
    """

    first: datetime.date
    last: datetime.date
    name: str


def read_marks(path: Path) -> list[Mark]:
    """
    Return the named days of a file, the earliest first.

    :param path: the file, in UTF-8; `parse_marks` says what is in it.
    :raises InvalidInputError: when it is too large, or has a line that is no named day.
    :raises OSError: when it cannot be read.
    :raises UnicodeError: when it is not in UTF-8.
    """
    status = path.stat()
    return list(_marks_of(path, status.st_mtime_ns, status.st_size))


@functools.lru_cache(maxsize=1)
def _marks_of(path: Path, modified: int, size: int) -> tuple[Mark, ...]:
    """Read the file once for each state that it is in: each answer of the page has its days."""
    if size > MAX_BYTES:
        raise InvalidInputError(f"it has {size:,} bytes; {MAX_BYTES:,} at most")
    # Windows begins a file with a byte order mark
    return tuple(parse_marks(path.read_text(encoding="utf-8-sig")))


def parse_marks(text: str) -> list[Mark]:
    """
    Return the named days of a file, the earliest first.

    :param text: one a line: ``2026-11-27 Black Friday`` or ``2026-12-24..2026-12-26 Christmas``. Empty lines, and those
        that begin with ``#``, count for nothing.
    :raises InvalidInputError: for the first line that is none; names its number.
    """
    marks = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            first, last, name = _LINE.fullmatch(entry).groups()  # type: ignore[union-attr]
            mark = Mark(datetime.date.fromisoformat(first), datetime.date.fromisoformat(last or first), printable(name))
        except (AttributeError, ValueError):
            raise InvalidInputError(
                f"line {number} is {entry[:80]!r}: give a date and a name, such as "
                "2026-11-27 Black Friday or 2026-12-24..2026-12-26 Christmas"
            ) from None
        if mark.last < mark.first:
            raise InvalidInputError(f"line {number} ends before it begins")
        if len(name) > MAX_NAME_LENGTH:
            raise InvalidInputError(f"line {number} has a name of more than {MAX_NAME_LENGTH} characters")
        marks.append(mark)
    if len(marks) > MAX_MARKS:
        raise InvalidInputError(f"it has {len(marks):,} named days; {MAX_MARKS:,} at most")
    return sorted(marks, key=lambda mark: (mark.first, mark.last, mark.name))


def marks_between(marks: Iterable[Mark], first: datetime.date, last: datetime.date) -> list[Mark]:
    """Return the marks of which any day lies within two dates, both included."""
    return [mark for mark in marks if mark.first <= last and mark.last >= first]


def names_in(marks: Iterable[Mark], period: Period) -> str:
    """Return what the days of a period are called, or nothing."""
    found = marks_between(marks, period.first_date, period.next_date - datetime.timedelta(1))
    names = list(dict.fromkeys(mark.name for mark in found))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
