"""The docs name all there is, and nothing that is not: checked against the running code."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from airflow_dag import load_bag
from conftest import made_role
from packaging.version import parse

from communication_trends import __version__, requirements, settings
from communication_trends.core.period import KINDS
from communication_trends.params import dag_params
from communication_trends.provider_info import get_provider_info
from local import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench" / "README.md"]
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NOTIFIER = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"

PACKAGE = "plugins/communication_trends"
FOLDERS = [
    "dags",
    "plugins",
    PACKAGE,
    *(f"{PACKAGE}/{folder}" for folder in ("core", "operators", "web", "web/answers", "web/models", "web/static")),
    "sql",
    "sql/schema",
    "sql/reading",
    "sql/web",
]


def section(page: str, heading: str) -> str:
    """Return what is under a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def table(page: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the first table under a heading, by the name in backticks that each begins with."""
    found = re.search(r"(^\|.*\n)+", section(page, heading), re.MULTILINE)
    assert found, f"there is no table under {heading!r}"
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", found[0], re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings have on GitHub and elsewhere."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture
def settings_read(monkeypatch) -> dict[str, str]:
    """What the settings module asks Airflow's configuration for, each with its default."""
    read: dict[str, str] = {}
    ask = settings.conf.get

    def get(section: str, key: str, **kwargs):
        if section == settings.SECTION:
            read[key] = kwargs["fallback"]
        return ask(section, key, **kwargs)

    monkeypatch.setattr(settings.conf, "get", get)
    known = -1
    while known < len(read):
        known = len(read)
        for name in read:
            # without a notifier, nothing asks for its arguments
            if name.endswith("_notifier"):
                monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name.upper()}", NOTIFIER)
                monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name.upper()}_KWARGS", '{"to": "a@example.com"}')
        for name, function in inspect.getmembers(settings, inspect.isfunction):
            needed = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
            if function.__module__ != settings.__name__ or name.startswith("_"):
                continue
            if not needed:
                function()
            elif [one.annotation for one in needed] == ["Granularity"]:
                for kind in KINDS.values():
                    function(kind)
        # the DAGs ask for the notifiers
        assert load_bag().import_errors == {}
    return read


def test_each_setting_is_in_the_reference_with_its_default(settings_read):
    rows = table(REFERENCE, "## Settings")
    assert rows.keys() == settings_read.keys()
    for name, default in settings_read.items():
        if default:
            assert rows[name][-1] == f"`{default}`", name


def test_each_param_is_in_the_reference_with_its_default():
    rows = table(REFERENCE, "## Params")
    for kind in KINDS.values():
        params = dag_params(kind)
        assert rows.keys() == params.keys()
        for name, param in params.items():
            assert rows[name][-1].startswith(f"`{str(param.value).lower().replace('none', 'null')}`"), name


def test_each_dag_is_in_the_reference():
    assert table(REFERENCE, "## DAGs").keys() == load_bag().dags.keys()


def test_each_key_of_the_summary_is_in_the_reference(database, run_dag):
    database.organization("acme")
    summary = run_dag({"date": "2026-11-01"}).summary
    rows = table(REFERENCE, "## Summary")
    assert rows.keys() == summary.keys()
    assert all(f"`{key}`" in rows["lookback"][-1] for key in summary["lookback"])


def test_each_column_of_the_table_is_in_the_reference(database):
    columns = database.connection.execute(
        "select column_name from information_schema.columns where table_name = 'communication_trends'"
    ).fetchall()
    assert table(REFERENCE, "## The table").keys() == {row["column_name"] for row in columns}


def openapi() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the operation of each route of the API, and the schemas of its answers."""
    from communication_trends.web.app import create_app

    described = create_app().openapi()
    routes = {path.removeprefix("/api/v1"): route["get"] for path, route in described["paths"].items()}
    return routes, described["components"]["schemas"]


def test_each_route_and_its_parameters_are_in_the_docs():
    routes, _ = openapi()
    assert table(API, "## Routes").keys() == routes.keys()
    parameters = {parameter["name"] for route in routes.values() for parameter in route.get("parameters", [])}
    assert {"period", "from", "to"} <= parameters
    assert [name for name in sorted(parameters) if not re.search(rf"`{name}[`=]|{{{name}}}", API)] == []


EXAMPLES = {
    "/organizations": "### Organizations",
    "/organizations/{organization}/trends": "### Trends of one organization",
    "/trends": "### Trends of all organizations",
    "/overview": "### Overview",
    "/hotspots": "### Hotspots",
    "/comparison": "### Comparison",
    "/topic-changes": "### Topic changes",
    "/attention": "### Attention",
    "/freshness": "### Freshness",
    "/runs/{run_id}": "### Runs",
}


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def unknown_fields(example: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Return what an example has, and its schema does not: names of fields, and values of another type."""
    if "$ref" in schema:
        return unknown_fields(example, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return min((unknown_fields(example, one, schemas) for one in schema["anyOf"]), key=len)
    is_right = example is None if schema["type"] == "null" else isinstance(example, TYPES[schema["type"]])
    if not is_right or (isinstance(example, bool) and schema["type"] != "boolean"):
        return [f"{example!r} is not of the type {schema['type']}"]
    if isinstance(example, list):
        return [found for one in example for found in unknown_fields(one, schema["items"], schemas)]
    if not isinstance(example, dict) or "properties" not in schema:
        return []
    fields = schema["properties"]
    return [
        found
        for name, value in example.items()
        for found in (unknown_fields(value, fields[name], schemas) if name in fields else [name])
    ]


def test_each_route_has_an_example_of_fields_that_its_answer_has():
    routes, schemas = openapi()
    assert EXAMPLES.keys() == routes.keys()
    for route, heading in EXAMPLES.items():
        (block,) = re.findall(r"^```json\n(.*?)^```", section(API, heading), re.MULTILINE | re.DOTALL)
        schema = routes[route]["responses"]["200"]["content"]["application/json"]["schema"]
        example = json.loads(block)
        assert len(example) > 1
        assert unknown_fields(example, schema, schemas) == [], route
        # it notices one
        assert unknown_fields({**example, "invented": 1}, schema, schemas) == ["invented"]


def test_each_make_target_is_in_the_reference():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^ +(make \S+)", listed, re.MULTILINE)
    assert "make demo" in targets
    assert table(REFERENCE, "## make targets").keys() == set(targets)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_file_of_the_package_has_a_line_in_the_architecture(folder):
    lines = re.findall(r"^- `([^`]+)`", section(ARCHITECTURE, f"### `{folder}/`"), re.MULTILINE)
    assert len(lines) == len(set(lines))
    assert sorted(lines) == sorted(path.name for path in (ROOT / folder).iterdir() if path.is_file())


def test_the_functions_and_classes_that_the_architecture_names_are_there():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / PACKAGE).rglob("*.py"))
    named = set(
        re.findall(r"`(?:\w+\.)?(_?[a-z]\w*)\(\)`|`(?:\w+\.)?(_[a-z]\w*)`|`((?:[A-Z][a-z]+){2,})`", ARCHITECTURE)
    )
    names = sorted({name for names in named for name in names if name})
    assert {"_attempt", "AggregateTrendsOperator", "verify_against_source"} <= set(names)
    assert [name for name in names if not re.search(rf"^ *(def|class) {name}\b", sources, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page):
    text = re.sub(r"^(```.*?^```|    .*?$)", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            broken.append(link)
    assert broken == []


def test_no_page_is_left_without_a_link_to_it():
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    }
    assert [page.name for page in PAGES if page not in linked and page.name != "README.md"] == []


def test_the_pages_that_the_code_names_are_there():
    suffixes = {".py", ".sql", ".js", ".css", ".html", ".yaml", ".toml", ".txt"}
    sources = [
        path
        for folder in ("dags", "plugins", "sql", "local", "demo", "bench", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes
    ]
    named = {
        (str(path.relative_to(ROOT)), name)
        for path in sources
        for name in re.findall(r"\bdocs/[\w-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [entry for entry in sorted(named) if not (ROOT / entry[1]).exists()] == []


def test_the_changelogs_latest_version_is_the_packages():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\](?: - \d{4}-\d{2}-\d{2})?$", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    if "dev" in __version__:
        # on the way to the next one, whose number no release has yet
        assert parse(headings[1]) < parse(__version__)
    else:
        assert headings[1] == __version__


def test_the_dag_files_and_the_sql_name_the_packages_release():
    assert (ROOT / "sql" / "VERSION").read_text(encoding="utf-8") == f"{__version__}\n"
    for path in (ROOT / "dags").glob("*.py"):
        assert f'\nRELEASE = "{__version__}"\n' in path.read_text(encoding="utf-8")


def test_the_wheel_asks_for_what_the_package_checks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    refused = "".join(f",!={version}" for version in requirements.REFUSED_AIRFLOW)
    packages = {name: "" if oldest == "0" else f">={oldest}" for name, oldest in requirements.OLDEST_PACKAGES.items()}
    assert project["dependencies"] == [
        f"apache-airflow>={requirements.OLDEST_AIRFLOW}{refused}",
        *(name + oldest for name, oldest in packages.items()),
    ]


def test_the_settings_of_the_wheel_are_those_of_the_reference():
    info = get_provider_info()
    assert info["package-name"] == requirements.DISTRIBUTION
    (section,) = info["config"]
    assert section == settings.SECTION
    assert info["config"][section]["options"].keys() == table(REFERENCE, "## Settings").keys()


def test_other_tables_can_be_mapped_by_the_views_of_the_page(server, database, run_dag, monkeypatch):
    page = (ROOT / "docs" / "source-tables.md").read_text(encoding="utf-8")
    tables, *mapping, grants = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    connection = database.connection
    connection.execute(
        "drop table communication_trends, communication_trends_provenance, topic_classifications, escalation_alerts,"
        " organizations cascade"
    )
    connection.execute(tables)
    connection.execute("insert into tenant values (7, 'acme', 'Acme', '2026-10-01 00:00Z')")
    connection.execute(
        "insert into message_label select 7, 'support', 'complaint', 0.87, 'angry', '2026-11-01 12:00Z'"
        " from generate_series(1, 12)"
    )
    connection.execute("insert into message_label values (7, null, null, null, null, '2026-11-01 23:59:59Z')")
    connection.execute("insert into incident values (7, 2, '2026-11-01 12:00Z'), (7, 3, '2026-11-02 00:00Z')")
    # of an unknown level
    connection.execute("insert into incident values (7, null, '2026-11-01 12:00Z')")
    for statements in mapping:
        connection.execute(statements)
    found = re.search(r"^    sed 's/(.*?)/(.*?)/'", page, re.MULTILINE)
    assert found
    schema = (ROOT / "sql" / "schema" / "communication_trends.sql").read_text(encoding="utf-8")
    assert schema.count(found[1]) == 1
    connection.execute("set search_path = trends")
    connection.execute(schema.replace(found[1], found[2]))
    with made_role(connection) as role:
        connection.execute(re.sub(r"\b(to|role) communication_trends\b", rf"\1 {role}", grants))
        login = server.airflow_connection(database.name, login=role, password="a-password")
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", login)
        assert run_dag({"date": "2026-11-01"}).state == "success"
    (row,) = connection.execute("select * from communication_trends").fetchall()
    assert (row["topic_distribution"], row["escalation_counts"]) == ({"complaint": 12, "unlabeled": 1}, {"high": 1})
    assert (row["total_classifications"], row["avg_confidence"]) == (13, 87)
    assert row["sentiment_distribution"] == {"angry": 12}
    assert row["channel_hotspots"] == [{"channelId": "support", "riskScore": 100, "messageCount": 12}]


def test_the_rows_of_a_day_are_counted_by_the_statement_of_the_page_whatever_the_time_zone(database):
    """In Auckland, 13 hours ahead, all three messages are of Nov 1 or 2; two are of the UTC day Nov 1."""
    database.connection.execute("alter table topic_classifications alter created_at type timestamptz")
    for moment in ("2026-10-31 23:59:59Z", "2026-11-01 00:00Z", "2026-11-01 23:59:59Z"):
        database.classify("acme", at=moment)
    database.connection.execute(
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, is_final)"
        f" values ('{database.organization('acme')}', '2026-11-01', 'daily', true); set time zone 'Pacific/Auckland'"
    )
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    found = re.search(r"^    set time zone .*?;\n\n", page, re.MULTILINE | re.DOTALL)
    assert found
    cursor = database.connection.execute(found[0])
    assert cursor.nextset()
    assert [row["messages_now"] for row in cursor] == [2]
