"""The FastAPI application: who may see it, its headers, its errors, the page and its assets."""

import logging
import time
from collections.abc import Awaitable, Callable

from airflow.api_fastapi.core_api.security import GetUserDep
from communication_trends.sdk import AirflowFailException
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from communication_trends import metrics
from communication_trends.core.database_errors import DATABASE_ERRORS, REMEDIES, explain, is_lost, sqlstate
from communication_trends.core.errors import DatabaseUnusableError, InvalidInputError
from communication_trends.web import limits, routes
from communication_trends.web.access import requires_dag
from communication_trends.web.assets import assets_version, load_assets, make_page
from communication_trends.web.kept_answers import KeptAnswers
from communication_trends.web.page_config import page_config

log = logging.getLogger(__name__)

API = "/api/v1"
"""Where the routes of the API are."""

HEADERS = {
    # Plotly places its tooltips with style attributes; nothing else is inline, and nothing is from another host
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


def create_app() -> FastAPI:
    """Return the application. Each of its routes needs a user who may read the DAG."""
    app = FastAPI(
        title="Communication trends",
        version="1",
        dependencies=[Depends(requires_dag())],
        # FastAPI's own pages are open to anyone, and fetch their scripts from another host
        openapi_url=None,
    )
    app.state.slots = limits.ConnectionSlots(limits.CONNECTIONS)
    # what a monitor gets does not depend on how many users ask
    app.state.monitor_slots = limits.ConnectionSlots(1)
    app.state.kept_answers = KeptAnswers()
    app.middleware("http")(_add_headers)
    for error in DATABASE_ERRORS:
        app.add_exception_handler(error, _database_error)
    app.add_exception_handler(limits.BusyError, _busy)
    app.add_exception_handler(limits.AbandonedError, _abandoned)
    # the last two: of a file of the SQL
    for error in (DatabaseUnusableError, AirflowFailException, InvalidInputError, FileNotFoundError, PermissionError):
        app.add_exception_handler(error, _misconfigured)
    _add_page(app)
    app.include_router(routes.router, prefix=API)

    @app.get(f"{API}/openapi.json", include_in_schema=False)
    def get_openapi(request: Request) -> JSONResponse:
        return JSONResponse({**app.openapi(), "servers": [{"url": request.scope.get("root_path", "")}]})

    @app.get("/{path:path}", include_in_schema=False)
    def get_nothing(path: str) -> Response:
        raise HTTPException(404, "There is nothing at this address.")

    return app


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    started = time.monotonic()
    response = await call_next(request)
    if API in request.url.path:
        is_refused = getattr(request.state, "is_refused", False)
        metrics.send_request(seconds=time.monotonic() - started, is_refused=is_refused)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    # what one user may see is for no other one
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def _add_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    assets = load_assets()
    current = assets_version(assets)

    @app.get("/", include_in_schema=False)
    def get_page(request: Request, user: GetUserDep) -> Response:
        return make_page(assets, page_config(user)).respond(request, immutable=False)

    @app.get("/static/{name}", include_in_schema=False)
    @app.get("/static/{version}/{name}", include_in_schema=False)
    def get_asset(request: Request, name: str, version: str = "") -> Response:
        if name not in assets or name == "index.html":
            raise HTTPException(404, "There is no such file.")
        # another version's page, still open during an upgrade, gets today's file, but may not keep it
        return assets[name].respond(request, immutable=version == current)


def _database_error(request: Request, error: Exception) -> JSONResponse:
    # the details may name hosts and roles: they go to the log, not to the browser
    log.error("%s: %s", request.url.path, explain(error))
    code = sqlstate(error) or ""
    if remedy := REMEDIES.get(code):
        detail = f"The trends cannot be read: {remedy}."
    elif code == "57014":
        detail = f"The database took longer than {limits.STATEMENT_TIMEOUT} seconds. Ask for a shorter range."
    elif code == "55P03":
        seconds = limits.LIMITS.lock
        detail = f"Another session has held a lock on the trends for {seconds} seconds. Try again in a moment."
    elif is_lost(error):
        detail = "The database with the trends cannot be reached. Try again in a moment."
    else:
        detail = "The database could not answer. The API server's log says why."
    return _cannot_answer(request, detail)


def _misconfigured(request: Request, error: Exception) -> JSONResponse:
    log.error("%s: %s", request.url.path, error)
    detail = "The trends cannot be read: the connection or a setting is wrong. The API server's log says which."
    return _cannot_answer(request, detail)


def _cannot_answer(request: Request, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=502 if _is_for_monitor(request) else 503)


def _is_for_monitor(request: Request) -> bool:
    """Whether 503 would say that trends are missing."""
    return getattr(request.state, "for_monitor", False)


def _abandoned(request: Request, error: Exception) -> Response:
    # no client reads it; as nginx has it in its log
    return Response(status_code=499)


def _busy(request: Request, error: Exception) -> JSONResponse:
    log.warning("%s: all %s connections to the database are taken", request.url.path, limits.CONNECTIONS)
    detail = "Too many requests wait for the database with the trends. Try again in a moment."
    request.state.is_refused = True
    status = 429 if _is_for_monitor(request) else 503
    return JSONResponse({"detail": detail}, status_code=status, headers={"Retry-After": "5"})
