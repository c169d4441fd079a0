"""Callers of the gateway, our own client and OpenAI's: they sit failures out, and remember what they were told."""

import threading
from dataclasses import dataclass, field
from typing import Any

import httpx
from openai import OpenAI, OpenAIError

from cli.client import ApiError, Client

KEY = "chaos"
"""The metadata by which a caller's evolutions are known in Redis."""


@dataclass
class Told:
    """What one caller got: the evolution that was accepted, every event, an error it could not sit out."""

    evolution_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


class Caller(threading.Thread):
    """One request, followed to its end: an evolution with its events, or (`chat`) a call that waits for the answer."""

    def __init__(self, url: str, key: str, body: dict[str, Any], *, chat: bool) -> None:
        super().__init__(name=key, daemon=True)
        self._url = url
        self._key = key
        self._body = {**body, "metadata": {KEY: key}}
        self._chats = chat
        self.told = Told()

    def run(self) -> None:
        """Never raises; what went wrong is told."""
        try:
            self._chat() if self._chats else self._follow()
        except (ApiError, httpx.HTTPError, OpenAIError) as error:
            self.told.error = f"{type(error).__name__}: {error}"

    def _chat(self) -> None:
        headers = {"Idempotency-Key": self._key}
        body = {name: value for name, value in self._body.items() if name != "darwin"}
        with OpenAI(base_url=f"{self._url}/v1", api_key="none", max_retries=20, timeout=120) as client:
            completion = client.chat.completions.create(
                **body, extra_headers=headers, extra_body={"darwin": self._body["darwin"]}
            )
        if not completion.choices[0].message.content:
            self.told.error = "an empty answer"

    def _follow(self) -> None:
        with Client(self._url) as client:
            self.told.evolution_id = client.start(self._body)["id"]
            for event in client.events(self.told.evolution_id):
                self.told.events.append(event)
