"""When a stream's first words come, and its last: `python -m bench.first_words`.

Each question is asked as a stream twice in turn, with the same seed: once so that the text comes when the search has
ended, and once with `darwin.stream_settled`. Prints medians of the seconds until the first content and until the end,
how many answers are the same, and what keeping to the first words costs in reward; and for which part of the time a
search waits for rewards alone, which is the most that scoring pieces while they are decoded could save. Writes
bench/out/first_words.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.questions import QUESTIONS
from cli.stack import Stack, StackSettings

OUT = Path(__file__).parent / "out" / "first_words.json"
TEMPLATES = {"DARWIN_MUTATION_AUTO_SHARE": "1"}
_DATA = "data: "


@dataclass(frozen=True)
class Streamed:
    """One answer: seconds until its first content and until the end of its stream, its text and its reward; and for
    how many seconds of the search something was scored while nothing was decoded.
    """

    settled: bool
    first_s: float
    whole_s: float
    text: str
    reward: float
    scoring_alone_s: float


def scoring_alone_s(client: httpx.Client, evolution_id: str) -> float:
    """Seconds of a recorded search with a call to the reward under way, and none to generation or mutation."""
    recording = client.get(f"/v1/evolutions/{evolution_id}/recording").raise_for_status().json()
    calls = [call for attempt in recording["attempts"] for call in attempt["calls"]]
    times = sorted({call[name] for call in calls for name in ("started_at", "ended_at")})
    alone = 0.0
    for begin, end in pairwise(times):
        stages = {call["stage"] for call in calls if call["started_at"] <= begin and call["ended_at"] >= end}
        alone += end - begin if stages == {"reward"} else 0.0
    return alone


def streamed(client: httpx.Client, question: str, seed: int, max_tokens: int, settled: bool) -> Streamed:
    """Asks one question; raises RuntimeError where the stream ends in an error."""
    body = {
        "model": "darwin",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": max_tokens,
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        "darwin": {"stream_settled": settled},
    }
    text, first_s, reward, evolution_id, began = "", None, 0.0, "", time.perf_counter()
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith(_DATA) or line == f"{_DATA}[DONE]":
                continue
            chunk: dict[str, Any] = json.loads(line.removeprefix(_DATA))
            if "error" in chunk:
                raise RuntimeError(chunk["error"]["message"])
            if usage := chunk.get("usage"):
                reward, evolution_id = float(usage["darwin"]["reward"]), usage["darwin"]["evolution_id"]
            content = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
            if content and first_s is None:
                first_s = time.perf_counter() - began
            text += content
    whole_s = time.perf_counter() - began
    alone_s = scoring_alone_s(client, evolution_id)
    return Streamed(settled, whole_s if first_s is None else first_s, whole_s, text, reward, alone_s)


def table(runs: Sequence[Streamed]) -> Table:
    shown = Table(title="Medians over the questions")
    for name in ("stream_settled", "first content, s", "whole answer, s", "mean reward"):
        shown.add_column(name, justify="right")
    for settled in (False, True):
        mine = [run for run in runs if run.settled == settled]
        shown.add_row(
            str(settled).lower(),
            f"{statistics.median(run.first_s for run in mine):.2f}",
            f"{statistics.median(run.whole_s for run in mine):.2f}",
            f"{statistics.mean(run.reward for run in mine):.3f}",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", default="auto", help="as `darwin up --engine`")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--url", help="of a gateway that runs already")
    options = parser.parse_args()
    console, runs = Console(width=100), list[Streamed]()

    def measure(url: str) -> None:
        with httpx.Client(base_url=url, timeout=600.0) as client:
            streamed(client, QUESTIONS[-1], 0, options.max_tokens, settled=True)
            for seed, question in enumerate(track(QUESTIONS[: options.questions], "measuring", console=console)):
                for settled in (False, True) if seed % 2 else (True, False):
                    runs.append(streamed(client, question, seed, options.max_tokens, settled))

    if options.url:
        measure(options.url)
    else:
        with Stack(StackSettings(engine=options.engine, env=TEMPLATES)) as stack:
            measure(stack.url)
    console.print(table(runs))
    at_the_end = {run.text for run in runs if not run.settled}
    same = sum(run.text in at_the_end for run in runs if run.settled)
    console.print(f"{same} of {options.questions} answers are the same")
    # What is asked a second time has its rewards from memory.
    fresh = runs[::2]
    alone = sum(run.scoring_alone_s for run in fresh) / sum(run.whole_s for run in fresh)
    console.print(f"scoring alone: {alone:.1%} of the time")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([asdict(run) for run in runs], indent=2))


if __name__ == "__main__":
    main()
