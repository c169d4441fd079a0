"""A client of the evolutions API: starts evolutions, follows their events, reads and cancels them."""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from shared.process.certificates import is_local

_INTERRUPTED = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
# Gateways keep silent streams alive more often than this.
_SILENCE_S = 40.0
_LONGEST_PAUSE_S = 3.0
# A gateway that asks for a longer pause is asked again after this.
_LONGEST_ASKED_S = 30.0


class ApiError(Exception):
    """The gateway refused a call; the message is the gateway's. `retry_after_s` is its Retry-After, in seconds."""

    def __init__(self, message: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status
        self.retry_after_s = retry_after_s


class Client:
    """Evolutions as JSON values, shaped as `/openapi.json` says.

    Sends the API key in `DARWIN_API_KEY`, if any. A gateway that is away or restarted is waited for, `patience_s`
    seconds without a sign of it; after that its last error is raised: `httpx.TransportError`, or `ApiError` for 503.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None, patience_s: float = 60.0) -> None:
        key = os.environ.get("DARWIN_API_KEY")
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(10, read=_SILENCE_S),
            # Each stream of events holds a connection, and the caller decides how many streams there are.
            limits=httpx.Limits(max_connections=None),
            transport=transport,
            # A proxy of the environment leads to other networks, not to this machine.
            trust_env=not is_local(f"{httpx.URL(url).host}:"),
            headers={"authorization": f"Bearer {key}"} if key else {},
        )
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Calls under way fail."""
        self._http.close()

    def start(self, body: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Starts an evolution and returns its resource (POST /v1/evolutions).

        The call is sent again where no answer came, with the same idempotency key, so nothing is started twice. With a
        key of the caller's that holds across processes too.
        """
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        return self._patiently(lambda: self._http.post("/v1/evolutions", json=body, headers=headers))

    def get(self, evolution_id: str) -> dict[str, Any]:
        return self._patiently(lambda: self._http.get(f"/v1/evolutions/{evolution_id}"))

    def recording(self, evolution_id: str) -> dict[str, Any]:
        """The resource with every event and every attempt."""
        return self._patiently(lambda: self._http.get(f"/v1/evolutions/{evolution_id}/recording"))

    def cancel(self, evolution_id: str) -> dict[str, Any]:
        return self._patiently(lambda: self._http.delete(f"/v1/evolutions/{evolution_id}"))

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = _SILENCE_S, **query: Any
    ) -> dict[str, Any]:
        """What a route answers that bears being called twice; a query's fields that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._patiently(lambda: self._http.request(method, path, json=body, params=given, timeout=timeout_s))

    def events(self, evolution_id: str) -> Iterator[dict[str, Any]]:
        """Yields each event once, until the evolution has ended. A stream that breaks off is resumed where it did."""
        patience = _Patience(self._patience_s)
        last, ended = "", False
        while not ended:
            try:
                for sse in self._stream(evolution_id, last):
                    patience.renew()
                    if not sse.data:  # a keep-alive comment
                        continue
                    last, event = sse.id, sse.json()
                    yield event
                    ended = event["type"] == "evolution.ended"
                if not ended:
                    patience.spend(httpx.RemoteProtocolError("the event stream ended before the evolution"))
            except _INTERRUPTED as error:
                patience.spend(error)
            except ApiError as error:
                if error.status != 503:
                    raise
                patience.spend(error)

    def _stream(self, evolution_id: str, after: str) -> Iterator[ServerSentEvent]:
        headers = {"Last-Event-ID": after} if after else {}
        with connect_sse(self._http, "GET", f"/v1/evolutions/{evolution_id}/events", headers=headers) as source:
            if not source.response.is_success:
                source.response.read()
                raise _refusal(source.response)
            yield from source.iter_sse()

    def _patiently(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        patience = _Patience(self._patience_s)
        while True:
            try:
                response = send()
            except _INTERRUPTED as error:
                patience.spend(error)
                continue
            if response.is_success:
                body: dict[str, Any] = response.json()
                return body
            if response.status_code != 503:
                raise _refusal(response)
            patience.spend(_refusal(response))


class _Patience:
    """Decides how long one call is tried again: `seconds` from its first failure since the last sign of the gateway.

    Pauses grow, with jitter, and are not shorter than the gateway's Retry-After. Retry libraries count from the start
    of a call, which may itself take long, and have no way to begin anew once a stream goes on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        self._since: float | None = None
        self._pause_s = 0.1

    def spend(self, error: Exception) -> None:
        """Pauses once more, or raises `error`."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        left = self._since + self._seconds - now
        if left <= 0:
            raise error
        asked = error.retry_after_s if isinstance(error, ApiError) else None
        time.sleep(max(random.uniform(0.5, 1) * self._pause_s, min(asked or 0.0, _LONGEST_ASKED_S, left)))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


def _refusal(response: httpx.Response) -> ApiError:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = response.text[:500]
    after = response.headers.get("retry-after", "")
    return ApiError(message, response.status_code, float(after) if after.isdecimal() else None)
