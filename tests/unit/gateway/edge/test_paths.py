"""Spellings of paths that clients use, and HEAD."""

import httpx
import pytest

from tests.unit.gateway.apps import BODY, CHAT, shaped


@pytest.mark.parametrize("path", ["/healthz", "/health", "/health/"])
async def test_the_process_answers_under_vllms_name_too(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/darwin", "/openapi.json"])
async def test_a_slash_at_the_end_changes_nothing(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"{path}/")).json() == (await http.get(path)).json()


@pytest.mark.parametrize("path", [CHAT, "/v1/evolutions"])
async def test_a_body_arrives_at_a_path_with_a_slash_at_its_end(http: httpx.AsyncClient, path: str) -> None:
    assert shaped(await http.post(f"{path}/", json=BODY), 409) == "accepted"


@pytest.mark.parametrize("path", ["/v1/evolutions//", "//v1/models", "/v1//models", "/v1/", "/V1/models"])
async def test_no_other_spelling_is_a_route(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(f"http://localhost{path}")
    assert "there is" not in shaped(response, 404, None, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/chat/completions"),
        ("POST", "/chat/completions/"),
        ("GET", "/models"),
        ("GET", "/models/darwin"),
        ("POST", "/evolutions"),
        ("GET", "/evolutions/evo_x/events"),
    ],
)
async def test_a_known_route_without_its_prefix_is_named(http: httpx.AsyncClient, method: str, path: str) -> None:
    message = shaped(await http.request(method, path), 404, None, "not_found")
    assert f"there is /v1{path.removesuffix('/')}: add /v1 to the end of the base URL" in message


@pytest.mark.parametrize(("path", "known"), [("/v1" + CHAT, CHAT), ("/v1/healthz", "/healthz")])
async def test_a_prefix_too_many_is_named(http: httpx.AsyncClient, path: str, known: str) -> None:
    message = shaped(await http.post(path), 404, None, "not_found")
    assert f"there is {known}: take one /v1 out" in message


@pytest.mark.parametrize("path", ["/chat", "/moderations", "/", "/ui/nothing", "/modelss", "/v1"])
async def test_what_is_nowhere_near_a_route_is_only_refused(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path)
    assert response.status_code in (404, 405)
    assert "there is" not in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/healthz", "/health", "/v1/models", "/v1/models/darwin", "/v1/viewer", "/"])
async def test_head_is_answered_as_get(http: httpx.AsyncClient, path: str) -> None:
    head, get = await http.head(path), await http.get(path)
    assert (head.status_code, head.headers["content-type"]) == (200, get.headers["content-type"])
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_head_fails_as_get(http: httpx.AsyncClient) -> None:
    assert (await http.head("/v1/models/gpt-4o")).status_code == 404
    assert (await http.head("/v1/evolutions/evo_x")).status_code == 503


@pytest.mark.parametrize(("path", "allowed"), [("/v1/evolutions/evo_x/events", "GET"), (CHAT, "POST")])
async def test_head_is_refused_where_there_is_no_end_or_no_get(
    http: httpx.AsyncClient, path: str, allowed: str
) -> None:
    refused = await http.head(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
