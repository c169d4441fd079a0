"""What scoring costs: `python -m bench.reward`. Growing partial responses under the default profile, in this process.

Each round every state's response grows by 40 tokens and all are scored. "new" is such a round as it happens, "again"
the same call repeated, "scratch" the same responses with nothing kept from earlier rounds; medians over the rounds.
With `--before CHECKOUT` another checkout of Darwin is measured in turn with this one, `--pairs` times: the table shows
the CPU time of "new" rounds, which other processes disturb less than the time that passes.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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
CONTEXT = "Our town has 9,000 people, two schools, one clinic, a market hall and a river that runs low in August. "
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
    new_cpu_ms: float
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


async def measure(texts: Sequence[Sequence[str]], threads: int, question: Message) -> Timing:
    """The first round, which computes the prompt and warms up, is left out."""
    kept = build_rewarder(RewardSettings(threads=threads))
    nothing_kept = build_rewarder(RewardSettings(threads=threads, cache_bytes=0))
    await kept.start()
    await nothing_kept.start()
    rows = []
    for round_texts in texts:
        began = time.process_time()
        new_ms, scored = await _timed(kept, question, round_texts)
        cpu_ms = (time.process_time() - began) * 1e3
        again_ms, _ = await _timed(kept, question, round_texts)
        scratch_ms, _ = await _timed(nothing_kept, question, round_texts)
        rows.append((new_ms, cpu_ms, again_ms, scratch_ms, scored.computed_tokens))
    await kept.stop()
    await nothing_kept.stop()
    return Timing(len(texts[0]), threads, *(statistics.median(column) for column in zip(*rows[1:], strict=True)))


async def _timed(rewarder: Rewarder, question: Message, texts: Sequence[str]) -> tuple[float, ScoringResult]:
    candidates = [ResponseCandidate(str(index), text) for index, text in enumerate(texts)]
    began = time.perf_counter()
    scored = await rewarder.score([question], candidates)
    return (time.perf_counter() - began) * 1e3, scored


def timings(threads: int, rounds: int, context: int) -> list[Timing]:
    """Of 1, 5, 6 and 16 states; the question stands behind about `context` tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))
    question = replace(QUESTION, content=CONTEXT * (context // 24) + QUESTION.content)
    return [asyncio.run(measure(growing(tokenizer, n, rounds), threads, question)) for n in (1, 5, 6, 16)]


def timings_of(checkout: Path, arguments: Sequence[str]) -> list[Timing]:
    """What this program measures with the services of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    command = [sys.executable, __file__, "--json", *arguments]
    printed = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Timing(**row) for row in json.loads(printed.stdout.splitlines()[-1])]


def compared(before: Path, pairs: int, arguments: Sequence[str]) -> Table:
    turns = []
    for turn in range(pairs):
        checkouts = [before, Path(__file__).parents[1]]
        done = {each: timings_of(each, arguments) for each in (checkouts if turn % 2 == 0 else reversed(checkouts))}
        turns.append([done[each] for each in checkouts])
    table = Table("states", "before, CPU ms", "now, CPU ms", "now / before, median (each pair)")
    for rows in zip(*(zip(*pair, strict=True) for pair in turns), strict=True):
        ratios = [now.new_cpu_ms / older.new_cpu_ms for older, now in rows]
        older, now = (f"{statistics.median(row[i].new_cpu_ms for row in rows):.0f}" for i in (0, 1))
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        table.add_row(str(rows[0][0].states), older, now, f"{statistics.median(ratios):.2f} ({each})")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--context", type=int, default=0, help="tokens before the question, about")
    parser.add_argument("--before", type=Path, help="another checkout, which is measured in turn with this one")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
    args = parser.parse_args()
    if args.before:
        given = [f"--{name}={getattr(args, name)}" for name in ("rounds", "threads", "context")]
        Console().print(compared(args.before, args.pairs, given))
        return
    rows = timings(args.threads, args.rounds, args.context)
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    table = Table("states", "threads", "new ms", "again ms", "scratch ms", "tokens computed", title="one scoring round")
    for row in rows:
        figures = (f"{row.new_ms:.0f}", f"{row.again_ms:.1f}", f"{row.scratch_ms:.0f}", f"{row.new_tokens:.0f}")
        table.add_row(str(row.states), str(row.threads), *figures)
    Console().print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
