"""What the mutation service makes of MT-Bench's 80 instructions: `python -m bench.mutation`.

Needs a running generation service (`python -m services.generation`); the mutator runs in this process. Prints, per
category, where 5 mutants each come from and why rewrites were turned down, with seconds and tokens a call.
"""

import argparse
import asyncio
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.mutation import fidelity
from services.mutation.language_model import GenerationClient
from services.mutation.messages import AcceptedMutant, MutationRequest, MutationSummary, Reason, Rejection, TextSource
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS
from services.mutation.settings import THRESHOLD, MutationSettings
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.records.evolution import Message
from shared.rpc.balancing import Replicas

ROOT = Path(__file__).parent.parent
COUNT = 5
ON_TOPIC = THRESHOLD


def load_questions() -> list[dict[str, Any]]:
    """MT-Bench's questions, from the reference data beside the checkout."""
    path = ROOT.parent / "shared" / "data" / "mt_bench_questions.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def out_path(name: str) -> Path:
    """A file under bench/out, which is made where it is missing."""
    folder = ROOT / "bench" / "out"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@dataclass
class MutationTally:
    """Counts over the calls of one category."""

    calls: int = 0
    sources: Counter[TextSource] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    # Calls by how many of their mutants are distinct from the parent and on topic.
    good: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0

    def add(self, other: "MutationTally") -> None:
        self.calls += other.calls
        self.sources += other.sources
        self.reasons += other.reasons
        self.good += other.good
        self.seconds += other.seconds
        self.prompt_tokens += other.prompt_tokens
        self.generated_tokens += other.generated_tokens

    def as_dict(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "asked": self.calls * COUNT,
            "sources": {source.value: self.sources[source] for source in TextSource},
            "rejected": {reason.value: self.reasons[reason] for reason in Reason},
            "good_of_5": {str(count): calls for count, calls in sorted(self.good.items())},
            "seconds_per_call": round(self.seconds / self.calls, 3),
            "prompt_tokens_per_call": round(self.prompt_tokens / self.calls, 1),
            "generated_tokens_per_call": round(self.generated_tokens / self.calls, 1),
        }


async def mutate(
    mutator: InstructionMutator, instruction: str, seed: int
) -> tuple[MutationTally, list[dict[str, Any]]]:
    """One call for one instruction, and its events for reading."""
    request = MutationRequest((Message("user", instruction),), instruction, COUNT, seed=seed)
    tally, events, texts = MutationTally(calls=1), [], set()
    started = time.perf_counter()
    async for event in mutator.mutate(request):
        match event:
            case AcceptedMutant():
                tally.sources[event.source] += 1
                if event.text != instruction and event.similarity >= ON_TOPIC:
                    texts.add(event.text)
                events.append({"mutant": event.text, "operator": event.operator, "similarity": event.similarity})
            case Rejection():
                tally.reasons[event.reason] += 1
                events.append({"rejected": event.text, "operator": event.operator, "reason": event.reason.value})
            case MutationSummary():
                tally.prompt_tokens, tally.generated_tokens = event.prompt_tokens, event.generated_tokens
    tally.seconds = time.perf_counter() - started
    tally.good[len(texts)] += 1
    return tally, events


def table_of(tallies: dict[str, MutationTally]) -> Table:
    """A row per category, and the total."""
    table = Table(title=f"{COUNT} mutants for each instruction; good = distinct from the parent, cosine ≥ {ON_TOPIC}")
    reasons = [reason for reason in Reason if tallies["total"].reasons[reason]]
    heads = ("category", "asked", "model", "template", "parent", *(reason.value for reason in reasons))
    for head in (*heads, "good/call", "worst", "s/call", "tokens in", "out"):
        table.add_column(head, justify="right")
    for category, tally in tallies.items():
        row = tally.as_dict()
        good = sum(count * calls for count, calls in tally.good.items()) / tally.calls
        cells = [row["asked"], *row["sources"].values(), *(tally.reasons[reason] for reason in reasons)]
        cells += [f"{good:.2f}", min(tally.good), f"{row['seconds_per_call']:.2f}"]
        cells += [row["prompt_tokens_per_call"], row["generated_tokens_per_call"]]
        table.add_row(category, *map(str, cells))
    return table


async def run(address: str, limit: int | None) -> None:
    settings = MutationSettings()
    tallies: dict[str, MutationTally] = defaultdict(MutationTally)
    calls = []
    async with Replicas("generation", address, GenerationServiceStub) as generation:
        mutator = InstructionMutator(
            GenerationClient(generation, settings.temperature),
            await asyncio.to_thread(fidelity.load, settings.encoder),
            threshold=settings.threshold,
            operators=list(OPERATORS.values()),
            max_tokens=settings.max_tokens,
        )
        for question in load_questions()[:limit]:
            tally, events = await mutate(mutator, question["turns"][0], question["question_id"])
            tallies[question["category"]].add(tally)
            calls.append({"id": question["question_id"], "instruction": question["turns"][0], "events": events})
    total = MutationTally()
    for tally in tallies.values():
        total.add(tally)
    tallies["total"] = total
    Console(width=200).print(table_of(tallies))
    path = out_path("mutation.json")
    summary = {name: tally.as_dict() for name, tally in tallies.items()}
    path.write_text(json.dumps({"settings": settings.model_dump(), "summary": summary, "calls": calls}, indent=2))
    print(f"written to {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generation", default=MutationSettings().generation, help="address of the generation service")
    parser.add_argument("--limit", type=int, help="only the first questions")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.generation, arguments.limit))


if __name__ == "__main__":
    main()
