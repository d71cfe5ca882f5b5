"""What a task instance read and wrote, for OpenLineage. Imported only once Airflow's provider of it asks."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.postgres.hooks.postgres import PostgresHook
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import input_statistics_input_dataset, output_statistics_output_dataset

from communication_trends.connections import open_database

Rows = Mapping[str, Mapping[str, int]]
"""Numbers of rows, by id of an Airflow connection and name of a table."""


def operator_lineage(read: Rows, written: Rows, sql_path: Path) -> OperatorLineage:
    """
    Return tables with their rows as OpenLineage's datasets.

    :param read: what was read.
    :param written: what was inserted or updated.
    :param sql_path: folder of the statements.
    """
    return OperatorLineage(
        inputs=[
            InputDataset(
                namespace,
                name,
                inputFacets={"inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rows)},
            )
            for namespace, name, rows in _named(read, sql_path)
        ],
        outputs=[
            OutputDataset(
                namespace,
                name,
                outputFacets={
                    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows)
                },
            )
            for namespace, name, rows in _named(written, sql_path)
        ],
    )


def _named(tables: Rows, sql_path: Path) -> list[tuple[str, str, int]]:
    """Return namespace, full name and rows of each table, the names as OpenLineage's naming has them for PostgreSQL."""
    named = []
    for conn_id, rows in tables.items():
        namespace = _namespace(conn_id)
        with open_database(conn_id, sql_path=sql_path) as database, database.transaction(read_only=True) as lookup:
            found = lookup.rows(database.sql("table_names.sql"), {"tables": list(rows)})
        named += [(namespace, one["full_name"], rows[one["name"]]) for one in found]
    return named


def _namespace(conn_id: str) -> str:
    connection = PostgresHook(postgres_conn_id=conn_id).connection
    host = (connection.host or "").split(",")[0]
    if not host or host.startswith("/"):
        # a Unix socket: the server is on this machine
        host = socket.gethostname()
    return f"postgres://{host}:{connection.port or 5432}"
