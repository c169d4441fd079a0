"""The page's files: how they may be kept, what a browser may do with them, and that they ask for no key."""

import re
import subprocess
import sys

import httpx
import pytest

from services.gateway.inspector.page import _UI
from shared.store.evolutions import Store
from tests.unit.gateway.apps import URL, app_with


async def folder(http: httpx.AsyncClient) -> str:
    """Where this version's files are."""
    found = re.search(r'src="(ui/[0-9a-f]{12})/main.js"', (await http.get("/")).text)
    assert found is not None
    return found[1]


async def test_the_page_is_asked_for_again_and_its_files_are_kept(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    files = re.findall(r'(?:src|href)="(ui/[^"]+)"', page.text)
    assert len(files) > 15
    for path in files:
        file = await http.get(f"/{path}")
        assert file.status_code == 200, path
        assert "immutable" in file.headers["cache-control"]
        again = await http.get(f"/{path}", headers={"if-none-match": file.headers["etag"]})
        assert again.status_code == 304


async def test_every_file_of_the_page_is_served(http: httpx.AsyncClient) -> None:
    where = await folder(http)
    for path in _UI.iterdir():
        assert (await http.get(f"/{where}/{path.name}")).content == path.read_bytes()
    plotly = await http.get(f"/{where}/plotly.min.js")
    assert "plotly.js v" in plotly.text[:100]


@pytest.mark.parametrize("path", ["ui/000000000000/main.js", "ui/main.js", "ui", "ui/plotly.min.js"])
async def test_there_is_no_other_file(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/{path}")).json()["error"]["code"] == "not_found"


async def test_no_path_leads_out_of_the_folder(http: httpx.AsyncClient) -> None:
    where = await folder(http)
    for path in ("../page.py", "..%2fpage.py", "%2e%2e/page.py", "/etc/passwd", "....//page.py"):
        assert (await http.get(f"/{where}/{path}")).status_code == 404


async def test_a_browser_may_only_use_what_comes_from_here(http: httpx.AsyncClient) -> None:
    where = await folder(http)
    for path in ("", f"{where}/main.js", f"{where}/plotly.min.js"):
        headers = (await http.get(f"/{path}")).headers
        policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
        assert "unsafe-inline" not in policy["style-src"]
        assert policy["frame-ancestors"] == "'none'"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


async def test_no_key_is_asked_for() -> None:
    app = app_with(Store(URL, ttl_s=60), keys="required")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://anywhere") as http:
        assert (await http.get("/")).status_code == 200
        assert (await http.get(f"/{await folder(http)}/main.js")).status_code == 200
        assert (await http.get("/v1/viewer")).status_code == 401


def test_plotly_is_served_without_being_imported() -> None:
    program = (
        "import sys; from services.gateway.inspector import page; page.routes(); assert 'plotly' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_on_the_page_parses_html() -> None:
    scripts = [path for path in _UI.iterdir() if path.suffix == ".js"]
    assert scripts
    for path in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser", path.read_text()
        )
