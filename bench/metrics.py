"""What measuring costs: microseconds of an evolution's save, a sequence, a call; with metrics served, and off."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from rich.console import Console
from rich.table import Table

from services.generation import metrics as generation
from services.generation.engine import Completion, ModelInfo
from services.orchestrator import metrics as orchestrator
from services.reward import metrics as reward
from services.reward.rewarder import CandidateScore, ScorePart
from shared.records.attempts import Attempt
from shared.records.events import Ended
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, Result, Sampling, Seconds, Tokens
from shared.records.search import Search
from shared.rpc.metrics import calling
from shared.telemetry.metrics import METER

OUT = Path("bench/out/metrics.json")
REPEATS = 5_000

_CHOICE = Choice("text", "stop", 40, 1.5, {}, "Why?", 1, 0)
_RESULT = Result((_CHOICE,), _CHOICE, Tokens(10, 0, 40, 160, 500, 30), Seconds(0.1, 1.0, 0.2, 1.3), 4)
_RECORD = Record(
    "evo_0",
    4,
    "succeeded",
    0.0,
    EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(40), Search(), 1, tenant="acme"),
    finished_at=1.3,
    result=_RESULT,
)
_ATTEMPT = Attempt("0" * 32, 4, 1, 4, 0.0, 0.3)
_INFO = ModelInfo("model", "vllm", 4096, True, 50_000, frozenset({0}))
_COMPLETION = Completion((1, 2, 3), 20, queue_seconds=0.001, first_token_seconds=0.02)
_SCORES = (CandidateScore("0", 0.5, (ScorePart("quality", 1.0, 0.7), ScorePart("form", 0.5, -0.4))),) * 5
_COUNTER = METER.create_counter("darwin.bench")


def _call() -> None:
    with calling("GenerationService/Generate"):
        pass


WORK: dict[str, Callable[[], Any]] = {
    "one counter": lambda: _COUNTER.add(1, {"kind": "kept"}),
    "a call made": _call,
    "a sequence decoded": lambda: generation.completed(_INFO, 40, 0.5, _COMPLETION),
    "responses scored": lambda: reward.scored("default", _SCORES, 100, 200),
    "an evolution's end saved": lambda: orchestrator.saved(_RECORD, (Ended("succeeded"),), _ATTEMPT, 0.3),
}


def microseconds(work: Callable[[], Any]) -> float:
    """Mean of one, the best of five runs."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(REPEATS // 5):
            work()
        best = min(best, (time.perf_counter() - began) / (REPEATS // 5))
    return best * 1e6


def main() -> None:
    off = {name: microseconds(work) for name, work in WORK.items()}
    api.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    on = {name: microseconds(work) for name, work in WORK.items()}
    table = Table("microseconds of", "off", "on", title="Metrics")
    for name in WORK:
        table.add_row(name, f"{off[name]:.2f}", f"{on[name]:.1f}")
    Console().print(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"off": off, "on": on}, indent=2))


if __name__ == "__main__":
    main()
