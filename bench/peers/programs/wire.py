"""What every program of a peer shares: questions and answers as lines of JSON, and Darwin's reward as their guide.

A program runs in an environment of its own, and imports nothing of Darwin's. It reads `{"prompt", "seed"}` and writes
`{"answer"}`; before that, it may write `{"score": [response, …], "partial": …}` as often as it likes, and reads
`{"rewards": […]}`.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Callable

# What a package prints must not get between the lines.
_LINES = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def options() -> argparse.Namespace:
    """Where the server is (`server`, up to `/v1`), its `model`, and how much is searched."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--temperature", type=float, required=True)
    return parser.parse_args()


def guide(responses: list[str], partial: bool = False) -> list[float]:
    """The rewards of responses to the question under way, which may go on where they are `partial`."""
    _write({"score": responses, "partial": partial})
    return json.loads(sys.stdin.readline())["rewards"]


def serve(answer: Callable[[str], str]) -> None:
    """Answers the questions, one after another, until there are no more."""
    _write({"ready": True})
    for line in iter(sys.stdin.readline, ""):
        question = json.loads(line)
        random.seed(question["seed"])
        _write({"answer": answer(question["prompt"])})


def _write(value: dict) -> None:
    _LINES.write(json.dumps(value) + "\n")
    _LINES.flush()
