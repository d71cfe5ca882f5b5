"""Puts SQL statements together from their files, and splits what is handed to them. No Airflow in here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MAX_JSON_LENGTH = 32_000_000
"""Characters of JSON that one statement carries: PostgreSQL takes no text of 1 GB, and no jsonb string of 256 MB."""

_READS = re.compile(r"^-- reads: (.+)$", re.MULTILINE)
_BEGIN = re.compile(r"^(with|select)\n", re.MULTILINE)
"""Where a statement begins, after what is said of it."""


def compose(path: Path, instead: Mapping[str, str] | None = None) -> str:
    """
    Return a statement with the views that it reads.

    A view is a statement in a separate file: of the same folder, of ``reading/``, or of the one above. A statement that
    reads it names it after ``-- reads:``, and gets it as a common table expression: views in the application's database
    are not ours to make.

    :param path: the statement's file.
    :param instead: views whose definition is taken from another file: names without the ending, by name.
    :raises FileNotFoundError: when the statement or a view is not there.
    """
    views: dict[str, str] = {}

    def gather(text: str) -> None:
        named = _READS.search(text)
        for view in named[1].split(", ") if named else []:
            if view not in views:
                file = (instead or {}).get(view, view)
                definition = _read_view(path.parent, file)
                gather(definition)
                views[view] = definition.rstrip().removesuffix(";")

    text = path.read_text(encoding="utf-8")
    gather(text)
    if not views:
        return text
    # each statement plans them as if they were written out in it, unless a view says that it is to be computed once
    expressions = ",\n".join(
        f"{view} as {'' if definition.startswith('-- A view, materialized') else 'not '}materialized (\n{definition}\n)"
        for view, definition in views.items()
    )
    own = _BEGIN.split(text, maxsplit=1)
    return f"{own[0]}with\n{expressions}{',' if own[1] == 'with' else ''}\n{own[1].removeprefix('with')}\n{own[2]}"


def _read_view(folder: Path, name: str) -> str:
    above = folder.parent / f"{name}.sql"
    for path in (folder / above.name, folder.parent / "reading" / above.name, above):
        # a statement of the same name is no view
        if path.exists() and (text := path.read_text(encoding="utf-8")).startswith("-- A view"):
            return text
    raise FileNotFoundError(f"There is no view {name}.sql in {folder} or next to it: copy all of the folder sql again")


def json_parts(trends: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """
    Return trends as parameters of a statement, in as many parts as it can carry at once.

    Each part has ``trends``, which is JSON, and ``trend_count``, how many these are.

    :param trends: what a statement takes as an array of objects.
    """
    # not as \u escapes: so a database in another encoding names the character that it cannot hold
    text = json.dumps(trends, default=str, ensure_ascii=False)
    if len(text) <= MAX_JSON_LENGTH or len(trends) < 2:
        yield {"trends": text, "trend_count": len(trends)}
    else:
        middle = len(trends) // 2
        yield from json_parts(trends[:middle])
        yield from json_parts(trends[middle:])


def bind_ids(parameters: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """
    Return a statement's parameters with ``organization_ids`` as the text of an array, which both drivers pass on.

    Of 10,000 ids in a list, each statement takes the drivers 10 ms to write that text.

    :param parameters: as of `Transaction.rows`.
    """
    ids = (parameters or {}).get("organization_ids")
    return parameters if ids is None else {**(parameters or {}), "organization_ids": f"{{{','.join(ids)}}}"}
