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
from starlette.types import Receive, Scope, Send
from transformers import AutoTokenizer

from services.generation.endpoint.capabilities import FIELDS
from shared.text.embedded_models import EMBEDDED_LLM, resolve

WORDS = "butterfly, " * 8
"""What whoever is asked to write these words says."""
SAYS = "Spring comes late to the river, and then all at once."
_STANDARD = {"model", "prompt", "messages", "temperature", "top_p", "seed", "stop"}


@cache
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))


class Broken(Response):
    """An answer that breaks off, and its connection with it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{"})


Shape = Literal["openai", "text", "detail", "message", "html"]
Misfit = Literal["refused", "fails", "breaks", "hangs", "full"]


def complaint(
    shape: Shape, status: int, message: str, kind: str = "invalid_request_error", param: str = ""
) -> Response:
    """An error as one of the servers words it."""
    match shape:
        case "openai":
            error = {"message": message, "type": kind, "param": param or None, "code": None}
            return JSONResponse({"error": error}, status)
        case "text":
            return JSONResponse({"error": message, "error_type": "validation"}, status)
        case "detail":
            return JSONResponse({"detail": [{"loc": ["body", param], "msg": message, "type": "value_error"}]}, status)
        case "message":
            return JSONResponse({"object": "error", "message": message, "type": kind, "code": status}, status)
    return Response(f"<html>{message}</html>", status)


@dataclass
class FakeEndpoint:
    """Says `says`, or what is missing of it at the prompt's end, whatever it is asked, and then ends.

    Fields that it does not know it ignores, or refuses; so it does pairs of a field and a value in `refuses`. What it
    cannot read is a `misfit`, in answers of one `shape`. It ends with the first reason of `reasons`, or is cut with the
    second. `answers` come before any of its own; every `flaky`th completion fails. Log probabilities, the same for
    every token, are `logprobs` of each at most, of tokens by their ids where `names_ids`.

    By `chat` it is asked for conversations, with the same fields. It continues a last message of the assistant's where
    that is spelled as it `continues` one, with what it continues in front where it `repeats`; else it begins anew.
    """

    takes_ids: bool = True
    returns_ids: bool = True
    fields: frozenset[str] = frozenset(FIELDS)
    unknown: Literal["ignored", "refused"] = "ignored"
    refuses: tuple[tuple[str, Any], ...] = ()
    misfit: Misfit = "refused"
    shape: Shape = "openai"
    reasons: tuple[str | None, str | None] = ("stop", "length")
    usage: bool = True
    counts: int | None = None
    limit: str = "max_tokens"
    context: int | None = None
    completions: bool = True
    chat: bool = False
    continues: str = "no"
    repeats: bool = False
    flaky: int = 0
    logprobs: int | None = None
    names_ids: bool = True
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
        if not (self.chat if "messages" in body else self.completions):
            return complaint(self.shape, 404, "no such route")
        if self.flaky and len(self.bodies) % self.flaky == 0:
            return [Response(status_code=503), Broken(), Response(status_code=429)][len(self.bodies) // self.flaky % 3]
        if problem := self._problem(body):
            return await self._misfit(request, problem)
        if self.delay_s and await self._gone(request, self.delay_s):
            return Response(status_code=499)
        completion = self._completion(body)
        if "messages" in body:
            begun = self._continued(body) if self.repeats else ""
            for choice in completion["choices"]:
                choice["message"] = {"role": "assistant", "content": begun + choice.pop("text")}
        return JSONResponse(completion)

    def _continued(self, body: dict[str, Any]) -> str:
        """What of an answer it goes on from."""
        last = body["messages"][-1]
        flags = (body.get("continue_final_message"), body.get("add_generation_prompt")) == (True, False)
        known = {"flags": flags, "implicit": True}.get(self.continues, last.get(self.continues) is True)
        return last["content"] if last["role"] == "assistant" and known else ""

    async def _misfit(self, request: Request, problem: str) -> Response:
        match self.misfit:
            case "refused":
                return complaint(self.shape, 422 if self.shape == "detail" else 400, problem)
            case "fails":
                return complaint(self.shape, 500, problem, "server_error")
            case "breaks":
                return Broken()
            case "full":
                return complaint(self.shape, 429, problem)
        await self._gone(request, 60)
        return Response(status_code=499)

    async def _gone(self, request: Request, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if await request.is_disconnected():
                self.disconnected += 1
                return True
            await asyncio.sleep(0.01)
        return False

    async def elsewhere(self, request: Request) -> Response:
        return self._answers(request) or Response(status_code=404)

    def _answers(self, request: Request) -> Response | None:
        self.paths.append(request.url.path)
        self.headers.append(dict(request.headers))
        return self.answers.pop(0) if self.answers else None

    def _problem(self, body: dict[str, Any]) -> str | None:
        known = _STANDARD | {self.limit} | self.fields | ({"return_token_ids"} if self.returns_ids else set())
        if self.continues == "flags":
            known |= {"continue_final_message", "add_generation_prompt"}
        if self.logprobs is not None:
            known |= {"logprobs", "return_tokens_as_token_ids"}
            if body.get("logprobs", 0) > self.logprobs:
                return f"logprobs must be at most {self.logprobs}"
        if self.limit not in body:
            return f"{self.limit} is missing"
        if any(name in body and body[name] == value for name, value in self.refuses):
            return "not this value"
        if self.unknown == "refused" and body.keys() - known:
            return f"unknown fields: {body.keys() - known}"
        if self.unknown == "refused" and any(
            each.keys() - {"role", "content", self.continues} for each in body.get("messages", ())
        ):
            return "unknown fields of a message"
        if any(isinstance(value, dict) and "nonsense" in value for name, value in body.items() if name in known):
            return "a value of the wrong type"
        if not self.takes_ids and not isinstance(body.get("prompt", ""), str):
            return "prompt must be a string"
        if self.context is not None and len(self._given(body)) + body[self.limit] > self.context:
            return f"This model's maximum context length is {self.context} tokens. Please reduce the length."
        return None

    def _given(self, body: dict[str, Any]) -> list[int]:
        prompt = body.get("prompt", "\n".join(each["content"] for each in body.get("messages", ())))
        ids: list[int] = (
            tokenizer()(prompt, add_special_tokens=False)["input_ids"] if isinstance(prompt, str) else prompt
        )
        return ids

    def _left(self, body: dict[str, Any]) -> str:
        if "messages" in body:
            prompt = self._continued(body)
        else:
            prompt = body["prompt"] if isinstance(body["prompt"], str) else tokenizer().decode(body["prompt"])
        says = WORDS if any("butterfly" in each["content"] for each in body.get("messages", ())) else self.says
        return says[max(n for n in range(len(says) + 1) if prompt.endswith(says[:n])) :]

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = [*tokenizer()(self._left(body))["input_ids"], tokenizer().eos_token_id][: body[self.limit]]
        choice: dict[str, Any] = {
            "text": tokenizer().decode(ids, skip_special_tokens=True),
            "finish_reason": self.reasons[0 if ids[-1] == tokenizer().eos_token_id else 1],
        }
        if self.returns_ids and body.get("return_token_ids") is True:
            choice["token_ids"] = ids
        if self.logprobs is not None and "logprobs" in body:
            choice["logprobs"] = self._logprobs(ids, body)
        counted = len(self._given(body)) if self.counts is None else self.counts
        usage = {"prompt_tokens": counted, "completion_tokens": len(ids)}
        return {"choices": [choice], "usage": usage if self.usage else None}

    def _logprobs(self, ids: list[int], body: dict[str, Any]) -> dict[str, Any]:
        """The token's id is the last digit of its log probability; those beside it are less likely by one each."""
        by_id = self.names_ids and body.get("return_tokens_as_token_ids") is True
        names = [[f"token_id:{i}" if by_id else tokenizer().decode(i) for i in (own, *range(100, 120))] for own in ids]
        own = [-(token % 10) / 10 for token in ids]
        others = [[first, *(-1.0 - n for n in range(body["logprobs"]))] for first in own]
        top = [dict(zip(each, found, strict=False)) for each, found in zip(names, others, strict=True)]
        return {"tokens": [each[0] for each in names], "token_logprobs": own, "top_logprobs": top, "text_offset": []}


@contextmanager
def running(endpoint: FakeEndpoint, port: int = 0) -> Iterator[str]:
    """Its URL, while it runs on a thread."""
    routes = [
        Route("/v1/models", endpoint.list_models),
        Route("/v1/completions", endpoint.complete, methods=["POST"]),
        Route("/v1/chat/completions", endpoint.complete, methods=["POST"]),
        Route("/{path:path}", endpoint.elsewhere, methods=["GET", "POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=port, log_level="critical", lifespan="off")
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
