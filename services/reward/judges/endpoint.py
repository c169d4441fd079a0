"""A language model at an OpenAI-compatible endpoint as a judge."""

import asyncio
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from services.reward.judges.judge import Answer, chance_of_yes
from services.reward.remote.client import RewardServer
from services.reward.remote.scorer import address_of, check_url, key_of, salt_digest
from services.reward.runtime import Runtime
from services.reward.specs import JudgeSpec
from shared.errors import Internal, InvalidRequest, Unsupported

log = logging.getLogger(__name__)

_PATH = "/chat/completions"
_TRIAL = "Is water wet? Answer with one word, yes or no."
_CONTROL = re.compile(r"<(?=[^<>\s]{1,64}>)|\[(?=/?[A-Z_]{2,24}\])")
_UNSEEN = "\u2060"
"""A word joiner: put into the text of a control token it keeps a server from reading one."""


class _Token(BaseModel):
    token: str
    logprob: float


class _Position(BaseModel):
    top_logprobs: list[_Token]


class _Logprobs(BaseModel):
    content: list[_Position] | None = None


class _Choice(BaseModel):
    logprobs: _Logprobs | None = None


class _Cached(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class EndpointJudge:
    """Asks at `spec.url`, each question by a request of its own.

    Salts are sent where the endpoint takes `cache_salt`. Texts of control tokens in a question are broken up, since the
    endpoint renders it.
    """

    def __init__(self, spec: JudgeSpec, runtime: Runtime, environment: Mapping[str, str] = os.environ) -> None:
        self._spec = spec
        self._plaintext = runtime.plaintext
        self._environment = environment
        self._server: RewardServer | None = None
        self._salted = True

    async def start(self) -> None:
        spec = self._spec
        assert spec.url is not None
        if self._server is None:
            check_url(spec.url, self._plaintext)
            named = spec.key_env or (str(spec.key_file) if spec.key_file else "key_env or key_file")
            key, url = key_of(spec, self._environment), address_of(spec.url, _PATH)
            self._server = RewardServer(url, key, named, spec.timeout_s, spec.concurrency)
            self._free = asyncio.Semaphore(spec.concurrency)
        try:
            await self._ask(_TRIAL, "trial")
        except InvalidRequest:
            self._salted = False
            await self._ask(_TRIAL, "trial")
            log.warning("the judge at %s takes no cache_salt: what it caches of questions is all tenants'", spec.url)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        asking = [asyncio.ensure_future(self._ask(question, cache_salt)) for question in questions]
        try:
            return list(await asyncio.gather(*asking))
        finally:
            for task in asking:
                task.cancel()

    async def _ask(self, question: str, cache_salt: str) -> Answer:
        assert self._server is not None
        spec = self._spec
        body: dict[str, Any] = {
            "model": spec.model,
            "messages": [{"role": "user", "content": _CONTROL.sub(lambda found: found.group() + _UNSEEN, question)}],
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": spec.alternatives,
        }
        if spec.chat_template_arguments:
            body["chat_template_kwargs"] = dict(spec.chat_template_arguments)
        if cache_salt and self._salted:
            body["cache_salt"] = salt_digest(cache_salt)
        try:
            async with self._free:
                received = await self._server.post(body)
        except InvalidRequest as error:
            raise InvalidRequest(
                "the judge's endpoint refuses the question; where it refuses all, change model, alternatives or "
                "max_characters",
                field=error.field,
            ) from error
        return self._read(received)

    def _read(self, received: bytes) -> Answer:
        try:
            completion = TypeAdapter(_Completion).validate_json(received)
        except ValidationError:
            raise Internal(f"the judge's endpoint {self._spec.url} gives no chat completion") from None
        logprobs = completion.choices[0].logprobs
        if logprobs is None or logprobs.content is None:
            raise Unsupported(
                f"the judge's endpoint {self._spec.url} gives no log probabilities: name one that does", field="url"
            )
        tokens = logprobs.content[0].top_logprobs if logprobs.content else []
        yes = chance_of_yes((token.token, token.logprob) for token in tokens)
        usage = completion.usage or _Usage()
        cached = (usage.prompt_tokens_details or _Cached()).cached_tokens or 0
        return Answer(yes, usage.prompt_tokens - cached, cached)
