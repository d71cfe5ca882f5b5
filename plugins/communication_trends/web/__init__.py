"""
The page and its API, on Airflow 3.1 and newer.

Every process that loads plugins imports this module, task processes too: it imports nothing of the web.
"""

from __future__ import annotations

from typing import Any

PREFIX = "/communication-trends"
"""Where Airflow's API server mounts the application."""

# Without a leading slash: Airflow's UI resolves it against its own base URL, which may have a path.
_HREF = PREFIX.removeprefix("/") + "/"


class LazyApp:
    """The ASGI application, built when the API server gets its first request for it."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, as ASGI has it."""
        if self._app is None:
            from communication_trends.web.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


FASTAPI_APPS = [{"name": "Communication trends", "app": LazyApp(), "url_prefix": PREFIX}]

EXTERNAL_VIEWS = [
    {
        "name": "Communication trends",
        "href": f"{_HREF}{query}",
        "icon": f"{_HREF}static/icon.svg",
        "url_route": f"communication-trends{suffix}",
        "destination": destination,
        **({"category": "browse"} if destination == "nav" else {}),
    }
    for destination, suffix, query in [
        ("nav", "", ""),
        # Airflow shows a view on every DAG: the page knows from the id whether it has anything to show
        ("dag", "-dag", "?dag={DAG_ID}"),
        ("dag_run", "-run", "?dag={DAG_ID}&run={RUN_ID}"),
    ]
]
