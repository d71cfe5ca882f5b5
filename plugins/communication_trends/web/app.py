"""The FastAPI application: who may see it, its headers, its errors, the page and its assets."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from airflow.providers.common.compat.sdk import AirflowFailException
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from communication_trends.database import DATABASE_ERRORS, REMEDIES, explain, is_lost, sqlstate
from communication_trends.errors import DatabaseUnusableError, InvalidInputError
from communication_trends.web import api

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

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


@dataclass(frozen=True)
class Asset:
    """
    One file of the page.

    :param content: its bytes.
    :param media_type: what it is.
    """

    content: bytes
    media_type: str

    @cached_property
    def version(self) -> str:
        """What names this content and no other."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @cached_property
    def compressed(self) -> bytes:
        """The content in gzip, made once: Airflow would compress the 4.8 MB of Plotly for each request."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)

    def respond(self, request: Request, *, immutable: bool) -> Response:
        """
        Answer a request for it, without the content where the browser still has it.

        :param request: the request.
        :param immutable: whether the URL names the version, so that the browser need not ask again.
        """
        headers = {
            "ETag": f'"{self.version}"',
            "Cache-Control": "private, max-age=31536000, immutable" if immutable else "private, no-cache",
            "Vary": "Accept-Encoding, Authorization, Cookie",
        }
        if re.search(rf'(^|[\s,"]){self.version}"', request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        content = self.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content = self.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type=self.media_type, headers=headers)


def load_assets() -> dict[str, Asset]:
    """Return the page's files by name: those of the package, and Plotly's bundle from where pip has installed it."""
    paths = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES}
    try:
        plotly = importlib.metadata.distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
        paths["plotly.min.js"] = Path(str(plotly))
    except importlib.metadata.PackageNotFoundError:
        # the API and the tables do without; the page says what its charts need
        log.error("The package plotly is not installed: the page of communication trends has no charts.")
    return {name: Asset(path.read_bytes(), MEDIA_TYPES[path.suffix]) for name, path in paths.items()}


def load_page(assets: dict[str, Asset]) -> Asset:
    """
    Return the page, with the version of its assets in their URLs.

    The version is a folder, `static/<version>/page.js`: scripts import each other by relative names, so that all come
    from the same version.

    :param assets: from `load_assets`.
    """
    version = assets_version(assets)
    page = assets["index.html"].content.decode().replace('"static/', f'"static/{version}/')
    return Asset(page.encode(), MEDIA_TYPES[".html"])


def assets_version(assets: dict[str, Asset]) -> str:
    """
    Return what names these contents of all assets together, and no others.

    :param assets: from `load_assets`.
    """
    versions = "".join(f"{name} {asset.version}\n" for name, asset in sorted(assets.items()))
    return hashlib.sha256(versions.encode()).hexdigest()[:16]


def create_app() -> FastAPI:
    """Return the application. Each of its routes needs a user who may read the DAG."""
    app = FastAPI(
        title="Communication trends",
        version="1",
        dependencies=[Depends(api.requires_dag())],
        # FastAPI's own pages are open to anyone, and fetch their scripts from another host
        openapi_url=None,
    )
    assets = load_assets()
    page = load_page(assets)
    current = assets_version(assets)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # what one user may see is nobody else's
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    for error in DATABASE_ERRORS:
        app.add_exception_handler(error, _database_error)
    app.add_exception_handler(DatabaseUnusableError, _misconfigured)
    app.add_exception_handler(AirflowFailException, _misconfigured)  # type: ignore[arg-type]
    app.add_exception_handler(InvalidInputError, _misconfigured)  # type: ignore[arg-type]

    @app.get("/", include_in_schema=False)
    def get_page(request: Request) -> Response:
        return page.respond(request, immutable=False)

    @app.get("/static/{name}", include_in_schema=False)
    @app.get("/static/{version}/{name}", include_in_schema=False)
    def get_asset(request: Request, name: str, version: str = "") -> Response:
        if name not in assets or name == "index.html":
            raise HTTPException(404, "There is no such file.")
        # another version's page, still open during an upgrade, gets today's file, but may not keep it
        return assets[name].respond(request, immutable=version == current)

    app.include_router(api.router, prefix="/api/v1")

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    def get_openapi(request: Request) -> JSONResponse:
        return JSONResponse({**app.openapi(), "servers": [{"url": request.scope.get("root_path", "")}]})

    @app.get("/{path:path}", include_in_schema=False)
    def get_nothing(path: str) -> Response:
        raise HTTPException(404, "There is nothing at this address.")

    return app


def _database_error(request: Request, error: Exception) -> JSONResponse:
    # the details may name hosts and roles: they go to the log, not to the browser
    log.error("%s: %s", request.url.path, explain(error))
    code = sqlstate(error) or ""
    if remedy := REMEDIES.get(code):
        detail = f"The trends cannot be read: {remedy}."
    elif code in {"57014", "55P03"}:
        detail = f"The database took longer than {api.STATEMENT_TIMEOUT} seconds. Ask for a shorter range."
    elif is_lost(error):
        detail = "The database with the trends cannot be reached. Try again in a moment."
    else:
        detail = "The database could not answer. The API server's log says why."
    return JSONResponse({"detail": detail}, status_code=503)


def _misconfigured(request: Request, error: Exception) -> JSONResponse:
    log.error("%s: %s", request.url.path, error)
    detail = "The trends cannot be read: the connection or a setting is wrong. The API server's log says which."
    return JSONResponse({"detail": detail}, status_code=503)
