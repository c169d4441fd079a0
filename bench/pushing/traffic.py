"""What others ask for meanwhile: searches through the gateways, and responses scored by each reward replica."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count, cycle, product
from typing import Any, Literal

import grpc
import httpx

from bench.questions import QUESTIONS
from shared.pb import reward_pb2 as pb
from shared.pb.reward_pb2_grpc import RewardServiceStub

# Each replica is asked so often; what it computes for that is a hundredth of a core or two.
_PROBES_PER_S = 2.0
_PATIENCE_S = 120.0
_ANSWERS = (
    "Light is scattered by the molecules of the air, and blue light more than red, so that it comes from everywhere.",
    "It has always been like that, and nobody has to know. There are more important things to ask about, I think.",
)


@dataclass(frozen=True)
class Sample:
    """A call of somebody else: when it was due (Unix seconds), and seconds from then until its answer was there."""

    kind: Literal["search", "score"]
    at: float
    seconds: float


class Traffic:
    """Searches arrive `rate` times a second, each due at its time whatever became of those before, from tenants in
    turn at gateways in turn, under a profile that nobody changes. `samples` has what is answered so far.

    Raises from `running`: `RuntimeError` where a call fails.
    """

    def __init__(self, urls: Sequence[str], keys: Sequence[str], replicas: Sequence[str], rate: float, tokens: int):
        self._urls, self._keys, self._replicas = urls, keys, replicas
        self._rate, self._tokens = rate, tokens
        self.samples: list[Sample] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Calls arrive within; those under way at the end are waited for."""
        calls = set[asyncio.Task[None]]()
        async with httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False) as http:
            channels = [grpc.aio.insecure_channel(address) for address in self._replicas]
            stubs = cycle(RewardServiceStub(channel) for channel in channels)
            places = cycle(product(self._urls, self._keys))
            arriving = [
                asyncio.create_task(_arrive(calls, self._rate, lambda n, at: self._search(http, *next(places), n, at))),
                asyncio.create_task(
                    _arrive(calls, _PROBES_PER_S * len(channels), lambda n, at: self._score(next(stubs), n, at))
                ),
            ]
            try:
                yield
            finally:
                for task in arriving:
                    task.cancel()
                await asyncio.gather(*arriving, return_exceptions=True)
                ended = await asyncio.gather(*calls, return_exceptions=True)
                for channel in channels:
                    await channel.close(None)
        if failed := [each for each in ended if isinstance(each, BaseException)]:
            raise RuntimeError(f"{len(failed)} calls failed, the first by {failed[0]!r}") from failed[0]

    async def _search(self, http: httpx.AsyncClient, url: str, key: str, number: int, at: float) -> None:
        body: dict[str, Any] = {
            "model": "darwin",
            "messages": [{"role": "user", "content": f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"}],
            "max_tokens": self._tokens,
            "seed": number,
            "darwin": {"mutants": 2, "cycles": 1, "period": max(1, self._tokens // 2)},
        }
        headers = {"authorization": f"Bearer {key}"}
        answered = await http.post(f"{url}/v1/chat/completions", json=body, headers=headers)
        if not answered.is_success:
            raise RuntimeError(f"HTTP {answered.status_code}: {answered.text}")
        self.samples.append(Sample("search", at, time.time() - at))

    async def _score(self, stub: Any, number: int, at: float) -> None:
        question = pb.ScoreRequest.Message(role="user", content=f"Why is the sky blue? I ask for the {number}. time.")
        answers = [
            pb.ScoreRequest.Candidate(id=str(place), text=f"{number}. {text}", partial=True)
            for place, text in enumerate(_ANSWERS)
        ]
        await stub.Score(pb.ScoreRequest(messages=[question], candidates=answers), timeout=_PATIENCE_S)
        self.samples.append(Sample("score", at, time.time() - at))


async def _arrive(calls: set[asyncio.Task[None]], per_second: float, call: Callable[[int, float], Any]) -> None:
    """Makes calls at their times, for ever; those that were answered leave `calls`, those that failed stay."""
    began = time.time()
    for number in count():
        at = began + number / per_second
        await asyncio.sleep(at - time.time())
        task = asyncio.create_task(call(number, at))
        calls.add(task)
        task.add_done_callback(lambda done: _forget(calls, done))


def _forget(calls: set[asyncio.Task[None]], done: asyncio.Task[None]) -> None:
    if not done.cancelled() and done.exception() is None:
        calls.discard(done)
