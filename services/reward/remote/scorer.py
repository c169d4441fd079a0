"""Rewards from a server of the user's."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.reward.registry import HttpSpec
from services.reward.remote.apis import api_of
from services.reward.remote.client import RewardServer
from services.reward.remote.inputs import Renderer
from services.reward.runtime import Runtime
from services.reward.scorer import TRIAL, ComponentScore, ScoreItem
from services.reward.specs import JudgeSpec
from shared.errors import Internal, InvalidRequest, Overloaded, Unavailable, Unsupported
from shared.process.lifecycle import never
from shared.process.urls import leaves_in_plain_text, url_problem

_WAITS_S = 60.0
_RETRIES_EVERY_S = 1.0


class HttpScorer:
    """Scores at `spec.url`. Loading scores a trial conversation; a server that is away is waited for, for a minute.

    Raises on `load`:
        Unsupported: the component is wrong, or the server is not what it says; the message names the field.
        Unavailable: the server stays away.
    """

    def __init__(self, spec: HttpSpec, runtime: Runtime, environment: Mapping[str, str] = os.environ) -> None:
        self._spec = spec
        self._plaintext = runtime.plaintext
        self._environment = environment
        self._server: RewardServer | None = None
        self.batches = spec.concurrency
        self.max_batch = spec.max_batch

    async def load(self) -> None:
        spec = self._spec
        check_url(spec.url, self._plaintext)
        self._api = api_of(spec)
        self._renderer = await asyncio.to_thread(Renderer, spec)
        named = spec.key_env or (str(spec.key_file) if spec.key_file else "key_env or key_file")
        url, key = address_of(spec.url, self._api.path), key_of(spec, self._environment)
        self._server = RewardServer(url, key, named, spec.timeout_s, spec.concurrency)
        self._free = asyncio.Semaphore(spec.concurrency)
        await self._try()

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()

    async def failed(self) -> str:
        return await never()

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        """Each request holds items of one salt, since the salt keeps a server's caches apart."""
        groups: dict[object, list[int]] = {}
        for index, item in enumerate(batch):
            key = item.conversation.cache_salt if self._api.batched else index
            groups.setdefault(key, []).append(index)
        members = groups.values()
        requests = [asyncio.ensure_future(self._request([batch[index] for index in group])) for group in members]
        try:
            results = await asyncio.gather(*requests)
        finally:
            for task in requests:
                task.cancel()
        found: dict[int, ComponentScore] = {}
        for group, scores in zip(members, results, strict=True):
            found.update(zip(group, scores, strict=True))
        return [found[index] for index in range(len(batch))]

    async def _request(self, items: Sequence[ScoreItem]) -> list[ComponentScore]:
        assert self._server is not None
        rendered = [self._renderer.render(item) for item in items]
        body = self._api.body([each.input for each in rendered], salt_digest(items[0].conversation.cache_salt))
        async with self._free:
            response = await self._server.post(body)
        scores = self._api.scores(response, len(items))
        if len(scores) != len(items):
            raise Internal(f"the reward server {self._spec.url} gave {len(scores)} scores for {len(items)} responses")
        return [ComponentScore(score, each.tokens) for score, each in zip(scores, rendered, strict=True)]

    async def _try(self) -> None:
        patiently = AsyncRetrying(
            retry=retry_if_exception_type((Unavailable, Overloaded)),
            wait=wait_fixed(_RETRIES_EVERY_S),
            stop=stop_after_delay(_WAITS_S),
            reraise=True,
        )
        try:
            await patiently(self.score, [TRIAL])
        except InvalidRequest as error:
            raise Unsupported(f"{self._spec.url}: {error.message}", field=error.field or "url") from error
        except Internal as error:
            raise Unsupported(error.message, field=error.field or "url") from error


def check_url(url: str, plaintext: bool) -> None:
    """Raises Unsupported unless conversations may be sent to the URL."""
    if problem := url_problem(url, "", "key_env or key_file"):
        raise Unsupported(f"the url of a component {problem}", field="url")
    if leaves_in_plain_text(url) and not plaintext:
        raise Unsupported(
            f"conversations would leave this machine in plain text for {url}: use https://, or set "
            "DARWIN_ALLOW_PLAINTEXT=true where the network is trusted",
            field="url",
        )


def address_of(url: str, path: str) -> str:
    """The URL with the path at its end, which it may have already."""
    stripped = url.rstrip("/")
    return stripped if urlsplit(stripped).path.endswith(path) else stripped + path


def key_of(spec: HttpSpec | JudgeSpec, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key that the component names, None where it names none; raises Unsupported where it cannot be had."""
    if spec.key_env is not None:
        found = environment.get(spec.key_env, "").strip()
        if not found:
            raise Unsupported(f"key_env names {spec.key_env}, and that variable is not set", field="key_env")
    elif spec.key_file is not None:
        try:
            found = spec.key_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise Unsupported(f"key_file names {spec.key_file}, and that cannot be read", field="key_file") from None
    else:
        return None
    if not (found.isascii() and found.isprintable() and found):
        raise Unsupported("the key is empty, or holds what HTTP cannot send", field="key_env")
    return found


def salt_digest(salt: str) -> str:
    """A digest of the salt, since vLLM does not take one of any characters and length."""
    return blake2b(salt.encode(), digest_size=16).hexdigest() if salt else ""
