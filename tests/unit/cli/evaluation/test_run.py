import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.evaluation.folder import Folder
from cli.evaluation.plan import Plan
from cli.evaluation.questions import Question
from cli.evaluation.run import Evaluation, EvolutionFailed, open_tasks, turn_of

IN_FLIGHT = 130


def test_a_response_that_is_not_among_the_choices_fails_the_turn_and_not_the_evaluation() -> None:
    choice = {"text": "a", "reward": 1.0, "completion_tokens": 3, "instruction": "Why?"}
    tokens = {"generated": 6, "mutation": 0, "kept": 3, "discarded": 3}
    document = {
        "id": "evo_1",
        "model": "best-of-n",
        "result": {
            "choices": [choice],
            "base": choice,
            "tokens": tokens,
            "prompt_tokens": 1,
            "seconds": {},
            "rounds": 1,
        },
        "events": [{"type": "round.finished", "texts": ["a"]}],
    }
    assert [candidate.text for candidate in turn_of(document, "Why?", 0.0).candidates] == ["a", "a"]
    turn = turn_of(document | {"settings": {"profile": "brief@1", "profile_owner": "acme"}}, "Why?", 0.0)
    assert (turn.profile, turn.profile_owner) == ("brief@1", "acme")
    document |= {"method": "best-of-n", "model": "gpt-4o"}
    assert len(turn_of(document, "Why?", 0.0).candidates) == 2
    document["events"] = [{"type": "round.finished", "texts": ["b"]}]
    with pytest.raises(EvolutionFailed, match="evo_1: 1 of its responses"):
        turn_of(document, "Why?", 0.0)
    document["events"] = [{"type": "round.finished", "texts": ["a"]}]
    other = {**choice, "text": "b", "reward": None}
    document["result"]["choices"].append(other)  # type: ignore[index]
    document["events"] = [{"type": "round.finished", "texts": ["a", "b"]}]
    with pytest.raises(EvolutionFailed, match="evo_1: 1 of its responses"):
        turn_of(document, "Why?", 0.0)
    document["result"] = {**document["result"], "stopped_by": "error"}  # type: ignore[dict-item]
    with pytest.raises(EvolutionFailed, match="cut short by an error"):
        turn_of(document, "Why?", 0.0)


class Gateway(BaseHTTPRequestHandler):
    """Ends no evolution before `IN_FLIGHT` of them are followed at once."""

    protocol_version = "HTTP/1.1"
    followed = threading.Barrier(IN_FLIGHT, timeout=60)

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"id": self.headers["idempotency-key"]})

    def do_GET(self) -> None:
        if self.path.endswith("/events"):
            self.followed.wait()
            return self._answer(b'id: 1\ndata: {"type": "evolution.ended"}\n\n', "text/event-stream")
        choice = {"text": "a", "reward": 1.0, "completion_tokens": 3, "instruction": "Why?"}
        tokens = {"mutation": 0, "kept": 3, "discarded": 0}
        result = {"choices": [choice], "base": choice, "tokens": tokens, "prompt_tokens": 1, "seconds": {}, "rounds": 0}
        return self._answer({"id": self.path[-12:], "model": "sample", "status": "succeeded", "result": result})

    def _answer(self, body: Any, kind: str = "application/json") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Listening(ThreadingHTTPServer):
    request_queue_size = IN_FLIGHT
    daemon_threads = True


def test_more_than_a_hundred_questions_may_be_in_flight(tmp_path: Path) -> None:
    server = Listening(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    plan = Plan.model_validate({"cells": [{"method": "sample"}]})
    questions = [Question(id=str(number), turns=("Why?",)) for number in range(IN_FLIGHT)]
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", patience_s=0) as client, Folder(tmp_path, {}) as folder:
            tasks = open_tasks(plan, questions, range(1), folder)
            ended = Evaluation(client, plan, {}, "it").run(tasks, folder, IN_FLIGHT, lambda task, row: None)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert ended == Counter(answered=IN_FLIGHT)
