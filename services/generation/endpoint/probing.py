"""Finds out what an endpoint can do, by requests of one token each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.generation.endpoint.capabilities import (
    CHATS,
    COMPLETIONS,
    EVERY_TOKEN,
    FIELDS,
    STANDARD,
    TOKEN_LIMITS,
    TRANSIENT,
    Api,
    Capabilities,
    TokenMode,
)
from services.generation.endpoint.chats import TRIAL_TOKENS, Continues, find_continuing
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.errors import chat_only
from services.generation.endpoint.logprobs import logprobs_fields, read_likelihoods
from services.generation.endpoint.responses import CompletionResponse, ListedModels, ServedModel
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
    """One prompt: the text of a user's turn, the ids and the text of the conversation that is this turn alone, and how
    many tokens our tokenizer makes of that text."""

    asked: str
    ids: Sequence[int]
    text: str
    text_tokens: int


@dataclass(frozen=True)
class Trust:
    """What the operator says of an endpoint, so that it is not probed: by which path it is asked, whether by ids, which
    of the `FIELDS` it supports (None: it is probed for them), and how it continues a message."""

    api: Api = "auto"
    mode: TokenMode = "auto"
    fields: frozenset[str] | None = None
    continues: Continues = "auto"


async def probe(
    endpoint: Endpoint, model: str, prompt: ProbePrompt, trust: Trust, retrying: Retrying = once
) -> Capabilities:
    """Probes the endpoint, with one token at a time but for how it continues a message.

    A plain completion comes first, made by `retrying`, or a plain chat where it has no completions. Whatever fails
    while that succeeds, however it fails, is something that the endpoint cannot do.

    Raises:
        Unsupported: it refuses plain completions and chats, or `mode` is "ids" and it does not both take and return
            ids.
        Unavailable, Overloaded, DeadlineExceeded: it is away, and `retrying` has given up.
    """
    mode, fields = trust.mode, trust.fields
    prober = _Prober(endpoint, model, retrying, {"prompt": prompt.text})
    counted = await prober.begin(prompt.asked, trust.api)
    alike = counted is None or counted == (len(prompt.ids) if prober.chat else prompt.text_tokens)
    as_text = prober.chat or mode == "text" or (mode == "auto" and not alike)
    takes_ids, returns_ids = (False, False) if as_text else await prober.probe_ids(prompt.ids)
    if mode == "ids" and not (takes_ids and returns_ids):
        raise Unsupported("the endpoint does not take and return token ids: set DARWIN_GENERATION_ENDPOINT_TOKENS=auto")
    if takes_ids:
        prober.prompt = {"prompt": list(prompt.ids)}
    standard = await prober.standard()
    every_token: int | None = EVERY_TOKEN[0]
    if fields is None:
        fields = frozenset([name for name, value in FIELDS.items() if await prober.supports(name, value)])
        if "top_k" in fields:
            every_token = await prober.first("top_k", EVERY_TOKEN)
    logprobs = takes_ids and returns_ids and await prober.gives_logprobs()
    known = Capabilities(takes_ids, returns_ids, fields, standard, prober.limit, every_token, alike, logprobs)
    return await _of_chats(known, prober, trust) if prober.chat else known


async def _of_chats(known: Capabilities, prober: "_Prober", trust: Trust) -> Capabilities:
    """What is known of an endpoint that is asked by chats. Ids of our tokenizer mean nothing to one with another."""
    without = {"ignore_eos", "include_stop_str_in_output"} | (set() if known.counts_alike else {"logit_bias"})
    known = replace(known, chat=True, fields=known.fields - without, stops=await prober.accepts({"stop": ["\u2603"]}))
    if trust.continues == "no":
        return known
    greedy = {
        name: value for name, value in known.standard if (name, value) == ("temperature", STANDARD["temperature"][1])
    }

    async def ask(fields: dict[str, Any]) -> str | None:
        return await prober.reply({known.limit: TRIAL_TOKENS, **greedy, **fields})

    if trust.continues == "auto":
        continuing, repeats = await find_continuing(ask)
        return replace(known, continuing=continuing, repeats=repeats)
    # How is known; whether a reply begins with what it continues is not.
    _, repeats = await find_continuing(ask, (trust.continues,))
    return replace(known, continuing=trust.continues, repeats=repeats)


@dataclass
class _Prober:
    """Sends requests of one token to one model. `prompt` are the fields that ask."""

    endpoint: Endpoint
    model: str
    retrying: Retrying
    prompt: dict[str, Any]
    limit: str = field(default=TOKEN_LIMITS[0], init=False)
    path: str = field(default=COMPLETIONS, init=False)

    @property
    def chat(self) -> bool:
        return self.path == CHATS

    async def begin(self, asked: str, api: Api) -> int | None:
        """Finds a plain completion that works, or a plain chat; returns how many tokens the endpoint counts in it.

        Raises:
            Unsupported: it refuses both, or whichever is demanded; the message is about the first of them.
        """
        refused: Unsupported | None = None
        if api != "chat":
            try:
                return await self._begin("completion")
            except Unsupported as error:
                refused = error
        self.path, self.prompt = CHATS, {"messages": [{"role": "user", "content": asked}]}
        try:
            counted = await self._begin("chat")
        except Unsupported as error:
            raise refused or error from error
        if api == "completions":
            raise chat_only("the endpoint refuses /completions") from refused
        return counted

    async def _begin(self, kind: str) -> int | None:
        """Raises Unsupported where it refuses such a request, whatever bounds its tokens."""
        refused: InvalidRequest | None = None
        for self.limit in TOKEN_LIMITS:
            try:
                return (await self._plain()).prompt_tokens
            except InvalidRequest as error:
                refused = refused or error
            except Unsupported:
                if refused is None:
                    raise
        assert refused is not None
        said = f"the endpoint refuses a plain {kind} and {refused.message.removeprefix('the endpoint ')}"
        raise Unsupported(said) from refused

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

    async def reply(self, fields: dict[str, Any]) -> str | None:
        """The text of the response to a request with these fields; None where it is refused, or has no text."""
        response = await self._response(fields)
        return response.choices[0].text if response is not None else None

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
        body = {"model": self.model, **self.prompt, self.limit: 1, **extra}
        try:
            async with asyncio.timeout(limit_s):
                return await self.endpoint.post(self.path, CompletionResponse, body)
        except TimeoutError:
            raise DeadlineExceeded(f"the endpoint did not answer within {limit_s:g} s") from None
