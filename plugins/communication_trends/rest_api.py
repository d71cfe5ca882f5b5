"""Airflow's public REST API, with the login of the connection that the setting ``api_conn_id`` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from communication_trends import settings
from communication_trends.compat import rest_api_authentication


def address(connection: Any) -> str:
    """
    Return the address that an Airflow connection gives.

    Its path is that of Airflow's ``base_url``, under which the API server answers, unless the connection's extra has a
    ``path``: an Airflow connection has no field for it.
    """
    path = connection.extra_dejson.get("path", urlsplit(settings.ui_url() or "").path).strip("/")
    host = f"{connection.schema or 'http'}://{connection.host}:{connection.port or 8080}"
    return f"{host}/{path}" if path else host


@contextmanager
def logged_in(connection: Any, timeout: float = 60) -> Iterator[httpx.Client]:
    """
    Log in and yield a client, whose paths begin at `compat.REST_API`.

    :param connection: host, port, login and password; schema ``https`` where it is.
    :param timeout: seconds that an answer may take.
    :raises httpx.HTTPError: when the login is refused, or there is no answer.
    """
    with httpx.Client(base_url=address(connection), timeout=timeout) as client:
        rest_api_authentication(client, connection.login or "", connection.password or "")
        yield client
