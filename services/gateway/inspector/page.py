"""The inspector's page at `/`: the files of `ui/`, and plotly.js from the installed `plotly` package."""

import hashlib
import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_UI = Path(__file__).parent / "ui"
_PLOTLY = "plotly.min.js"
# plotly.js makes two style elements and empties a style attribute; these are the hashes of their contents.
_PLOTLY_STYLES = (
    "'unsafe-hashes' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
)
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    f"style-src 'self' {_PLOTLY_STYLES}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_REVALIDATE = {"cache-control": "no-cache"}
_IMMUTABLE = {"cache-control": "public, max-age=31536000, immutable"}


class _VersionedFiles(StaticFiles):
    """Files that browsers may keep for good, because their address holds their version."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS | _IMMUTABLE)
        return response


def routes() -> list[BaseRoute]:
    """The routes of the page. They need no API key: the page reads its data from `/v1` with the caller's own key."""
    ours, plotly = _VersionedFiles(directory=_UI), _VersionedFiles(directory=_plotly_folder())
    folder = f"ui/{_version()}"
    html = (_UI / "index.html").read_text().replace('"ui/', f'"{folder}/')

    async def index(request: Request) -> Response:
        return HTMLResponse(html, headers=_HEADERS | _REVALIDATE)

    async def library(request: Request) -> Response:
        return await plotly.get_response(_PLOTLY, request.scope)

    return [Route("/", index), Route(f"/{folder}/{_PLOTLY}", library), Mount(f"/{folder}", ours)]


def _version() -> str:
    """A digest that changes with any file of the page."""
    digest = hashlib.sha256(version("plotly").encode())
    for path in sorted(_UI.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _plotly_folder() -> Path:
    """Finds the folder without importing the package, which would take a second and 50 MiB."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data"
