"""A small OpenAI-compatible endpoint without a model: what it knows, ignores or refuses is up to the test."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from transformers import AutoTokenizer

from services.generation.endpoint.abilities import FIELDS
from shared.models import EMBEDDED_LLM, resolve

SAYS = "Spring comes late to the river, and then all at once."
_STANDARD = {"model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop"}


@cache
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))


@dataclass
class FakeEndpoint:
    """Says `says` from its start, whatever it is asked, and then ends.

    Fields that it does not know it ignores, or refuses. `answers` come before any of its own.
    """

    takes_ids: bool = True
    returns_ids: bool = True
    fields: frozenset[str] = frozenset(FIELDS)
    unknown: Literal["ignored", "refused"] = "ignored"
    says: str = SAYS
    models: tuple[str, ...] = ("served",)
    max_model_len: int | None = 256
    delay_s: float = 0.0
    answers: list[Response] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    disconnected: int = 0

    @property
    def asked(self) -> dict[str, Any]:
        """The last completion's body."""
        return self.bodies[-1]

    async def list_models(self, request: Request) -> Response:
        listed = [{"id": name, "max_model_len": self.max_model_len} for name in self.models]
        return self._answers(request) or JSONResponse({"object": "list", "data": listed})

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        if given := self._answers(request):
            return given
        if problem := self._problem(body):
            return JSONResponse({"error": {"message": problem}}, 400)
        until = time.monotonic() + self.delay_s
        while time.monotonic() < until:
            if await request.is_disconnected():
                self.disconnected += 1
                return Response(status_code=499)
            await asyncio.sleep(0.01)
        return JSONResponse(self._completion(body))

    async def elsewhere(self, request: Request) -> Response:
        return self._answers(request) or Response(status_code=404)

    def _answers(self, request: Request) -> Response | None:
        self.paths.append(request.url.path)
        self.headers.append(dict(request.headers))
        return self.answers.pop(0) if self.answers else None

    def _problem(self, body: dict[str, Any]) -> str | None:
        known = _STANDARD | self.fields | ({"return_token_ids"} if self.returns_ids else set())
        if self.unknown == "refused" and body.keys() - known:
            return f"unknown fields: {body.keys() - known}"
        if any(isinstance(value, dict) and "nonsense" in value for name, value in body.items() if name in known):
            return "a value of the wrong type"
        if not self.takes_ids and not isinstance(body["prompt"], str):
            return "prompt must be a string"
        return None

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = [*tokenizer()(self.says)["input_ids"], tokenizer().eos_token_id][: body["max_tokens"]]
        choice: dict[str, Any] = {
            "text": tokenizer().decode(ids, skip_special_tokens=True),
            "finish_reason": "stop" if ids[-1] == tokenizer().eos_token_id else "length",
        }
        if self.returns_ids and body.get("return_token_ids") is True:
            choice["token_ids"] = ids
        prompt = body["prompt"]
        given = tokenizer()(prompt, add_special_tokens=False)["input_ids"] if isinstance(prompt, str) else prompt
        return {"choices": [choice], "usage": {"prompt_tokens": len(given)}}


@contextmanager
def running(endpoint: FakeEndpoint, port: int = 0) -> Iterator[str]:
    """Its URL, while it runs on a thread."""
    routes = [
        Route("/v1/models", endpoint.list_models),
        Route("/v1/completions", endpoint.complete, methods=["POST"]),
        Route("/{path:path}", endpoint.elsewhere, methods=["GET", "POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(10)
