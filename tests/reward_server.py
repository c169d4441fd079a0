"""A server of rewards as others run them, in the shapes of vLLM, TEI, OpenRLHF and OpenAI's chats; it scores by a
function."""

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Score = Callable[[Any], list[float]]
"""The outputs for one input, as it came: text, a pair of texts, token ids, or messages."""


@dataclass
class Faked:
    """A running server. What stands in `status`, `raw` or `delay` replaces its answers; `seen` holds requests."""

    url: str
    score: Score
    key: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    held: threading.Event | None = None
    seen: list[tuple[str, Any]] = field(default_factory=list)


@contextmanager
def serve(score: Score, key: str | None = None) -> Iterator[Faked]:
    """On a port of its own, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    faked = server.faked = Faked(f"http://127.0.0.1:{server.server_port}", score, key)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield faked
    finally:
        if faked.held:
            faked.held.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None: ...

    def do_POST(self) -> None:
        faked: Faked = self.server.faked  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        faked.seen.append((self.path, body))
        if faked.held:
            faked.held.wait(30)
        if faked.key is not None and self.headers.get("authorization") != f"Bearer {faked.key}":
            return self._answer(401, b'{"error": "no such key"}')
        answering = _ANSWERS.get(self.path)
        if faked.status is not None or answering is None:
            return self._answer(faked.status or 404, faked.raw or b'{"error": "SECRET prompt"}', faked.headers)
        return self._answer(200, faked.raw or json.dumps(answering(faked.score, body)).encode())

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _inputs(body: Any) -> list[Any]:
    return [body["messages"]] if "messages" in body else list(body["input"])


def _classify(score: Score, body: Any) -> Any:
    assert body["use_activation"] is False
    rows = [score(each) for each in _inputs(body)]
    return {
        "data": [
            {"index": index, "label": "LABEL_0", "probs": row, "num_classes": len(row)}
            for index, row in reversed(list(enumerate(rows)))
        ],
        "usage": {"prompt_tokens": 1},
    }


def _pooling(score: Score, body: Any) -> Any:
    """A model of one output for each token."""
    rows = [[[0.0] * len(score(each)), score(each)] for each in _inputs(body)]
    return {"data": [{"index": index, "object": "pooling", "data": row} for index, row in enumerate(rows)]}


def _predict(score: Score, body: Any) -> Any:
    assert body["raw_scores"] is True
    assert all(isinstance(each, list) for each in body["inputs"])
    rows = [
        [{"label": f"LABEL_{index}", "score": value} for index, value in enumerate(score(each))]
        for each in body["inputs"]
    ]
    return [sorted(row, key=lambda label: -label["score"]) for row in rows]


def _get_reward(score: Score, body: Any) -> Any:
    rows = [score(text) for text in body["query"]]
    return {"rewards": [row[0] if len(row) == 1 else row for row in rows]}


def _chat(score: Score, body: Any) -> Any:
    """A judge: `score` gives P(yes) for the question, which is spelled in several ways."""
    assert (body["max_tokens"], body["temperature"], body["logprobs"]) == (1, 0, True)
    question = body["messages"][-1]["content"]
    (yes,) = score(question)
    spelled = {"Yes": 0.6 * yes, " yes": 0.2 * yes, "No": 0.5 * (1 - yes), "no": 0.3 * (1 - yes), "Maybe": 0.1}
    top = [{"token": token, "logprob": math.log(max(chance, 1e-30))} for token, chance in spelled.items()]
    content = [{"token": "Yes", "logprob": top[0]["logprob"], "top_logprobs": top}]
    return {
        "choices": [{"index": 0, "message": {"content": "Yes"}, "logprobs": {"content": content}}],
        "usage": {"prompt_tokens": len(question), "prompt_tokens_details": None},
    }


_ANSWERS: Mapping[str, Callable[[Score, Any], Any]] = {
    "/classify": _classify,
    "/pooling": _pooling,
    "/predict": _predict,
    "/get_reward": _get_reward,
    "/v1/chat/completions": _chat,
}
