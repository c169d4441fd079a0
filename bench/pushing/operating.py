"""An operator's pushes, and from when on they are in effect everywhere."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
import httpx

from shared.pb import reward_pb2 as pb
from shared.pb.reward_pb2_grpc import RewardServiceStub

_PATIENCE_S = 300.0
_LOOK_S = 0.02
_REFUSED_S = 2.0


@dataclass(frozen=True)
class Pushed:
    """A version: when its push was sent (Unix seconds), and seconds from then until it was answered, until the
    promotion was, and until each gateway takes requests under it and each replica scores by it at once.

    `refused` counts the pushes before, for which the replicas had no memory yet.
    """

    reference: str
    needs: str
    at: float
    pushed_s: float
    promoted_s: float
    live_s: float
    refused: int = 0

    @property
    def live_at(self) -> float:
        return self.at + self.live_s


class Operator:
    """Pushes to the first gateway, promotes at the last, and looks at all of them, and at each reward replica."""

    def __init__(self, urls: Sequence[str], key: str, replicas: Sequence[str]) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self._gateways = [
            httpx.AsyncClient(base_url=url, headers=headers, timeout=_PATIENCE_S, trust_env=False) for url in urls
        ]
        self._channels = [grpc.aio.insecure_channel(address) for address in replicas]
        self._replicas = [RewardServiceStub(channel) for channel in self._channels]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._gateways:
            await each.aclose()
        for channel in self._channels:
            await channel.close(None)

    async def push(self, name: str, content: str, needs: str) -> Pushed:
        """Pushes and promotes, and waits until that is in effect.

        Raises:
            RuntimeError: a call was refused.
        """
        refused = 0
        while True:
            at = time.time()
            pushed = await self._gateways[0].put(f"/v1/profiles/{name}", json={"content": content, "reason": needs})
            if pushed.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            refused += 1
            await asyncio.sleep(_REFUSED_S)
        version, pushed_s = _json(pushed)["latest"], time.time() - at
        _json(await self._gateways[-1].post(f"/v1/profiles/{name}/promote", json={"version": version}))
        promoted_s = time.time() - at
        reference = f"{name}@{version}"
        await asyncio.gather(
            *(self._taken(gateway, name, reference) for gateway in self._gateways),
            *(self._scored(stub, reference, content) for stub in self._replicas),
        )
        return Pushed(reference, needs, at, pushed_s, promoted_s, time.time() - at, refused)

    async def _taken(self, gateway: httpx.AsyncClient, name: str, reference: str) -> None:
        """Waits until a request for the name begins with this version."""
        body = {
            "model": "sample",
            "messages": [{"role": "user", "content": "Name a colour."}],
            "max_tokens": 1,
            "darwin": {"profile": name},
        }
        while True:
            answered = await gateway.post("/v1/evolutions", json=body)
            # A gateway that asks to come back does not take requests yet.
            away = answered.status_code == httpx.codes.SERVICE_UNAVAILABLE
            if not away and _json(answered)["settings"]["profile"] == reference:
                return
            await asyncio.sleep(_LOOK_S)

    async def _scored(self, stub: Any, reference: str, content: str) -> None:
        """Waits until a replica scores by this version without loading anything."""
        request = pb.ScoreRequest(
            messages=[pb.ScoreRequest.Message(role="user", content="Name a colour.")],
            candidates=[pb.ScoreRequest.Candidate(id="a", text="Blue.")],
            profile=reference,
            content=content,
            only_loaded=True,
        )
        while True:
            try:
                await stub.Score(request, timeout=_PATIENCE_S)
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            await asyncio.sleep(_LOOK_S)


def _json(response: httpx.Response) -> Any:
    if not response.is_success:
        raise RuntimeError(f"HTTP {response.status_code}: {response.text}")
    return response.json()
