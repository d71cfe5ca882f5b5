"""Who may see it: real tokens, the simple and the FAB auth manager."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from conftest import running_airflow_on

from local import ROOT
from local.airflow import Airflow, run_airflow
from web import rows
from web.conftest import API

PATHS = [
    "/communication-trends/",
    "/communication-trends/static/page.js",
    "/communication-trends/static/page.css",
    "/communication-trends/static/plotly.min.js",
    "/communication-trends/static/icon.svg",
    "/communication-trends/nothing",
    f"{API}/openapi.json",
    f"{API}/organizations",
    f"{API}/organizations/acme/trends",
    f"{API}/trends",
    f"{API}/overview",
    f"{API}/hotspots",
    f"{API}/comparison",
    f"{API}/topic-changes",
    f"{API}/attention",
    f"{API}/freshness",
    f"{API}/runs/none",
]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_gets_in_without_the_permission(web, path):
    assert web.get(path, user=None).status_code == 401
    assert web.get(path, user="nobody").status_code == 403
    missing = path.endswith(("nothing", "none"))
    assert web.get(path, user="viewer").status_code == (404 if missing else 200)


def test_every_route_is_among_those_paths(web):
    from communication_trends.web.app import create_app

    described = set(create_app().openapi()["paths"])
    names = {"{organization}": "acme", "{run_id}": "none"}
    asked = {path.removeprefix("/communication-trends") for path in PATHS}
    for path in described:
        assert re.sub(r"\{\w+\}", lambda found: names[found[0]], path) in asked


def test_a_forged_token_gets_nobody_in(web):
    for headers in ({"Authorization": "Bearer forged"}, {"Cookie": "_token=forged"}):
        answer = httpx.get(f"{web.airflow.url}{API}/trends", headers=headers, timeout=60)
        assert answer.status_code in {401, 403}


def test_a_browser_gets_in_with_its_cookie(web):
    answer = httpx.get(
        f"{web.airflow.url}/communication-trends/", headers={"Cookie": f"_token={web.token('viewer')}"}, timeout=60
    )
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "//" not in re.sub(r"https?://www\.w3\.org", "", answer.text)


def test_assets_are_kept_by_the_browser(web):
    page = web.get("/communication-trends/").text
    [url] = re.findall(r"static/[0-9a-f]{16}/plotly\.min\.js", page)
    answer = web.get(f"/communication-trends/{url}")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert len(answer.content) > 1_000_000
    with httpx.Client(headers={"Authorization": f"Bearer {web.token('viewer')}"}, timeout=60) as client:
        again = client.get(
            f"{web.airflow.url}/communication-trends/{url}", headers={"If-None-Match": answer.headers["etag"]}
        )
    assert (again.status_code, again.content) == (304, b"")
    # what a script imports comes from the same folder, so from the same version
    script = web.get(f"/communication-trends/{url.replace('plotly.min', 'page')}")
    assert 'from "./address.js"' in script.text
    assert script.headers["cache-control"] == "private, max-age=31536000, immutable"
    outdated = web.get("/communication-trends/static/0123456789abcdef/page.js")
    assert (outdated.text, outdated.headers["cache-control"]) == (script.text, "private, no-cache")
    assert web.get(f"{API}/trends").headers["cache-control"] == "private, no-cache"


def test_the_views_are_registered(web):
    plugins = web.airflow.request("GET", "/api/v2/plugins").json()["plugins"]
    views = next(plugin for plugin in plugins if plugin["name"] == "communication_trends")["external_views"]
    assert {view["destination"]: view["url_route"] for view in views} == {
        "nav": "communication-trends",
        "dag": "communication-trends-dag",
        "dag_run": "communication-trends-run",
    }


def test_loading_the_plugin_loads_no_web():
    script = (
        "import sys, communication_trends_plugin as plugin;"
        "assert plugin.CommunicationTrendsPlugin.fastapi_apps;"
        "print([name for name in ('fastapi', 'communication_trends.web.app', 'communication_trends.web.routes')"
        " if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    before = subprocess.run(
        [sys.executable, "-c", "import sys, communication_trends.operators; print('fastapi' in sys.modules)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    loaded = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    names = loaded.stdout.splitlines()[-1]
    assert "communication_trends" not in names
    assert ("fastapi" in names) <= (before == "True")


IN_FAB = """
import sys
from airflow.models import Connection
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils.session import create_session

with create_session() as session:
    session.add(Connection.from_json(sys.argv[1], conn_id="communication_trends_db"))
with get_application_builder() as builder:
    builder.sm.add_role("Nothing")
    for user, role in [("viewer", "Viewer"), ("nobody", "Nothing")]:
        found = builder.sm.find_role(role)
        assert builder.sm.add_user(user, user, user, f"{user}@example.org", found, f"{user}-password")
"""
"""What four commands would do, each with an Airflow to import."""


@pytest.fixture(scope="module")
def fab(server, tmp_path_factory) -> Iterator[Airflow]:
    """Airflow with the FAB auth manager, its connection in Airflow's own database."""
    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": "airflow.providers.fab.auth_manager.models.db.FABDBManager",
    }
    with (
        pytest.MonkeyPatch.context() as patched,
        running_airflow_on(server, tmp_path_factory.mktemp("fab"), **settings) as (airflow, database),
    ):
        rows.fill(database.connection)
        connection = airflow.environment.pop("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB")
        patched.delenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB")
        run_airflow(airflow.environment, "db", "migrate")
        environment = {**os.environ, **airflow.environment}
        subprocess.run([sys.executable, "-c", IN_FAB, connection], env=environment, check=True, capture_output=True)
        airflow.start("api-server")
        yield airflow


def test_fab_decides_too(fab):
    # to check a password takes as long as FAB can make it: each user logs in once
    users = ("nobody", "viewer")
    headers = [{}, *({"Authorization": f"Bearer {fab.log_in(user, f'{user}-password')}"} for user in users)]
    for path in PATHS:
        missing = path.endswith(("nothing", "none"))
        statuses = [httpx.get(f"{fab.url}{path}", headers=each, timeout=60).status_code for each in headers]
        assert statuses == [401, 403, 404 if missing else 200], path
