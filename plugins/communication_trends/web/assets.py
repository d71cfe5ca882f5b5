"""The page's files, each under an address that names its version."""

from __future__ import annotations

import gzip
import hashlib
import html
import importlib.metadata
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import Request, Response

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

PLOTLY = "plotly.min.js"


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
        plotly = importlib.metadata.distribution("plotly").locate_file(f"plotly/package_data/{PLOTLY}")
        paths[PLOTLY] = Path(str(plotly))
    except importlib.metadata.PackageNotFoundError:
        # the API and the tables do without; the page says what its charts need
        log.error("The package plotly is not installed: the page of communication trends has no charts.")
    return {name: Asset(path.read_bytes(), MEDIA_TYPES[path.suffix]) for name, path in paths.items()}


def missing_assets() -> list[str]:
    """Return the names of files that the page's own name, and that are not there; Plotly may be missing."""
    text = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir()}
    named = re.findall(r'"(?:\./|static/)([\w.-]+)"', "".join(text.values()))
    return sorted({*named, "index.html"} - {*text, PLOTLY})


def make_page(assets: dict[str, Asset], config: Mapping[str, Any]) -> Asset:
    """
    Return the page, with the version of its assets in their URLs, and with the data that its script needs.

    The version is a folder, `static/<version>/page.js`: scripts import each other by relative names, so that all come
    from the same version.

    :param assets: from `load_assets`.
    :param config: from `page_config`.
    """
    version = assets_version(assets)
    page = assets["index.html"].content.decode().replace('"static/', f'"static/{version}/')
    page = page.replace('data-config="{}"', f'data-config="{html.escape(json.dumps(config))}"')
    return Asset(page.encode(), MEDIA_TYPES[".html"])


def assets_version(assets: dict[str, Asset]) -> str:
    """
    Return what names these contents of all assets together, and no others.

    :param assets: from `load_assets`.
    """
    versions = "".join(f"{name} {asset.version}\n" for name, asset in sorted(assets.items()))
    return hashlib.sha256(versions.encode()).hexdigest()[:16]
