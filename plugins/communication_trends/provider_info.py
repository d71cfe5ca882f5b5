"""
What Airflow shows of the package where it is installed as a wheel: its name, and each setting with its default.

The defaults stand here alone; `settings` reads them from here. Airflow imports this while it reads its configuration:
it imports nothing.
"""

from __future__ import annotations

from typing import Any

SECTION = "communication_trends"
"""The section of Airflow's configuration."""

_CONNECTION = (
    "A PostgreSQL connection: host, port, schema (the database), login and password. Its extra may hold any option of "
    'libpq, such as {"sslmode": "require"}. In the environment: '
    'AIRFLOW_CONN_COMMUNICATION_TRENDS_DB=\'{"conn_type": "postgres", "host": "db", "login": "communication_trends", '
    '"password": "...", "schema": "app"}\''
)

_KWARGS = "Its arguments, as a JSON object. May hold secrets. Empty: {}."

# type, default, description
_OPTIONS: dict[str, tuple[str, str, str]] = {
    "conn_id": (
        "string",
        "communication_trends_db",
        f"Airflow connection to the database that holds communication_trends. {_CONNECTION}",
    ),
    "source_conn_id": (
        "string",
        "",
        "Airflow connection to read the source tables from, a replica for example. Empty: as conn_id.",
    ),
    "sql_path": (
        "string",
        "",
        "Folder of the SQL. Empty: sql in or next to the folder of the DAG file, in the package, or next to the "
        "plugins or DAGs folder.",
    ),
    "retries": ("integer", "3", "Retries of a failed task instance, at most 100."),
    "retry_delay": (
        "float",
        "60",
        "Seconds before the first retry, doubled for each further one; at most 86,400.",
    ),
    "hotspot_min_messages": ("integer", "10", "Minimum messages for a channel to be a hotspot."),
    "hotspot_min_ratio": (
        "float",
        "0.3",
        "Share of risky topics, 0 to 1, above which a channel is a hotspot, with at most 10 decimal places.",
    ),
    "hotspot_topics": ("string", "complaint, escalation", "Topics that count as risky, comma-separated."),
    "statement_timeout": ("float", "300", "PostgreSQL's statement_timeout, in seconds, 0.001 to 86,400."),
    "lock_timeout": ("float", "60", "PostgreSQL's lock_timeout, in seconds, 0.001 to 86,400."),
    "max_parallel_organizations": (
        "integer",
        "16",
        "Maximum concurrent aggregation tasks per DAG, and so the connections per DAG and database; 1 to 10,000.",
    ),
    "organizations_per_task": (
        "integer",
        "1",
        "Organizations in one task instance, 1 to 10,000: the default of the param, for scheduled runs too.",
    ),
    "lookback_days": ("integer", "7", "Earlier days that a scheduled run recomputes, at most 366."),
    "lookback_weeks": ("integer", "1", "Earlier weeks that a scheduled run recomputes, at most 366."),
    "lookback_months": ("integer", "1", "Earlier months that a scheduled run recomputes, at most 366."),
    "failure_notifier": ("string", "", "Import path of an Airflow notifier, called once for a failed run."),
    "failure_notifier_kwargs": ("string", "", _KWARGS),
    "attention_notifier": (
        "string",
        "",
        "Import path of an Airflow notifier, called once for a run that found an anomaly.",
    ),
    "attention_notifier_kwargs": ("string", "", _KWARGS),
    "digest_notifier": ("string", "", "Import path of an Airflow notifier, called once a week with a digest."),
    "digest_notifier_kwargs": ("string", "", _KWARGS),
    "marks_path": (
        "string",
        "",
        "File of named days (holidays, releases), which charts show and sentences name. Empty: none.",
    ),
    "keep_completed_runs": (
        "integer",
        "50",
        "Runs of each DAG that succeeded which the history DAG keeps, at most 1,000,000; 0 keeps all.",
    ),
    "keep_failed_runs": (
        "integer",
        "100",
        "Runs of each DAG that failed which the history DAG keeps, at most 1,000,000; 0 keeps all.",
    ),
    "api_conn_id": (
        "string",
        "communication_trends_api",
        "Airflow connection to Airflow's own REST API, for the history DAG.",
    ),
}

DEFAULTS = {name: default for name, (_, default, _) in _OPTIONS.items()}
"""Each setting of ``[communication_trends]`` with its default, as text."""


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's entry point ``apache_airflow_provider`` asks for."""
    return {
        "package-name": "communication-trends",
        "name": "Communication trends",
        "description": "What organizations talked about, day by day: trends of messages in PostgreSQL.",
        "config": {
            SECTION: {
                "description": "The DAGs, the page and the notifications of communication trends.",
                "options": {
                    name: {
                        # said here as well: `airflow config list` of Airflow 3.3 leaves defaults of providers out
                        "description": f"{description} Default: {default}." if default else description,
                        "type": kind,
                        "default": default,
                        "example": None,
                        "version_added": None,
                        # such a value is masked in logs: a default of "{}" would be masked in them all
                        "sensitive": name.endswith("_kwargs"),
                    }
                    for name, (kind, default, description) in _OPTIONS.items()
                },
            }
        },
    }
