"""A real Airflow on this machine: the environment that makes it use this package, its commands, its components."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from local import ROOT
from local.servers import Server, free_port


def airflow_environment(home: Path, server: Server, *, metadata: str, database: str) -> dict[str, str]:
    """
    Return the environment variables with which Airflow runs this package on a server.

    :param home: AIRFLOW_HOME.
    :param server: where both databases are.
    :param metadata: name of Airflow's own database.
    :param database: name of the database with the messages and the trends.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # with its first task instance LocalExecutor forks as many processes as it may have, 32 by default
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__FERNET_KEY": _kept_secret(home / "fernet.key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept_secret(home / "jwt.key"),
        "AIRFLOW__API__SECRET_KEY": _kept_secret(home / "session.key"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.sqlalchemy_uri(metadata),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB": server.airflow_connection(database),
        # this environment's executables first, as if it were activated
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def run_airflow(environment: Mapping[str, str], *arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """
    Run one ``airflow`` command to its end.

    :param environment: from `airflow_environment`.
    :param arguments: what follows ``airflow`` on the command line.
    :raises subprocess.CalledProcessError: when it fails; with the end of its output as a note.
    """
    try:
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env={**os.environ, **environment},
            text=True,
            **{"check": True, "capture_output": True, **kwargs},
        )
    except subprocess.CalledProcessError as error:
        error.add_note(f"{(error.stdout or '')[-6000:]}{(error.stderr or '')[-3000:]}")
        raise


def _kept_secret(path: Path) -> str:
    """Return a random key, the same each time for the same path; 32 bytes in URL-safe base64, as Fernet asks."""
    if not path.exists():
        import base64

        path.touch(mode=0o600)
        path.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text()


class Airflow:
    """
    A running Airflow: each component in a separate process, its output in a file under AIRFLOW_HOME/logs.

    :param environment: from `airflow_environment`; the API server's address is added to it.
    :param port: where the API server listens on loopback; 0 for any free one.
    """

    def __init__(self, environment: Mapping[str, str], port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        home = Path(environment["AIRFLOW_HOME"])
        self.login = ("admin", _kept_secret(home / "admin.password"))
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps(dict([self.login])))
        self.environment = {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            # seconds that the scheduler pauses between its loops, and the DAG processor between looks at the folder
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # how late a supervisor may see that its task instance has ended (docs/executors.md)
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            **environment,
        }
        self.logs = home / "logs"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *components: str) -> None:
        """
        Start components, and wait until the API server answers, if it is one of them.

        :param components: ``api-server``, ``scheduler``, ``dag-processor``, ``triggerer``; by default the first three.
        :raises RuntimeError: when one ends instead; with the last lines of its output.
        """
        for component in components or ("api-server", "dag-processor", "scheduler"):
            listen = ["--host", "127.0.0.1", "--port", str(self.port)] if component == "api-server" else []
            self.run(component, component, *listen)
            if component == "api-server":
                self.wait_until(self._answers, what="the API server answers")

    def run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """
        Start one ``airflow`` command as a component, in a separate process group.

        :param name: its name from then on, and that of its file in AIRFLOW_HOME/logs.
        :param arguments: what follows ``airflow`` on the command line.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.processes[name]

    def stop(self, *components: str) -> None:
        """Stop components, by default all of them, with the processes that they started."""
        stopping = [
            self.processes.pop(component)
            for component in components or list(self.processes)
            if component in self.processes
        ]
        for end in (signal.SIGTERM, signal.SIGKILL):
            for process in stopping:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, end)
            for process in stopping:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)

    def wait_until(self, condition: Callable[[], Any], *, what: str, seconds: float = 600) -> Any:
        """
        Return the condition's first true value.

        :param condition: called every half second.
        :param what: what is waited for, for the error.
        :param seconds: how long at most; patient by default, since a machine may have much else to do.
        :raises TimeoutError: when it stays false.
        :raises RuntimeError: when a component ends before that.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for component, process in self.processes.items():
                if process.poll() is not None:
                    tail = (self.logs / f"{component}.log").read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"airflow {component} ended with {process.returncode}:\n{tail}")
            if value := condition():
                return value
            time.sleep(0.5)
        raise TimeoutError(f"waited {seconds} seconds until {what}")

    @functools.cached_property
    def token(self) -> str:
        """The admin's access token, asked for once."""
        return self.log_in(*self.login)

    def log_in(self, username: str, password: str) -> str:
        """Return an access token of a user."""
        answer = httpx.post(f"{self.url}/auth/token", json={"username": username, "password": password}, timeout=60)
        return answer.raise_for_status().json()["access_token"]

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """
        Send one request to the REST API, logged in as admin.

        :param method: HTTP method.
        :param path: such as ``/api/v2/dags``.
        :param kwargs: what `httpx.request` takes.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.url + path, headers=headers, **{"timeout": 60, **kwargs})

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG as soon as it is parsed: runs of a paused one would only queue."""
        path = f"/api/v2/dags/{dag_id}"
        self.wait_until(lambda: self.request("GET", path).is_success, what=f"{dag_id} is parsed")
        self.request("PATCH", path, json={"is_paused": False}).raise_for_status()

    def finished(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended, and return it as the REST API has it."""

        def ended() -> dict[str, Any] | None:
            run = self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()
            return run if run["state"] in ("success", "failed") else None

        return self.wait_until(ended, what=f"the run {run_id} of {dag_id} has ended")

    def backfill(self, dag_id: str, first: str, last: str, **options: Any) -> httpx.Response:
        """
        Ask the REST API for a backfill, as docs/backfill.md has it, and return its answer.

        :param dag_id: id of the DAG.
        :param first: first day, YYYY-MM-DD, UTC.
        :param last: last day, included.
        :param options: what else the request has, such as ``reprocess_behavior``.
        """
        body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z", **options}
        return self.request("POST", "/api/v2/backfills", json=body)

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """
        Return what a task instance returned, over the REST API; None where it has returned nothing.

        :param dag_id: id of its DAG.
        :param run_id: id of its run.
        :param task_id: id of its task.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        response = self.request("GET", path)
        if response.status_code == 404:
            return None
        value = response.raise_for_status().json()["value"]
        return json.loads(value) if isinstance(value, str) else value

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).is_success
        except httpx.HTTPError:
            return False
