"""Puts SQL statements together from their files. No Airflow in here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_READS = re.compile(r"^-- reads: (.+)$", re.MULTILINE)
_BEGIN = re.compile(r"^(with|select)\n", re.MULTILINE)
"""Where a statement begins, after what is said of it."""


def compose(path: Path, instead: Mapping[str, str] | None = None) -> str:
    """
    Return a statement with the views that it reads.

    A view is a statement of its own file, in the same folder. Who reads it names it after ``-- reads:``, and gets it as
    a common table expression: views in the application's database are not ours to make.

    :param path: the statement's file.
    :param instead: views whose definition is taken from another file: names without the ending, by name.
    """
    views: dict[str, str] = {}

    def gather(text: str) -> None:
        named = _READS.search(text)
        for view in named[1].split(", ") if named else []:
            if view not in views:
                file = (instead or {}).get(view, view)
                definition = path.with_name(f"{file}.sql").read_text(encoding="utf-8")
                gather(definition)
                views[view] = definition.rstrip().removesuffix(";")

    text = path.read_text(encoding="utf-8")
    gather(text)
    if not views:
        return text
    # each statement plans them as if they were written out in it
    expressions = ",\n".join(f"{view} as not materialized (\n{definition}\n)" for view, definition in views.items())
    own = _BEGIN.split(text, maxsplit=1)
    return f"{own[0]}with\n{expressions}{',' if own[1] == 'with' else ''}\n{own[1].removeprefix('with')}\n{own[2]}"
