import httpx
import pytest

from shared.store.evolutions import Store
from tests.metrics import Measured
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with

NAME = "http.server.request.duration.count"


async def asked(method: str, path: str, store: Store | None = None, **request: object) -> tuple[Measured, int]:
    transport = httpx.ASGITransport(app_with(store or Refusing(URL, 60)), raise_app_exceptions=False)
    with Measured() as measured:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            response = await http.request(method, path, **request)  # type: ignore[arg-type]
    assert measured.of(NAME) == 1
    assert measured.of("http.server.active_requests") == 0
    return measured, response.status_code


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/models", "/v1/models", 200),
        ("GET", "/v1/models/darwin?x=%ff", "/v1/models/{name}", 200),
        ("GET", "/v1/models/nobody", "/v1/models/{name}", 404),
        ("DELETE", "/v1/models", "/v1/models", 405),
        ("POST", CHAT, CHAT, 409),
    ],
)
async def test_calls_are_counted_by_route(method: str, path: str, route: str, status: int) -> None:
    measured, answered = await asked(method, path, json=BODY)
    assert answered == status
    call = {"http__request__method": method, "http__route": route, "http__response__status_code": status}
    assert measured.of(NAME, **call) == 1


async def test_what_callers_make_up_is_one_and_the_same() -> None:
    measured, status = await asked("BREW", "/coffee")
    assert status == 404
    assert measured.of(NAME, http__request__method="_OTHER", http__response__status_code=404) == 1
    assert measured.of(NAME, http__route="/coffee") == 0


async def test_defects_have_an_error_type() -> None:
    class Broken(Refusing):
        async def create(self, *_: object) -> None:  # type: ignore[override]
            raise RuntimeError("broken")

    measured, status = await asked("POST", CHAT, Broken(URL, 60), json=BODY)
    assert status == 500
    assert measured.of(NAME, http__route=CHAT, error__type="500") == 1
