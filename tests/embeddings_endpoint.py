"""An OpenAI-compatible server of embeddings, on a thread of the test's process."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.mutation.encoders import SimulatedEncoder

MODEL = "embedder"
KEY = "sk-secret-of-the-endpoint"


class FakeEndpoint:
    """Embeds by counted words, `delay_s` after it was asked, or once that is 0 again. `refusal` is answered instead,
    where there is one; `bodies` are those that came.
    """

    def __init__(self) -> None:
        self.refusal: Response | None = None
        self.changed: dict[str, Any] = {}
        self.delay_s = 0.0
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.traces: list[str] = []
        self._encoder = SimulatedEncoder()

    async def embed(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        self.traces.append(request.headers.get("traceparent", ""))
        for _ in range(round(self.delay_s / 0.02)):
            if self.delay_s:
                await asyncio.sleep(0.02)
        if self.refusal is not None:
            return self.refusal
        encoded = [
            self._encoder.encode(each if isinstance(each, str) else " ".join(map(str, each))) for each in body["input"]
        ]
        longest = max(each.tokens for each in encoded)
        if longest > self._encoder.longest:
            words = (
                f"This model's maximum context length is {self._encoder.longest} tokens, not {longest}: {body['input']}"
            )
            return JSONResponse({"error": {"message": words, "type": "BadRequestError"}}, 400)
        vectors = self._encoder.embed_tokens([each.ids for each in encoded])[:, : body.get("dimensions")]
        data = [
            {"object": "embedding", "index": index, "embedding": [float(number) for number in vector]}
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(each.tokens for each in encoded)
        # The order is the index's, not the list's.
        answer = {"object": "list", "data": data[::-1], "model": MODEL, "usage": {"prompt_tokens": tokens}}
        return JSONResponse(answer | self.changed)


@contextmanager
def running(endpoint: FakeEndpoint) -> Iterator[str]:
    """Its URL, while it runs on a thread."""
    routes = [Route("/v1/embeddings", endpoint.embed, methods=["POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(10)
