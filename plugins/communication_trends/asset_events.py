"""Events of the assets: one that a failing task makes, and the latest one that was made."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from communication_trends.sdk import AirflowNotFoundException, BaseHook

from communication_trends import settings
from communication_trends.compat import REST_API, TASKS_HAVE_METADATA_DATABASE

log = logging.getLogger(__name__)

API_PAGE_SIZE = 100
"""Assets that are asked for at once."""

LOOKED_AT = (1, 20, 500)
"""How many of the latest events are looked at: first one, and more if none of them will do."""


def emit_asset_event(context: Any, asset: Any, extra: Mapping[str, Any]) -> bool:
    """
    Make an event of an asset now, from a task that is about to fail, and return whether it was made.

    Airflow itself makes the events of a task's outlets, but only where the task succeeds. On Airflow 2 this writes to
    its database, as Airflow does; on Airflow 3, where a task cannot, it asks the public REST API, if the connection of
    the setting ``api_conn_id`` is there. That event does not say which run it is from, so ``extra`` should.

    Nothing is raised: a run does not fail for its event. What went wrong is in the log.

    :param context: Airflow's context.
    :param asset: the asset.
    :param extra: the event's, as JSON.
    """
    try:
        # as JSON has it: the REST API would refuse later what it cannot hold
        plain = json.loads(json.dumps(extra))
        made = _in_database(context, asset, plain) if TASKS_HAVE_METADATA_DATABASE else _over_rest(asset, plain)
    # any exception: of the database, of HTTP, of a secrets backend
    except Exception:
        log.exception("%s: no asset event was made. The trends are stored.", asset.uri)
        return False
    if made:
        log.info("%s: made the asset event that a failed task would not have.", asset.uri)
    return made


def _in_database(context: Any, asset: Any, extra: dict[str, Any]) -> bool:
    from airflow.datasets.manager import dataset_manager
    from airflow.utils.session import create_session

    with create_session() as session:
        event = dataset_manager.register_dataset_change(  # noqa: AIR301  on Airflow 2 only
            task_instance=context["ti"], dataset=asset, extra=extra, session=session
        )
        return event is not None


def _over_rest(asset: Any, extra: dict[str, Any]) -> bool:
    # not at the top: most runs succeed, and need none of it
    from communication_trends.rest_api import logged_in

    conn_id = settings.api_conn_id()
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        log.warning(
            "%s: a failed task makes no asset event by itself, so the DAGs that wait for it are not notified of what "
            "was stored. Add the connection %r (setting api_conn_id) with the login of a user who may create asset "
            "events, and they will be.",
            asset.uri,
            conn_id,
        )
        return False
    with logged_in(connection, timeout=30) as client:
        found = [one["id"] for one in _assets(client, asset) if (one["name"], one["uri"]) == (asset.name, asset.uri)]
        if not found:
            log.error("%s: Airflow's API knows no such asset, so no event was made.", asset.uri)
            return False
        answer = client.post(f"{REST_API}/assets/events", json={"asset_id": found[0], "extra": extra})
        answer.raise_for_status()
    return True


def _assets(client: Any, asset: Any) -> Iterator[dict[str, Any]]:
    """Yield the assets whose name contains the asset's."""
    query = {"name_pattern": asset.name, "order_by": "id", "limit": API_PAGE_SIZE, "offset": 0}
    while page := client.get(f"{REST_API}/assets", params=query).raise_for_status().json()["assets"]:
        yield from page
        query["offset"] += len(page)


def last_event_extra(context: Any, asset: Any, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """
    Return the extra of the latest event of an asset that is wanted; None where there is none among the latest 500.

    From Airflow 3.2 on, and on 2, no more than those are asked for. 3.0 and 3.1 hand over all events there are.

    :param context: Airflow's context, of a task with the asset among its inlets.
    :param asset: the asset.
    :param wanted: whether an extra will do.
    """
    events = context["inlet_events"][asset]
    for count in LOOKED_AT:
        latest = _latest(events, count)
        for event in latest:
            if wanted(event.extra):
                return event.extra
        if len(latest) < count:
            break
    return None


def _latest(events: Any, count: int) -> list[Any]:
    """Return the latest events, the last one first."""
    if hasattr(events, "limit"):
        return list(events.ascending(False).limit(count))
    # a separate query on Airflow 2; 3.0 and 3.1 have handed over the whole list
    return list(events[-count:])[::-1]
