"""How long continuous batching takes on this machine: vLLM measured, and the simulated engine's clock fitted to it.

python -m bench.latency                     # prints measured beside model, writes bench/out/latency.json

Run it where the engine will run: the last line is what DARWIN_GENERATION_SIMULATED_LATENCY takes.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.questions import QUESTIONS
from services.generation.bootstrap import build_engine
from services.generation.engine import Engine, TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import Latency
from shared.records.evolution import Message
from shared.text.embedded_models import EMBEDDED_LLM

OUT = Path(__file__).parent / "out" / "latency.json"
BATCHES, PROMPT_WORDS = (1, 2, 4, 8, 16, 32, 64), (8, 48, 192)
NEW_TOKENS = 40
_WORDS = " ".join(QUESTIONS).split()


@dataclass(frozen=True)
class BatchRun:
    """A batch that began at once: steps until its last sequence ended, tokens sampled, prompt tokens computed."""

    batch: int
    prompt_words: int
    seconds: float
    steps: int
    sampled: int
    computed: int


async def measure(engine: Engine, batch: int, words: int) -> BatchRun:
    """One batch of prompts that no other shares anything with."""
    prompts = [engine.encode_chat((Message("user", " ".join(random.choices(_WORDS, k=words))),)) for _ in range(batch)]
    sampling, began = SamplingOptions(temperature=0.7, top_k=40), time.perf_counter()
    done = await asyncio.gather(
        *(engine.complete(TokenSequence(prompt, NEW_TOKENS, sampling, None)) for prompt in prompts)
    )
    seconds = time.perf_counter() - began
    lengths = [len(completion.token_ids) for completion in done]
    given = sum(map(len, prompts)) - sum(completion.cached_tokens for completion in done)
    return BatchRun(batch, words, seconds, max(lengths), sum(lengths), given)


async def measured(model: str, repeats: int, console: Console) -> list[BatchRun]:
    """Every batch with every prompt length, in random order after a warm-up."""
    engine = build_engine(GenerationSettings(engine="vllm", model=model, max_running=max(BATCHES)))
    with console.status("loading the model"):
        await engine.start()
    try:
        for batch in (1, max(BATCHES)):
            await measure(engine, batch, PROMPT_WORDS[0])
        wanted = [(batch, words) for batch in BATCHES for words in PROMPT_WORDS] * repeats
        random.shuffle(wanted)
        return [await measure(engine, batch, words) for batch, words in track(wanted, "measuring", console=console)]
    finally:
        await engine.stop()


def modelled_s(latency: Latency, run: BatchRun) -> float:
    """What the model says of it: a step of each length of the batch is passed once."""
    return latency.step_s * run.steps + latency.sequence_s * run.sampled + latency.prefill_s * run.computed


def fitted(runs: Sequence[BatchRun]) -> Latency:
    """The least squares of relative errors."""
    measured = np.array([run.seconds for run in runs])
    terms = np.array([(run.steps, run.sampled, run.computed) for run in runs]) / measured[:, None]
    found, *_ = np.linalg.lstsq(terms, np.ones(len(runs)))
    return Latency(*(max(0.0, float(value)) for value in found))


def table(runs: Sequence[BatchRun], latency: Latency) -> Table:
    shown = Table(title="Seconds of a batch, the median of its runs")
    for name in ("batch", "prompt words", "measured", "model", "error"):
        shown.add_column(name, justify="right")
    for batch in BATCHES:
        for words in PROMPT_WORDS:
            own = sorted(
                (run for run in runs if (run.batch, run.prompt_words) == (batch, words)), key=lambda run: run.seconds
            )
            run = own[len(own) // 2]
            model_s = modelled_s(latency, run)
            shown.add_row(
                str(batch), str(words), f"{run.seconds:.2f}", f"{model_s:.2f}", f"{model_s / run.seconds - 1:+.0%}"
            )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=EMBEDDED_LLM, help="as DARWIN_GENERATION_MODEL")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    console = Console(width=100)
    runs = asyncio.run(measured(options.model, options.repeats, console))
    latency = fitted(runs)
    errors = [abs(modelled_s(latency, run) / run.seconds - 1) for run in runs]
    console.print(table(runs, latency))
    console.print(f"mean error {np.mean(errors):.1%}, greatest {np.max(errors):.1%}")
    console.print(f"{latency.step_s:.4g},{latency.sequence_s:.4g},{latency.prefill_s:.4g}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": [asdict(run) for run in runs], "latency": asdict(latency)}, indent=2))


if __name__ == "__main__":
    main()
