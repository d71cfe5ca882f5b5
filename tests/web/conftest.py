"""One running Airflow for the API and the browser, on rows of fixed dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import running_airflow_on

from local.airflow import Airflow
from local.servers import Server
from web import rows

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

    def token(self, user: str) -> str:
        """Log a user in."""
        answer = httpx.post(
            f"{self.airflow.url}/auth/token",
            json={"username": user, "password": self.passwords[user]},
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()["access_token"]

    def get(self, path: str, user: str | None = "viewer", **kwargs: Any) -> httpx.Response:
        """Request a path of the application as a user, or as nobody."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.get(f"{self.airflow.url}{path}", headers=headers, timeout=60, **kwargs)


@pytest.fixture(scope="session")
def web(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Airflow with the simple auth manager: an admin, a viewer, and somebody who may do nothing."""
    users = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer,nobody:"}
    with running_airflow_on(server, tmp_path_factory.mktemp("web"), **users) as (airflow, database):
        rows.fill(database.connection)
        airflow.start()
        passwords = Path(airflow.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()
        yield Web(airflow, database.connection, json.loads(passwords))
