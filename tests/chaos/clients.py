"""Callers of the gateway, our own client and OpenAI's: they sit failures out, and remember what they were told."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from openai import OpenAI, OpenAIError

from cli.client import ApiError, Client

KEY = "chaos"
"""The metadata by which a caller's evolutions are known in Redis."""
COME_BACK = "503, Retry-After"
"""The kind of refusal that asks a caller to come back."""


@dataclass
class Told:
    """What one caller got: the evolution that was accepted, every event, the kinds of refusals that it sat out, and an
    error that it could not.
    """

    evolution_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    error: str = ""


class _Noting(httpx.HTTPTransport):
    """Notes what is answered that is no success."""

    def __init__(self, refused: set[str]) -> None:
        super().__init__()
        self._refused = refused

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if response.status_code >= 400:
            after = ", Retry-After" if "retry-after" in response.headers else ""
            self._refused.add(f"{response.status_code}{after}")
        return response


class Caller(threading.Thread):
    """One request, made `after_s` seconds after the start and followed to its end: an evolution with its events, or
    (`chat`) a call that waits for the answer.
    """

    def __init__(self, url: str, key: str, body: dict[str, Any], *, chat: bool, after_s: float = 0.0) -> None:
        super().__init__(name=key, daemon=True)
        self._url = url
        self._key = key
        self._body = {**body, "metadata": {KEY: key}}
        self._chats = chat
        self._after_s = after_s
        self.told = Told()

    def run(self) -> None:
        """Never raises; what went wrong is told."""
        time.sleep(self._after_s)
        try:
            self._chat() if self._chats else self._follow()
        except (ApiError, httpx.HTTPError, OpenAIError) as error:
            self.told.error = f"{type(error).__name__}: {error}"

    def _chat(self) -> None:
        headers = {"Idempotency-Key": self._key}
        body = {name: value for name, value in self._body.items() if name != "darwin"}
        http = httpx.Client(transport=_Noting(self.told.refused), timeout=120)
        with OpenAI(
            base_url=f"{self._url}/v1", api_key="none", max_retries=20, timeout=120, http_client=http
        ) as client:
            completion = client.chat.completions.create(
                **body, extra_headers=headers, extra_body={"darwin": self._body["darwin"]}
            )
        if not completion.choices[0].message.content:
            self.told.error = "an empty answer"

    def _follow(self) -> None:
        with Client(self._url, _Noting(self.told.refused)) as client:
            self.told.evolution_id = client.start(self._body)["id"]
            for event in client.events(self.told.evolution_id):
                self.told.events.append(event)
