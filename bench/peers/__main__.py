"""Other packages' searches on the server that Darwin's generation uses: `python -m bench.peers`.

its_hub's best-of-n and particle filtering choose by the reward that guides Darwin; optillm's best-of-n has the model
rate its own responses. Each package has an environment of its own under .peers, made of the versions in
bench/peers/*.txt at the first run. Tokens are those that the server itself has counted meanwhile, so nobody else may
use it; questions are answered one after another.

    vllm serve MODEL --port 8000
    darwin eval --questions FILE --turns 1 --out FOLDER --url …    # a gateway whose generation uses that server
    python -m bench.peers --questions FILE --server http://127.0.0.1:8000/v1 --out FOLDER --n 8 16
    darwin eval --questions FILE --turns 1 --out FOLDER --judge …  # judges what is in the folder
    darwin eval report FOLDER

Answers are added to the folder's rows, under the method of ours that is nearest, with `peer` as a setting.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console
from rich.table import Table

from bench.peers.environments import HERE, PEERS, python_of, version_of
from bench.peers.server import VllmServer
from cli.evaluation.folder import Log
from cli.evaluation.questions import Question, read_questions
from cli.evaluation.rows import Row, Turn
from cli.evaluation.versions import local_hardware
from services.reward.bootstrap import build_rewarder
from services.reward.rewarder import Rewarder
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.records.evolution import Message, Seconds, Tokens

STEPS = 4
_LINE_BYTES = 16 * 1024**2


class Program:
    """A peer's program under way; `rewarder` is its guide."""

    def __init__(self, process: asyncio.subprocess.Process, rewarder: Rewarder) -> None:
        self._process = process
        self._rewarder = rewarder

    async def answer(self, prompt: str, seed: int) -> str:
        """The peer's answer; raises RuntimeError where its program has ended."""
        await self.write({"prompt": prompt, "seed": seed})
        while "score" in (said := await self.read()):
            found = await rewards(self._rewarder, prompt, said["score"], partial=said["partial"])
            await self.write({"rewards": found})
        return str(said["answer"])

    async def read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not (line := await self._process.stdout.readline()):
            raise RuntimeError(f"a peer's program has ended with {await self._process.wait()}; its errors stand above")
        return dict(json.loads(line))

    async def write(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")
        await self._process.stdin.drain()


async def rewards(rewarder: Rewarder, prompt: str, responses: Sequence[str], *, partial: bool = False) -> list[float]:
    """The guide's reward of each response; `partial` ones may go on."""
    candidates = [ResponseCandidate(str(index), text, partial) for index, text in enumerate(responses)]
    scored = await rewarder.score([Message("user", prompt)], candidates)
    return [score.reward for score in scored.scores]


@dataclass(frozen=True)
class Comparison:
    """What all peers share: the server, the guide, and how long and how random responses are."""

    server: VllmServer
    rewarder: Rewarder
    max_tokens: int
    temperature: float

    async def answered(self, name: str, n: int, questions: Sequence[Question], seeds: int) -> list[Row]:
        """One peer's answers to all questions, with `n` responses each."""
        peer = PEERS[name]
        command = [
            *(str(python_of(peer.package)), str(HERE / "programs" / peer.program)),
            *("--server", self.server.url, "--model", self.server.model, "--n", str(n), "--steps", str(STEPS)),
            *("--max-tokens", str(self.max_tokens), "--temperature", str(self.temperature)),
        ]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LINE_BYTES)
        program = Program(process, self.rewarder)
        try:
            await program.read()
            return [
                Row(
                    question=question.id,
                    category=question.category,
                    method=peer.method,
                    setting={"n": n, "peer": name},
                    seed=seed,
                    turns=(await self._turn(program, question.turns[0], seed),),
                    versions={
                        **version_of(peer.package),
                        "model": self.server.model,
                        "hardware": local_hardware(),
                    },
                )
                for seed in range(seeds)
                for question in questions
            ]
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def _turn(self, program: Program, prompt: str, seed: int) -> Turn:
        base = await asyncio.to_thread(self.server.plain, prompt, self.max_tokens, self.temperature, seed)
        before, began = self.server.counted(), time.time()
        answer = await program.answer(prompt, seed)
        ended, tokens = time.time(), self.server.counted() - before
        guide, base_guide = await rewards(self.rewarder, prompt, [answer, base])
        length = self.server.tokens_in(answer)
        return Turn(
            prompt=prompt,
            answer=answer,
            answer_tokens=length,
            instruction=prompt,
            guide=guide,
            base=base,
            base_tokens=self.server.tokens_in(base),
            base_guide=base_guide,
            tokens=Tokens(prompt=tokens.prompt, kept=length, discarded=max(0, tokens.generated - length)),
            seconds=Seconds(total=ended - began),
            rounds=1,
            evolution="",
            started_at=began,
            finished_at=ended,
        )


def table(rows: Sequence[Row]) -> Table:
    shown = Table(title="Means over questions")
    for column in ("peer", "answers", "tokens", "guide", "guide of the base", "seconds"):
        shown.add_column(column, justify="left" if column == "peer" else "right", no_wrap=True)
    for cell in dict.fromkeys(row.cell for row in rows):
        turns = [row.turns[0] for row in rows if row.cell == cell]

        def mean(values: list[float]) -> float:
            return sum(values) / len(values)

        shown.add_row(
            cell,
            str(len(turns)),
            f"{mean([turn.tokens.generated for turn in turns]):.0f}",
            f"{mean([turn.guide for turn in turns]):.3f}",
            f"{mean([turn.base_guide for turn in turns]):.3f}",
            f"{mean([turn.seconds.total for turn in turns]):.2f}",
        )
    return shown


async def main(options: argparse.Namespace, console: Console) -> None:
    questions = read_questions(options.questions, turns=1)[: options.limit]
    if any(question.context for question in questions):
        raise SystemExit("the peers take one prompt each: leave out questions with a conversation before them")
    if options.max_tokens % STEPS:
        raise SystemExit(f"--max-tokens must be a multiple of {STEPS}: particle filtering takes that many equal steps")
    options.out.mkdir(parents=True, exist_ok=True)
    server, rewarder, rows = VllmServer(options.server, options.model), build_rewarder(RewardSettings()), list[Row]()
    comparison = Comparison(server, rewarder, options.max_tokens, options.temperature)
    await rewarder.start()
    try:
        with FileLock(options.out / ".lock", timeout=0):
            logs = [Log(options.out / name) for name in ("answers.jsonl", "rows.jsonl")]
            for name in options.peers:
                for n in options.n:
                    console.log(f"{name}, n = {n}: {len(questions)} questions")
                    found = await comparison.answered(name, n, questions, options.seeds)
                    for log in logs:
                        log.append(*(row.model_dump(mode="json") for row in found))
                    rows += found
            for log in logs:
                log.close()
    finally:
        await rewarder.stop()
        server.close()
    console.print(table(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--server", required=True, help="vLLM's, up to /v1")
    parser.add_argument("--model", help="its name for the model; default: the first")
    parser.add_argument("--out", type=Path, required=True, help="a results folder, as of `darwin eval`")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--n", type=int, nargs="+", default=[8])
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, help="so many questions at most")
    asyncio.run(main(parser.parse_args(), Console(width=120)))
