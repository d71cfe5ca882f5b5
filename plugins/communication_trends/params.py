"""The DAGs' params: what a user may give to a run. What cannot be used is rejected with an error that names it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from communication_trends.sdk import Param

from communication_trends import settings
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import Granularity

_SCHEMA: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}
"""Airflow validates the schema several times per task process; this draft takes a third of the time."""

AUTOMATIC_BATCH = 5000
"""Size of automatic batches; larger ones are no faster (docs/performance.md)."""

AUTOMATIC_BATCHES = 2
"""Minimum number of automatic batches, so that they run in parallel."""


def dag_params(kind: Granularity) -> dict[str, Param]:
    """
    Return the params of a DAG, which are the fields of the UI's trigger form.

    :param kind: the length of the DAG's periods.
    """
    noun = kind.noun
    which = "UTC day to aggregate" if noun == "day" else f"A UTC day of the {noun} to aggregate"
    return {
        "date": Param(
            None,
            **_SCHEMA,
            type=["null", "string"],
            format="date",
            title="Date",
            description=f"{which}, YYYY-MM-DD. Empty: the last completed {noun}. Not in backfills: each run has "
            f"its {noun}.",
        ),
        "organizations": Param(
            None,
            **_SCHEMA,
            type=["null", "array"],
            items={"type": "string"},
            title="Organizations",
            description="Ids or slugs, one per line. Empty: all organizations.",
        ),
        "force": Param(
            False,
            **_SCHEMA,
            type="boolean",
            title="Force",
            description="Overwrite a stored trend even if the source now has fewer rows than it was made from. "
            f"Applies to the run's own {noun}, not to lookback.",
        ),
        "organizations_per_task": Param(
            settings.organizations_per_task(),
            **_SCHEMA,
            type="integer",
            minimum=1,
            maximum=settings.MAX_PER_TASK,
            title="Organizations per task",
            description="1: one task instance per organization. Higher: faster with thousands of them.",
        ),
        "lookback": Param(
            None,
            **_SCHEMA,
            type=["null", "integer"],
            minimum=0,
            maximum=settings.MAX_LOOKBACK,
            title="Lookback",
            description=f"Earlier {noun}s to recompute as well, where their trends are missing or out of date. "
            "Empty: the setting for scheduled runs, none for others.",
        ),
    }


def requested_organizations(value: object) -> list[str] | None:
    """
    Read ``organizations`` of a run's conf: ids or slugs, or None for all.

    :param value: what was given; blank entries, which the trigger form makes of empty lines, are left out.
    :raises InvalidInputError: for anything but a list of strings with at least one entry.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise InvalidInputError(
            f"organizations: {_short(value)} is not a list of ids or slugs. Give such a list, or null for all."
        )
    entries = [entry.strip() for entry in value if entry.strip()]
    if not entries:
        raise InvalidInputError(
            f"organizations: {_short(value)} names no organization. Give ids or slugs, or null for all."
        )
    return list(dict.fromkeys(entries))


def requested_lookback(value: object, kind: Granularity, triggered_by: str) -> int:
    """
    Read ``lookback`` of a run's conf: how many earlier periods it recomputes.

    :param value: what was given, or None for the default: the setting for scheduled runs, 0 for others.
    :param kind: the length of the run's periods.
    :param triggered_by: ``schedule``, ``backfill`` or ``manual``.
    :raises InvalidInputError: for anything but a whole number from 0 to 366.
    """
    if value is None:
        return settings.lookback(kind) if triggered_by == "schedule" else 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= settings.MAX_LOOKBACK:
        raise InvalidInputError(
            f"lookback: {_short(value)} is not a whole number from 0 to {settings.MAX_LOOKBACK}. Give how many earlier "
            f"{kind.noun}s to recompute, or null; for more, run a backfill."
        )
    return value


def batch_size(requested: object, organizations: int, max_map_length: int) -> int:
    """
    Return how many organizations each task instance takes.

    :param requested: ``organizations_per_task`` of the run's conf.
    :param organizations: how many there are.
    :param max_map_length: Airflow's limit on mapped task instances; beyond it batches grow by themselves.
    :raises InvalidInputError: when what was requested is not a whole number from 1 to 10,000.
    """
    if not isinstance(requested, int) or isinstance(requested, bool) or not 1 <= requested <= settings.MAX_PER_TASK:
        raise InvalidInputError(
            f"organizations_per_task: {_short(requested)} is not a whole number from 1 to {settings.MAX_PER_TASK}. "
            f"The default is {settings.organizations_per_task()}."
        )
    if organizations <= requested * max_map_length:
        return requested
    by_itself = min(AUTOMATIC_BATCH, math.ceil(organizations / AUTOMATIC_BATCHES))
    return max(requested, by_itself, math.ceil(organizations / max_map_length))


def refuse_unknown_keys(conf: Any, known: Any) -> None:
    """
    Refuse a conf with a key that means nothing, which is mostly a misspelled one.

    :param conf: the run's conf, or None.
    :param known: the names of the DAG's params.
    :raises InvalidInputError: when there is such a key.
    """
    if unknown := [key for key in conf or {} if key not in known]:
        keys = f"key{'s' if len(unknown) > 1 else ''} {', '.join(map(ascii, unknown))}"
        raise InvalidInputError(f"conf: unknown {keys}. Allowed keys: {', '.join(known)}.")


def refuse_ignored_conf(conf: Mapping[str, Any] | None, params: Mapping[str, Any]) -> None:
    """
    Refuse a conf that Airflow does not pass on to the params, so that it would have no effect.

    :param conf: the run's conf, or None.
    :param params: the params as Airflow has made them from the defaults and the conf.
    :raises InvalidInputError: when the value of a key differs.
    """
    if not isinstance(conf or {}, Mapping):
        raise InvalidInputError(f"conf: {_short(conf)} is not a JSON object. Give one with the names of params.")
    if ignored := [key for key, value in (conf or {}).items() if key in params and params[key] != value]:
        raise InvalidInputError(
            f"conf: Airflow ignores {', '.join(ignored)}, since [core] dag_run_conf_overrides_params is False. Set it "
            "to True, or trigger the run without a conf."
        )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
