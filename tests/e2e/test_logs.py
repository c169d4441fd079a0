"""What the processes of a stack log: JSON, and about an evolution never without its trace."""

import json
import re
from typing import Any

import httpx

from cli.stack import Stack

TOO_LONG = [{"role": "user", "content": "and " * 8190 + "now."}]
"""More than the simulated model reads."""
_ABOUT = re.compile(r"evo_[0-9a-f]{32}")


def lines_of(stack: Stack) -> list[dict[str, Any]]:
    texts = [log.read_text() for log in stack.folder.glob("*.log") if log.stem != "redis"]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_every_line_is_json_and_names_the_evolution_and_its_trace(simulated_stack: Stack) -> None:
    body = {"model": "darwin", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 40}
    chat = f"{simulated_stack.url}/v1/chat/completions"
    answered = httpx.post(chat, json=body, timeout=30)
    failed = httpx.post(chat, json=body | {"messages": TOO_LONG}, timeout=30)
    assert (answered.status_code, failed.status_code) == (200, 400)
    logged = lines_of(simulated_stack)
    assert {line["service"] for line in logged} == {"gateway", "orchestrator", "mutation", "generation", "reward"}
    assert all({"time", "level", "logger", "message"} < set(line) for line in logged)
    for answer in (answered, failed):
        evolution_id, trace_id = answer.headers["x-darwin-evolution-id"], answer.headers["x-darwin-trace-id"]
        own = [line for line in logged if evolution_id in (line["evolution_id"], *_ABOUT.findall(line["message"]))]
        assert own
        assert {(line["evolution_id"], line["trace_id"]) for line in own} == {(evolution_id, trace_id)}
    about = [line for line in logged if _ABOUT.search(line["message"])]
    assert all(line["trace_id"] and line["evolution_id"] for line in about)
    assert "Name a colour." not in json.dumps(logged)
