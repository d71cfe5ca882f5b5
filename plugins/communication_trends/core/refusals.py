"""What PostgreSQL refuses when storing is tried: whom it concerns, and how to fix it. No Airflow in here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from communication_trends.core.database_errors import (
    CONFLICTS,
    REMEDIES_IN_THE_APPLICATION,
    is_in_function,
    named,
    remedy,
    sqlstate,
)


@dataclass(frozen=True)
class Problem:
    """
    What keeps a run from working.

    :param what: what is wrong, where.
    :param remedy: what fixes it.
    """

    what: str
    remedy: str


def refusal(error: Exception, where: str, tried: int) -> Problem:
    """
    Return an error in PostgreSQL's own words, with its remedy.

    :param error: the error.
    :param where: the table that it is about, unless the error names another.
    :param tried: for how many organizations it was the same.
    """
    code = sqlstate(error)
    if named(error, "table_name") == "communication_trends_provenance":
        where = "communication_trends_provenance"
    said = [named(error, "message_primary") or str(error)]
    # the failing row of a constraint would be the whole trend
    if not (code in {"23502", "23514"} and (named(error, "constraint_name") or named(error, "column_name"))):
        said.append(named(error, "message_detail") or "")
    if code == "55000":
        said.append(named(error, "message_hint") or "")
    if code and code[:2] == "P0":
        said += (named(error, "context") or "").splitlines()[:1]
    what = " ".join(text.rstrip(".") + "." for text in said if text).removesuffix(".")
    if tried > 1:
        what += f" (for each of {tried} organizations)"
    return Problem(f"{where}: {what}" + (f" [SQLSTATE {code}]" if code else ""), _remedy(error))


def is_of_the_table(error: Exception) -> bool:
    """Whether an error would meet every organization: wrong tables, columns, types, indexes, privileges."""
    code = sqlstate(error) or ""
    return (code[:2] == "42" or code in {"25006", "3F000", "55000"}) and not is_in_function(error)


def may_be_of_the_table(error: Exception) -> bool:
    """Whether an error is PostgreSQL's own: mostly the table's, though a trigger may cause it for one organization."""
    code = sqlstate(error)
    if code == "23502":
        return bool(named(error, "column_name") or named(error, "datatype_name"))
    return code in {"0A000", "22001", "22P02"} or _has_no_partition(error)


def _has_no_partition(error: Exception) -> bool:
    # the same SQLSTATE as a check's, which has a name; where a trigger raises it, there is no table
    return bool(sqlstate(error) == "23514" and named(error, "table_name") and not named(error, "constraint_name"))


def is_temporary(error: Exception) -> bool:
    """Whether an error is of this moment: another session's lock, a time limit, a conflict, no memory, a full disk."""
    code = sqlstate(error) or ""
    return code in CONFLICTS | {"55P03", "57014"} or code[:2] in {"53", "XX"}


def _remedy(error: Exception) -> str:
    """Return what fixes an error, with the names that PostgreSQL gives."""
    code = sqlstate(error)
    table = _quoted(named(error, "table_name") or "communication_trends")
    if code == "23502" and (column := named(error, "column_name")):
        return f"alter table {table} alter {_quoted(column)} drop not null, or give it a default"
    if code == "23502":
        return "give the column a default, or a type that allows null"
    if _has_no_partition(error):
        rest = _quoted(f"{named(error, 'table_name')}_default")
        return f"create the partition, or one for all other rows: create table {rest} partition of {table} default"
    # a trigger may write another table, whose unique index is the application's
    if code is None or code[:2] == "P0" or (code == "23505" and not table.startswith("communication_trends")):
        return "correct the application's triggers and rules on communication_trends"
    return REMEDIES_IN_THE_APPLICATION.get(code) or remedy(error) or "correct what refuses it"


def _quoted(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
