"""One running Airflow for the API and the browser, on rows of fixed dates."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from web import rows

from demo.stack import Airflow, Server, airflow_environment, run_airflow

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


def make_stack(server: Server, home: Path, **environment: str) -> tuple[Airflow, str]:
    """Return an Airflow that is not started, with metadata of its own, and the name of its filled database."""
    suffix = uuid.uuid4().hex[:8]
    metadata, database = f"web_airflow_{suffix}", f"web_{suffix}"
    server.create_database(metadata, template=os.environ["EMPTY_METADATA_DATABASE"])
    server.create_database(database, template=os.environ["TEMPLATE_DATABASE"])
    with server.connect(database) as connection:
        rows.fill(connection)
    settings = airflow_environment(home, server, metadata=metadata, database=database)
    return Airflow({**settings, **environment}), database


@pytest.fixture(scope="session")
def web(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Airflow with the simple auth manager: an admin, a viewer, and somebody who may do nothing."""
    airflow, database = make_stack(
        server,
        tmp_path_factory.mktemp("web"),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin,viewer:viewer,nobody:",
    )
    with server.connect(database, row_factory=dict_row) as connection:
        try:
            airflow.start()
            passwords = json.loads(Path(airflow.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
            yield Web(airflow, connection, passwords)
        finally:
            airflow.stop()
    server.drop_database(database)


__all__ = ["API", "Web", "make_stack", "run_airflow"]
