"""What scoring costs: `python -m bench.reward`. Growing partial responses under the default profile, in this process.

Each round every state's response grows by 40 tokens and all are scored. "new" is such a round as it happens, "again"
the same call repeated, "scratch" the same responses with nothing kept from earlier rounds; medians over the rounds.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.reward.bootstrap import build_rewarder
from services.reward.rewarder import Rewarder, ScoringResult
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message
from shared.text.embedded_models import EMBEDDED_LLM, resolve

OUT = Path(__file__).parent / "out" / "reward.json"
PERIOD = 40
QUESTION = Message("user", "How should a small town prepare for a heat wave, and what should each household do?")
SENTENCES = (
    "Open a cool public room early in the day and keep it open until late in the evening.",
    "Neighbours can look in on older people who live alone, twice a day if they can.",
    "Every household should store enough drinking water for three days and know where the shade is.",
    "Work outdoors ought to begin before sunrise and pause through the afternoon.",
    "The town can plant trees along the main street, although that helps only in later years.",
    "A short leaflet in plain language explains the first signs of heat stroke.",
    "Curtains and shutters stay closed while the sun is on the windows, and open at night.",
)


@dataclass(frozen=True)
class Timing:
    """Milliseconds a round, and tokens computed a round as the service counts them."""

    states: int
    threads: int
    new_ms: float
    again_ms: float
    scratch_ms: float
    new_tokens: float


def growing(tokenizer: Any, states: int, rounds: int) -> list[list[str]]:
    """Per round, the text of every state so far."""
    sequences = []
    for state in range(states):
        words = " ".join(random.Random(state).choices(SENTENCES, k=8 * rounds))
        sequences.append(tokenizer(words)["input_ids"])
    return [[tokenizer.decode(ids[: PERIOD * (done + 1)]) for ids in sequences] for done in range(rounds)]


async def measure(texts: Sequence[Sequence[str]], threads: int) -> Timing:
    """The first round, which computes the prompt and warms up, is left out."""
    kept = build_rewarder(RewardSettings(threads=threads))
    nothing_kept = build_rewarder(RewardSettings(threads=threads, cache_bytes=0))
    await kept.start()
    await nothing_kept.start()
    rows = []
    for round_texts in texts:
        new_ms, scored = await _timed(kept, round_texts)
        again_ms, _ = await _timed(kept, round_texts)
        scratch_ms, _ = await _timed(nothing_kept, round_texts)
        rows.append((new_ms, again_ms, scratch_ms, scored.computed_tokens))
    await kept.stop()
    await nothing_kept.stop()
    return Timing(len(texts[0]), threads, *(statistics.median(column) for column in zip(*rows[1:], strict=True)))


async def _timed(rewarder: Rewarder, texts: Sequence[str]) -> tuple[float, ScoringResult]:
    candidates = [ResponseCandidate(str(index), text) for index, text in enumerate(texts)]
    began = time.perf_counter()
    scored = await rewarder.score([QUESTION], candidates)
    return (time.perf_counter() - began) * 1e3, scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))
    timings = [asyncio.run(measure(growing(tokenizer, states, args.rounds), args.threads)) for states in (1, 5, 6, 16)]
    table = Table("states", "threads", "new ms", "again ms", "scratch ms", "tokens computed", title="one scoring round")
    for row in timings:
        figures = (f"{row.new_ms:.0f}", f"{row.again_ms:.1f}", f"{row.scratch_ms:.0f}", f"{row.new_tokens:.0f}")
        table.add_row(str(row.states), str(row.threads), *figures)
    Console().print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(row) for row in timings], indent=2))


if __name__ == "__main__":
    main()
