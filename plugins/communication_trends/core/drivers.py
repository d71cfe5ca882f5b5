"""What differs between psycopg 3 and psycopg2, which comes with Airflow 2.11. No Airflow in here."""

from __future__ import annotations

from typing import Any

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:  # Airflow 2.11 with SQLAlchemy 1.4
    psycopg = None  # type: ignore[assignment]
try:
    import psycopg2
    import psycopg2.extensions
    import psycopg2.extras
except ImportError:
    psycopg2 = None  # type: ignore[assignment]


def set_up(connection: Any) -> list[str]:
    """
    Set up a connection for transactions that see one snapshot each.

    Rows that arrive between two statements then cannot make the aggregate and the count that verifies it disagree.

    :param connection: of either driver, with no transaction open.
    :returns: the server's notices, a list that grows.
    """
    connection.autocommit = False
    if not _is_psycopg3(connection):
        connection.isolation_level = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
        return connection.notices
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    # Prepare nothing on the server: behind a pooler the next transaction may be on another session.
    connection.prepare_threshold = None
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(f"{notice.message_primary} {notice.source_function}"))
    return notices


def open_cursor(connection: Any) -> Any:
    """
    Open a cursor whose rows are dicts.

    :param connection: of either driver.
    """
    if _is_psycopg3(connection):
        return connection.cursor(row_factory=dict_row)
    return connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)


def cancel(connection: Any, timeout: float) -> None:
    """
    Cancel the statement that runs on a connection, from another thread; nothing where the driver has no safe way.

    Every other way to cancel, psycopg2's included, would block all threads for as long as the network is silent.

    :param connection: of either driver.
    :param timeout: seconds that it may take.
    :raises psycopg.Error: when it does not work.
    """
    if _is_psycopg3(connection) and psycopg.capabilities.has_cancel_safe():
        connection.cancel_safe(timeout=timeout)


def _is_psycopg3(connection: Any) -> bool:
    return psycopg is not None and isinstance(connection, psycopg.Connection)
