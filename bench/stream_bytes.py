"""How large the stream of a chat completion is, by `darwin.progress`: `python -m bench.stream_bytes`.

One search by the simulated engine in this process, whose responses all become as long as they may; its events become
the chunks that the gateway would send. Prints the bytes of all chunks of progress beside those of the answer's own.
Rewards are real, so 32 mutants take a quarter of a minute for 128 tokens each, and many minutes for 2,048.
"""

import argparse
import asyncio
from typing import get_args

from rich.console import Console
from rich.table import Table

from bench.limit import Limit
from bench.questions import QUESTIONS
from services.gateway.api import chunks
from services.gateway.api.progress import ProgressMode, reported
from services.gateway.config.settings import GatewaySettings
from services.orchestrator.core import answers
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, Message, Record, Result, Sampling, Seconds
from shared.records.search import Search


def sent(chunk: str) -> int:
    """Bytes of a chunk as a server-sent event."""
    return len(f"data: {chunk}\n\n".encode())


def of_progress(record: Record, events: list[Event], mode: ProgressMode) -> int:
    """Bytes of the chunks that tell these events."""
    told = (reported(event, mode) for event in events)
    return sum(sent(chunks.progress(record, each)) for each in told if each is not None)


async def measure(mutants: int, max_tokens: int) -> Table:
    request = EvolutionRequest(
        "darwin",
        (Message("user", QUESTIONS[0]),),
        Sampling(max_tokens, ignore_eos=True),
        Search(mutants=mutants),
        seed=1,
        seeded=True,
    )
    async with Limit("simulated") as limit:
        evolution, events = await limit.run_with_events(request)
    result = Result(
        answers.choices(evolution, 1), answers.base(evolution), answers.tokens(evolution), Seconds(), evolution.round
    )
    record = Record("evo_" + 32 * "0", 1, "succeeded", 0.0, request, result=result)
    answer = sum(map(sent, chunks.final(record, include_usage=False, settings=GatewaySettings())))
    table = Table("darwin.progress", "bytes of progress", "of the answer's chunks", title=f"{len(events)} events")
    for mode in get_args(ProgressMode):
        table.add_row(mode, f"{of_progress(record, events, mode):,}", f"{answer:,}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=128)
    given = parser.parse_args()
    Console().print(asyncio.run(measure(given.mutants, given.max_tokens)))


if __name__ == "__main__":
    main()
