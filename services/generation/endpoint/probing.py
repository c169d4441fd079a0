"""Finds out what an endpoint can do, by requests of one token each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.generation.endpoint.capabilities import (
    COMPLETIONS,
    EVERY_TOKEN,
    FIELDS,
    STANDARD,
    TOKEN_LIMITS,
    TRANSIENT,
    Capabilities,
    TokenMode,
)
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.errors import chat_only
from services.generation.endpoint.logprobs import logprobs_fields, read_likelihoods
from services.generation.endpoint.responses import ChatResponse, CompletionResponse, ListedModels, ServedModel
from shared.errors import DarwinError, DeadlineExceeded, InvalidRequest, Unsupported
from shared.records.limits import MOST_ALTERNATIVES

# No field is of this type. An endpoint that supports a field refuses it; one that ignores the field accepts it.
_NONSENSE = {"nonsense": True}
# Seconds for one token. The first request may have to wait until the model is loaded; those after it need not.
_FIRST_S = 300.0
_PROBE_S = 30.0

Retrying = Callable[[Callable[[], Awaitable[CompletionResponse]]], Awaitable[CompletionResponse]]
"""Makes the call, and may make it again while it raises one of `TRANSIENT`."""


async def once(call: Callable[[], Awaitable[CompletionResponse]]) -> CompletionResponse:
    """Makes the call, and does not make it again."""
    return await call()


async def find_model(endpoint: Endpoint, name: str) -> ServedModel:
    """The model named so, or the only one.

    Raises:
        Unsupported: no name is given, and the endpoint lists no model or several.
    """
    try:
        listed = (await endpoint.get("models", ListedModels)).data
    except DarwinError as error:
        # Not every endpoint lists its models; whether it serves this one shows at the first completion.
        if name:
            return ServedModel(id=name)
        kind = type(error) if isinstance(error, TRANSIENT) else Unsupported
        raise kind(f"{error.message} (asked for its models: DARWIN_GENERATION_ENDPOINT_MODEL can name one)") from error
    if name:
        return next((served for served in listed if served.id == name), ServedModel(id=name))
    if len(listed) != 1:
        found = len(listed)
        raise Unsupported(f"the endpoint lists {found} models: set DARWIN_GENERATION_ENDPOINT_MODEL to one of them")
    return listed[0]


@dataclass(frozen=True)
class ProbePrompt:
    """One prompt: as ids, as text, and how many tokens our tokenizer makes of the text."""

    ids: Sequence[int]
    text: str
    text_tokens: int


async def probe(
    endpoint: Endpoint,
    model: str,
    prompt: ProbePrompt,
    mode: TokenMode,
    fields: frozenset[str] | None,
    retrying: Retrying = once,
) -> Capabilities:
    """Probes the endpoint with one token at a time. `fields`, where given, are trusted and not probed.

    A plain completion comes first, made by `retrying`. Whatever fails while a plain completion succeeds, however it
    fails, is something that the endpoint cannot do.

    Raises:
        Unsupported: it refuses plain completions, or `mode` is "ids" and it does not both take and return ids.
        Unavailable, Overloaded, DeadlineExceeded: it is away, and `retrying` has given up.
    """
    prober = _Prober(endpoint, model, prompt.text, retrying)
    counted = await prober.begin()
    alike = counted is None or counted == prompt.text_tokens
    as_text = mode == "text" or (mode == "auto" and not alike)
    takes_ids, returns_ids = (False, False) if as_text else await prober.probe_ids(prompt.ids)
    if mode == "ids" and not (takes_ids and returns_ids):
        raise Unsupported("the endpoint does not take and return token ids: set DARWIN_GENERATION_ENDPOINT_TOKENS=auto")
    if takes_ids:
        prober.prompt = list(prompt.ids)
    standard = await prober.standard()
    every_token: int | None = EVERY_TOKEN[0]
    if fields is None:
        fields = frozenset([name for name, value in FIELDS.items() if await prober.supports(name, value)])
        if "top_k" in fields:
            every_token = await prober.first("top_k", EVERY_TOKEN)
    logprobs = takes_ids and returns_ids and await prober.gives_logprobs()
    return Capabilities(takes_ids, returns_ids, fields, standard, prober.limit, every_token, alike, logprobs)


@dataclass
class _Prober:
    """Sends requests of one token to one model."""

    endpoint: Endpoint
    model: str
    prompt: str | list[int]
    retrying: Retrying
    limit: str = field(default=TOKEN_LIMITS[0], init=False)

    async def begin(self) -> int | None:
        """Finds a plain completion that works; returns how many tokens the endpoint counts in its prompt."""
        try:
            return (await self._plain()).prompt_tokens
        except InvalidRequest as error:
            return await self._begin_otherwise(error)
        except Unsupported as error:
            raise await self._without_completions(error) from error

    async def _begin_otherwise(self, refused: InvalidRequest) -> int | None:
        self.limit = TOKEN_LIMITS[1]
        try:
            return (await self._plain()).prompt_tokens
        except (InvalidRequest, Unsupported):
            said = f"the endpoint refuses a plain completion and {refused.message.removeprefix('the endpoint ')}"
            raise await self._without_completions(Unsupported(said)) from refused

    async def _without_completions(self, refused: Unsupported) -> DarwinError:
        """Why there are no completions: the endpoint serves chats only, or else what it has refused them with."""
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": self.model, "messages": messages, "max_tokens": 1}
        try:
            async with asyncio.timeout(_PROBE_S):
                await self.endpoint.post("chat/completions", ChatResponse, body)
        except InvalidRequest:
            return chat_only("the endpoint refuses /completions")
        except (DarwinError, TimeoutError):
            return refused
        return chat_only("the endpoint refuses /completions")

    async def probe_ids(self, ids: Sequence[int]) -> tuple[bool, bool]:
        """Whether the endpoint takes ids as ids, and returns those that it sampled."""
        for extra in ({"return_token_ids": True}, {}):
            response = await self._response({"prompt": list(ids), **extra})
            if response is None:
                continue
            returned = bool(response.choices[0].token_ids)
            counted = response.prompt_tokens
            taken = len(response.choices) == 1 and (counted == len(ids) or (counted is None and returned))
            return taken, taken and returned
        return False, False

    async def standard(self) -> frozenset[tuple[str, Any]]:
        """The pairs of `STANDARD` that the endpoint takes."""
        taken: set[tuple[str, Any]] = set()
        for chosen in (0, 1):
            together = {name: values[chosen] for name, values in STANDARD.items()}
            if await self.accepts(together):
                taken.update(together.items())
            else:
                taken.update([(name, v) for name, v in together.items() if await self.accepts({name: v})])
        return frozenset(taken)

    async def gives_logprobs(self) -> bool:
        """Whether the endpoint gives log probabilities, of as many tokens as may be asked for, by their ids."""
        fields = {"return_token_ids": True, **logprobs_fields(MOST_ALTERNATIVES)}
        response = await self._response(fields)
        choice = response.choices[0] if response is not None else None
        return bool(choice and read_likelihoods(choice, choice.token_ids or (), MOST_ALTERNATIVES))

    async def first(self, name: str, values: Sequence[Any]) -> Any | None:
        for value in values:
            if await self.accepts({name: value}):
                return value
        return None

    async def supports(self, name: str, value: Any) -> bool:
        """Whether the endpoint accepts the value, and fails at a value that the field cannot have.

        The salt keeps tenants apart, so nonsense in its place must be refused: a mere failure would not prove that the
        endpoint reads it.
        """
        if not await self.accepts({name: value}):
            return False
        refusals = (InvalidRequest,) if name == "cache_salt" else (DarwinError,)
        return isinstance(await self._try({name: _NONSENSE}), refusals)

    async def accepts(self, extra: dict[str, Any]) -> bool:
        return await self._response(extra) is not None

    async def _response(self, extra: dict[str, Any]) -> CompletionResponse | None:
        response = await self._try(extra)
        return response if isinstance(response, CompletionResponse) else None

    async def _try(self, extra: dict[str, Any]) -> CompletionResponse | DarwinError:
        """The response or the error; a transient error is tried again, once a plain completion succeeds."""
        for last in (False, True):
            try:
                return await self._request(_PROBE_S, extra)
            except TRANSIENT as error:
                if last:
                    return error
                await self._plain()
            except DarwinError as error:
                return error
        raise AssertionError("unreachable")

    async def _plain(self) -> CompletionResponse:
        return await self.retrying(lambda: self._request(_FIRST_S, {}))

    async def _request(self, limit_s: float, extra: dict[str, Any]) -> CompletionResponse:
        body = {"model": self.model, "prompt": self.prompt, self.limit: 1, **extra}
        try:
            async with asyncio.timeout(limit_s):
                return await self.endpoint.post(COMPLETIONS, CompletionResponse, body)
        except TimeoutError:
            raise DeadlineExceeded(f"the endpoint did not answer within {limit_s:g} s") from None
