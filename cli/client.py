"""A client of the evolutions API: starts one, follows its events, returns its end."""

from collections.abc import Iterator
from typing import Any, Self

import httpx
from httpx_sse import connect_sse


class ApiError(Exception):
    """The gateway refused; the message is its own."""


class Client:
    """Evolutions as JSON values, shaped as `/openapi.json` says."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=httpx.Timeout(30, read=60), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def start(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST /v1/evolutions; the resource."""
        return self._json(self._http.post("/v1/evolutions", json=body))

    def get(self, evolution_id: str) -> dict[str, Any]:
        return self._json(self._http.get(f"/v1/evolutions/{evolution_id}"))

    def cancel(self, evolution_id: str) -> dict[str, Any]:
        return self._json(self._http.delete(f"/v1/evolutions/{evolution_id}"))

    def events(self, evolution_id: str) -> Iterator[dict[str, Any]]:
        """Events until the evolution has ended; a stream that breaks off is resumed after its last event."""
        last, ended = "", False
        while not ended:
            headers = {"Last-Event-ID": last} if last else {}
            path = f"/v1/evolutions/{evolution_id}/events"
            try:
                with connect_sse(self._http, "GET", path, headers=headers) as source:
                    if not source.response.is_success:
                        source.response.read()
                        self._json(source.response)
                    for sse in source.iter_sse():
                        if not sse.data:  # a keep-alive comment
                            continue
                        last = sse.id
                        event = sse.json()
                        yield event
                        ended = event["type"] == "evolution.ended"
            except (httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError):
                continue

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = response.json()
        if not response.is_success:
            error = body.get("error", {})
            raise ApiError(f"{error.get('message', response.text)} (HTTP {response.status_code})")
        return body
