"""One running Airflow for the API and the browser, on rows of fixed dates."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import insert_trend, made_database, running_airflow_on
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from local.airflow import Airflow
from local.servers import Server
from web import chromium, rows

API = "/communication-trends/api/v1"


@dataclass
class Web:
    """
    A running Airflow with the page.

    :param airflow: the processes.
    :param connection: to the database with the trends.
    :param passwords: by user name.
    """

    airflow: Airflow
    connection: psycopg.Connection[dict[str, Any]]
    passwords: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, user: str) -> str:
        """Log a user in, once."""
        if user not in self.tokens:
            self.tokens[user] = self.airflow.log_in(user, self.passwords[user])
        return self.tokens[user]

    def get(self, path: str, user: str | None = "viewer", **kwargs: Any) -> httpx.Response:
        """Request a path of the application as a user, or as nobody."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.get(f"{self.airflow.url}{path}", headers=headers, timeout=60, **kwargs)


@dataclass
class Api:
    """
    The application in this process, mounted as Airflow mounts it, with Airflow's own authentication.

    :param client: sends requests to it.
    :param connection: to the database with the trends.
    """

    client: TestClient
    connection: psycopg.Connection[dict[str, Any]]

    def get(self, path: str, user: str | None = "viewer", **kwargs: Any) -> Any:
        """Request a path of the application as a user, or as nobody."""
        return self.request("GET", path, user, **kwargs)

    def request(self, method: str, path: str, user: str | None = "viewer", **kwargs: Any) -> Any:
        """Send any request to the application as a user, or as nobody."""
        return self.client.request(method, path, headers=self.headers(user), **kwargs)

    def headers(self, user: str | None) -> dict[str, str]:
        """Return the headers of a user's requests, or of nobody's."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        if not user:
            return {}
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=user, role=user))
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as browser:
        yield browser


@contextmanager
def making(connection: psycopg.Connection[dict[str, Any]]) -> Iterator[Callable[..., None]]:
    """Yield what makes an organization with trends, by their dates; all of them are gone afterwards."""
    slugs = []

    def make(
        slug: str,
        trends: Iterable[tuple[object, dict[str, Any]]] = (),
        created: object = "2026-07-15",
        kind: str = "daily",
        name: str | None = None,
    ) -> None:
        if slug not in slugs:
            slugs.append(slug)
            connection.execute(
                "insert into organizations (name, slug, created_at) values (%s, %s, %s)",
                (name or slug.title(), slug, created),
            )
        for date, columns in trends:
            insert_trend(connection, slug, date, {"total_classifications": 0, **columns}, kind)

    try:
        yield make
    finally:
        connection.execute("delete from organizations where slug = any(%s)", (slugs,))


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    """The application on a database of its own; no other process."""
    from airflow.api_fastapi.app import init_auth_manager
    from fastapi import FastAPI

    from communication_trends.web.app import create_app

    outer = FastAPI()
    outer.mount("/communication-trends", create_app())
    init_auth_manager(outer)
    with pytest.MonkeyPatch.context() as patched, made_database(server) as database:
        patched.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        rows.fill(database.connection)
        with TestClient(outer) as client:
            yield Api(client, database.connection)


@pytest.fixture(scope="package")
def web(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Airflow with the simple auth manager: an admin, a viewer, and a user who may do nothing."""
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer,nobody:",
        # a run that is to fail does so at once
        "AIRFLOW__COMMUNICATION_TRENDS__RETRIES": "0",
    }
    with running_airflow_on(server, tmp_path_factory.mktemp("web"), **settings) as (airflow, database):
        rows.fill(database.connection)
        airflow.start()
        # the page asks for the runs of the DAG
        airflow.wait_until(
            lambda: airflow.request("GET", "/api/v2/dags/communication_trends_daily").is_success,
            what="the DAG is there",
        )
        passwords = Path(airflow.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()
        yield Web(airflow, database.connection, json.loads(passwords))


def read_csv(answer):
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
