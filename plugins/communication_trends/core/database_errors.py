"""What PostgreSQL's errors mean: whether a retry may help, whom they affect, how to fix them. No Airflow in here."""

from __future__ import annotations

import re

from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError

try:
    import psycopg
except ImportError:  # Airflow 2.11 with SQLAlchemy 1.4
    psycopg = None  # type: ignore[assignment]
try:
    import psycopg2
except ImportError:
    psycopg2 = None  # type: ignore[assignment]

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    *(driver.Error for driver in (psycopg, psycopg2) if driver),
    DatabaseUnavailableError,
    DatabaseUnusableError,
)
"""What the drivers and this module raise, for ``except``."""

REMEDIES = {
    "42P01": "apply sql/schema/communication_trends.sql, or check the search_path of the connection",
    "42703": "compare the table with sql/schema/",
    "42501": "see sql/schema/grants.sql; with row-level security, the role needs bypassrls",
    "42P10": "the unique index on communication_trends is missing: apply sql/schema/communication_trends.sql",
    "3F000": "check the search_path of the connection",
    "42804": "compare the types of the columns with sql/schema/",
    "42883": "compare the types of the columns with sql/schema/",
    "42846": "compare the types of the columns with sql/schema/",
    "42809": "communication_trends has to be a table: compare it with sql/schema/communication_trends.sql",
    "428C9": "have a plain column there, as in sql/schema/communication_trends.sql",
    "55000": "bring the table or view that it names into a state in which PostgreSQL takes the statement",
    "0A000": "PostgreSQL cannot do this with that table: compare it with sql/schema/",
    "22P02": "compare the types of the columns, and the labels of an enum, with sql/schema/",
    "22P05": "the database's encoding lacks a character: move it to a database with the encoding UTF8",
    "22001": "make the column as wide as in sql/schema/communication_trends.sql",
    "23502": "give the column a default, or let it be null",
    "23514": "change the check that it names, or create the missing partition",
}
"""Errors that no retry can mend, by SQLSTATE, with what does (PostgreSQL documentation, appendix A)."""

ROW_DEPENDENT_ERRORS = frozenset({"0A000", "22001", "22P02", "22P05", "23502", "23514"})
"""Those of `REMEDIES` that the rows of one organization can cause: the other organizations of its batch may succeed."""

CONNECTION_REMEDIES = {
    "(password|ident|peer|gssapi|ldap|certificate) authentication failed|no password supplied": (
        "correct the connection's login and password"
    ),
    "no pg_hba.conf entry|pg_hba.conf rejects|not permitted to log in|not allowed to connect|permission denied for": (
        "let the server accept that login, database and host, see its pg_hba.conf"
    ),
    '(database|role|file) "[^"]*" does not exist|no such (database|user)': (
        "correct the connection's schema (the database), its login or the file that its extra names"
    ),
    "unsupported startup parameter": (
        "a pooler refuses it: take it out of the connection's extra, or let the pooler ignore_startup_parameters"
    ),
    "invalid (connection option|dsn|port|[a-z_]+ value|value for parameter)|bad value for|unrecognized configuration": (
        "correct the connection's extra: it may hold options of libpq"
    ),
    "does not support SSL|certificate verify failed": "correct the connection's sslmode, or the server's certificate",
    "conversion between .* is not supported|failed to find conversion function": (
        "its text cannot be had as UTF-8: move the database to the encoding UTF8"
    ),
}
"""Errors at connecting that no retry can mend, by their text: no driver gives the SQLSTATE of these."""

CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that collided with another one, or with a replica's recovery: it has to begin anew."""


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character error code, or None where the server gave none."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def is_lost(error: BaseException) -> bool:
    """Whether an error is about the connection or the server, so that no organization would fare better alone."""
    code = sqlstate(error)
    return (
        code is None
        or code in {"25006", "25P03", "25P04", "53300"}  # read-only, idle or open for too long, no connection
        or (code[:2] in {"08", "57", "58"} and code != "57014")  # 57014: a timeout, perhaps one organization's
    )


def remedy(error: BaseException) -> str | None:
    """Return what mends an error that no retry can mend, or None for any other."""
    if code := sqlstate(error):
        return REMEDIES.get(code)
    if not isinstance(error, DATABASE_ERRORS) or isinstance(error, DatabaseUnavailableError):
        return None
    return next((text for pattern, text in CONNECTION_REMEDIES.items() if re.search(pattern, str(error))), None)


def explain(error: BaseException) -> str:
    """Return an error's first line, with PostgreSQL's code and, for a timeout, the setting that bounds it."""
    code = sqlstate(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    hint = {"57014": " (setting statement_timeout)", "55P03": " (setting lock_timeout)"}.get(code or "", "")
    return f"{lines[0]}{f' [SQLSTATE {code}]' if code else ''}{hint}"
