"""
docker-compose.yaml: what it resolves to, and each service's command, environment and health check, run as processes.

No container is started: names that the services have for each other become loopback and free ports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml
from psycopg import sql

from communication_trends import __version__
from local import ROOT

pytestmark = pytest.mark.slow

SECRETS = re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
IMAGE_HOME = "/opt/airflow"
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """A folder with the .env that ``make .env`` makes, and its values."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(ROOT / ".env.example", folder)
    subprocess.run(["make", "--file", ROOT / "Makefile", ".env"], cwd=folder, check=True, capture_output=True)
    lines = (folder / ".env").read_text().splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines if line[:1].isalpha())}


def resolved(folder, values, *arguments):
    """Return the services as podman-compose resolves them."""
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    files = ["--file", str(ROOT / "docker-compose.yaml"), "--env-file", str(env_file)]
    config = subprocess.run(
        ["podman-compose", *files, *arguments, "config"],
        env={"PATH": TOOLS, "HOME": str(folder)},
        cwd=folder,
        text=True,
        capture_output=True,
        check=True,
    )
    return yaml.safe_load(config.stdout)["services"]


def test_each_secret_is_random_and_long(secrets):
    assert list(secrets) == SECRETS
    assert len(set(secrets.values())) == len(SECRETS) == 6
    assert {len(value) for value in secrets.values()} == {44}


@pytest.mark.parametrize("name", SECRETS)
def test_nothing_starts_without_a_secret(secrets, tmp_path, name):
    with pytest.raises(subprocess.CalledProcessError) as raised:
        resolved(tmp_path, {**secrets, name: ""})
    assert f"{name} is missing a value: is not set, see .env.example" in raised.value.stderr


def test_services(secrets, tmp_path):
    always = resolved(tmp_path, secrets)
    assert set(always) == {
        "postgres",
        "airflow-init",
        "api-server",
        "scheduler",
        "dag-processor",
    }
    services = resolved(tmp_path, secrets, "--profile", "celery")
    assert set(services) - set(always) == {"redis", "worker"}
    for name, service in services.items():
        if "build" in service:
            assert service["image"] == f"communication-trends:{__version__}"
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name != "airflow-init":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def free_ports(count):
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


class Processes:
    """
    Services of docker-compose.yaml as processes.

    :param services: as resolved.
    :param home: what /opt/airflow of the image becomes.
    :param replacements: text in the services, and what it becomes here.
    :param environment: variables besides those of the services.
    """

    def __init__(self, services, home, replacements, environment):
        text = json.dumps(services)
        for old, new in replacements.items():
            assert old in text, old
            text = text.replace(old, new)
        self.services = json.loads(text)
        self.home = home
        self.environment = environment
        self.processes = {}

    def _options(self, name):
        environment = {"PATH": TOOLS, "AIRFLOW_HOME": str(self.home), **self.environment}
        return {"cwd": self.home, "env": {**environment, **self.services[name].get("environment", {})}}

    def run(self, name):
        """Run a service's command to its end."""
        done = subprocess.run(self.services[name]["command"], capture_output=True, text=True, **self._options(name))
        assert done.returncode == 0, done.stderr[-3000:]

    @contextmanager
    def started(self, name):
        """Run a service's command in the background; its health check fails before."""
        assert not self.healthy(name)
        with (self.home / f"{name}.out").open("wb") as output:
            process = self.processes[name] = subprocess.Popen(
                self.services[name]["command"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options(name),
            )
        try:
            yield
        finally:
            for end in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, end)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=30)

    def wait_until_healthy(self, name):
        """Wait until the health check of a service that was started passes."""
        deadline = time.monotonic() + 180
        while not self.healthy(name):
            output = (self.home / f"{name}.out").read_text()[-3000:]
            assert self.processes[name].poll() is None, output
            assert time.monotonic() < deadline, output
            time.sleep(1)

    def healthy(self, name):
        """Run a service's health check once, and return whether it passes."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        arguments = {"CMD": command, "CMD-SHELL": ["sh", "-c", *command]}[kind]
        return subprocess.run(arguments, capture_output=True, **self._options(name)).returncode == 0


def image_home(folder):
    """Return a folder with what the image and the mounts of airflow-init have in /opt/airflow."""
    copies = re.findall(rf"^COPY (\S+) {IMAGE_HOME}/(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    mounts = re.findall(
        rf"^ +- \./(\S+):{IMAGE_HOME}/(\S+):ro$", (ROOT / "docker-compose.yaml").read_text(), re.MULTILINE
    )
    assert copies
    assert mounts
    for source, target in [*copies, *mounts]:
        shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("profile", ["default", "celery"])
def test_the_services_run_the_dag(server, secrets, tmp_path, profile):
    """Needs a PostgreSQL of its own on a port: the databases and the role have the names that the services use."""
    given = psycopg.conninfo.conninfo_to_dict(server.uri)
    host, port = given["host"], given["port"]
    api, health, worker_logs, redis = free_ports(4)
    services = resolved(tmp_path, secrets)
    redis_options = {}
    if profile == "celery":
        services = resolved(tmp_path, {**secrets, "AIRFLOW_EXECUTOR": "CeleryExecutor"}, "--profile", "celery")
        redis_options = {
            "redis-cli ping": f"redis-cli -p {redis} ping",
            "dir /data": rf"dir {tmp_path}\nbind 127.0.0.1\nport {redis}",
        }
    processes = Processes(
        services,
        image_home(tmp_path),
        {
            "@postgres:5432/": f"@{host}:{port}/",
            r"\"host\": \"postgres\", \"port\": 5432": rf"\"host\": \"{host}\", \"port\": {port}",
            "//api-server:8080/": f"//127.0.0.1:{api}/",
            "//127.0.0.1:8080/": f"//127.0.0.1:{api}/",
            "--port 8080": f"--port {api}",
            "//127.0.0.1:8974/": f"//127.0.0.1:{health}/",
            "@redis:6379/": f"@127.0.0.1:{redis}/",
            **redis_options,
            IMAGE_HOME: str(tmp_path),
        },
        {
            "PGPORT": port,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
        },
    )
    with ExitStack() as stack:
        prepare_postgres(server, secrets["POSTGRES_PASSWORD"], stack)
        assert processes.healthy("postgres")
        processes.run("airflow-init")
        # in the order in which they wait for each other; most health checks take two seconds of a processor
        for together in (["redis", "api-server"], ["scheduler", "dag-processor", "worker"]):
            names = [name for name in together if name in processes.services]
            for name in names:
                stack.enter_context(processes.started(name))
            for name in names:
                processes.wait_until_healthy(name)
        metadata = stack.enter_context(server.connect("airflow"))
        deadline = time.monotonic() + 240
        while not (ended := metadata.execute(ENDED_RUNS).fetchall()):
            assert time.monotonic() < deadline
            time.sleep(1)
        assert [state for state, _ in ended] == ["success"]
        login = {"username": "admin", "password": secrets["AIRFLOW_ADMIN_PASSWORD"]}
        assert httpx.post(f"http://127.0.0.1:{api}/auth/token", json=login).status_code == 201
        assert httpx.post(f"http://127.0.0.1:{api}/auth/token", json={**login, "password": "admin"}).status_code == 401
        with server.connect("communication_trends") as connection:
            stored = connection.execute(STORED, [ended[0][1]]).fetchall()
            assert stored == connection.execute(COUNTED, [ended[0][1]]).fetchall()
            assert sum(total for _, total in stored) > 0


ENDED_RUNS = """
select state, data_interval_start from dag_run
where state in ('success', 'failed') and dag_id = 'communication_trends_daily'
"""
STORED = """
select organization_id, total_classifications from communication_trends
where trend_period = 'daily' and trend_date = %s at time zone 'utc'
order by organization_id
"""
COUNTED = """
select organizations.id, count(messages.id)::integer
from organizations
left join topic_classifications as messages
on messages.organization_id = organizations.id and messages.created_at::date = (%s at time zone 'utc')::date
group by organizations.id order by organizations.id
"""


def prepare_postgres(server, password, stack):
    """Do what PostgreSQL's image does with the service's environment and the file that is mounted into it."""
    role = sql.SQL("create role airflow superuser login password {}").format(password)
    with server.connect("postgres") as connection:
        connection.execute(role)
        stack.callback(drop_role, server)
        connection.execute("create database airflow owner airflow")
        stack.callback(server.drop_database, "airflow")
        connection.execute((ROOT / "sql" / "schema" / "demo_database.sql").read_text())
        stack.callback(server.drop_database, "communication_trends")


def drop_role(server):
    with server.connect("postgres") as connection:
        connection.execute("drop role airflow")
