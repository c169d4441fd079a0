"""What an endpoint can do, asked of it once, a token at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.errors import chat_only
from services.generation.endpoint.responses import ChatResponse, CompletionResponse, ModelList, ServedModel
from shared.errors import DarwinError, DeadlineExceeded, InvalidRequest, Overloaded, Unavailable, Unsupported

COMPLETIONS = "completions"
TokenMode = Literal["auto", "ids", "text"]
TRANSIENT = (Unavailable, Overloaded, DeadlineExceeded)
"""What an endpoint that comes back may raise meanwhile."""

FIELDS: dict[str, Any] = {
    "top_k": 40,
    "cache_salt": "probe",
    "include_stop_str_in_output": True,
    "repetition_penalty": 1.0,
    "min_p": 0.0,
    "response_format": {"type": "json_schema", "json_schema": {"name": "probe", "schema": {"type": "object"}}},
}
"""Fields beyond OpenAI's completions, each with a value that whoever knows it takes."""
LARGE_SEED, SMALL_SEED = 2**63 - 1, 2**31 - 1
STANDARD: dict[str, tuple[Any, ...]] = {
    "temperature": (0.7, 0.0),
    "top_p": (0.9, 1.0),
    "seed": (LARGE_SEED, SMALL_SEED),
}
"""Fields of OpenAI's completions that some refuse, or some values of."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_EVERY_TOKEN = (-1, 0)
# Of no field's type: whoever knows a field refuses it, whoever does not know it cannot.
_NONSENSE = {"nonsense": True}
# For one token. A model that is loaded at its first request may take longer; what is asked after it may not.
_FIRST_S = 300.0
_PROBE_S = 30.0

Retrying = Callable[[Callable[[], Awaitable[CompletionResponse]]], Awaitable[CompletionResponse]]
"""Makes the call, and may make it again while it raises one of `TRANSIENT`."""


async def once(call: Callable[[], Awaitable[CompletionResponse]]) -> CompletionResponse:
    return await call()


@dataclass(frozen=True)
class Capabilities:
    """Whether prompts may be token ids, whether answers hold the sampled ids, and which of `FIELDS` are heeded.

    `standard` are the fields of `STANDARD` with the values of it that are taken; `limit` is the field that bounds the
    tokens, `every_token` the top_k that keeps all, None where there is none. `counts_alike` says whether the endpoint
    counts as many tokens in a prompt as our tokenizer.
    """

    takes_ids: bool
    returns_ids: bool
    fields: frozenset[str]
    standard: frozenset[tuple[str, Any]] = frozenset((name, value) for name, both in STANDARD.items() for value in both)
    limit: str = _LIMITS[0]
    every_token: int | None = _EVERY_TOKEN[0]
    counts_alike: bool = True

    @property
    def exact(self) -> bool:
        """Whether a continuation is of exactly the ids that were sampled."""
        return self.takes_ids and self.returns_ids

    @property
    def lacks(self) -> tuple[str, ...]:
        """What requests do without, each a field or a field and a value."""
        wanted = [(name, value) for name, both in STANDARD.items() for value in both]
        refused = [f"{name} {value}" for name, value in wanted if (name, value) not in self.standard]
        return (*(name for name in FIELDS if name not in self.fields), *refused)

    def __str__(self) -> str:
        carried = "token-exact" if self.exact else "not token-exact: text is carried and tokenised again"
        heeded = f"heeds {', '.join(sorted(self.fields)) or 'no field beyond the standard'}"
        return "; ".join([carried, heeded, *([f"does without {', '.join(self.lacks)}"] if self.lacks else [])])


async def find_model(endpoint: Endpoint, name: str) -> ServedModel:
    """The model named so, or the only one.

    Raises:
        Unsupported: no name is given, and the endpoint lists no model or several.
    """
    try:
        listed = (await endpoint.get("models", ModelList)).data
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
    waiting: Retrying = once,
) -> Capabilities:
    """Asks for a token at a time. `fields` are taken on trust where given.

    A plain completion comes first, and is waited for by `waiting`. Whatever fails while a plain completion succeeds,
    however it fails, is something that the endpoint cannot do.

    Raises:
        Unsupported: it does no plain completion, or mode "ids" and it does not carry ids.
        Unavailable, Overloaded, DeadlineExceeded: it is away, and `waiting` has given up.
    """
    prober = _Prober(endpoint, model, prompt.text, waiting)
    counted = await prober.begin()
    alike = counted is None or counted == prompt.text_tokens
    carries = (False, False) if mode == "text" or (mode == "auto" and not alike) else await prober.carry(prompt.ids)
    if mode == "ids" and not all(carries):
        raise Unsupported("the endpoint does not take and return token ids: set DARWIN_GENERATION_ENDPOINT_TOKENS=auto")
    if carries[0]:
        prober.prompt = list(prompt.ids)
    standard = await prober.standard()
    every_token: int | None = _EVERY_TOKEN[0]
    if fields is None:
        fields = frozenset([name for name, value in FIELDS.items() if await prober.heeds(name, value)])
        if "top_k" in fields:
            every_token = await prober.first("top_k", _EVERY_TOKEN)
    return Capabilities(*carries, fields, standard, prober.limit, every_token, alike)


async def accepts(endpoint: Endpoint, model: str, abilities: Capabilities, text: str, extra: dict[str, Any]) -> bool:
    """Whether a completion with `extra` fields is given."""
    prober = _Prober(endpoint, model, text, once)
    prober.limit = abilities.limit
    return await prober.accepts(extra)


@dataclass
class _Prober:
    """Requests of one token."""

    endpoint: Endpoint
    model: str
    prompt: str | list[int]
    waiting: Retrying
    limit: str = field(default=_LIMITS[0], init=False)

    async def begin(self) -> int | None:
        """Finds a plain completion that works; how many tokens the endpoint counts in its prompt."""
        try:
            return (await self._plain()).prompt_tokens
        except InvalidRequest as error:
            return await self._begin_otherwise(error)
        except Unsupported as error:
            raise await self._without_completions(error) from error

    async def _begin_otherwise(self, refused: InvalidRequest) -> int | None:
        self.limit = _LIMITS[1]
        try:
            return (await self._plain()).prompt_tokens
        except (InvalidRequest, Unsupported):
            said = f"the endpoint refuses a plain completion and {refused.message.removeprefix('the endpoint ')}"
            raise await self._without_completions(Unsupported(said)) from refused

    async def _without_completions(self, refused: Unsupported) -> DarwinError:
        """Why there are none: because there are only chats, or as the endpoint has said."""
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

    async def carry(self, ids: Sequence[int]) -> tuple[bool, bool]:
        """Whether the endpoint takes ids as ids, and returns those that it sampled."""
        for extra in ({"return_token_ids": True}, {}):
            answer = await self._answer({"prompt": list(ids), **extra})
            if answer is None:
                continue
            returned = bool(answer.choices[0].token_ids)
            counted = answer.prompt_tokens
            taken = len(answer.choices) == 1 and (counted == len(ids) or (counted is None and returned))
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

    async def first(self, name: str, values: Sequence[Any]) -> Any | None:
        for value in values:
            if await self.accepts({name: value}):
                return value
        return None

    async def heeds(self, name: str, value: Any) -> bool:
        """Whether the endpoint takes the value, and fails at one of no field's type.

        What keeps tenants apart must be refused: a failure would not prove that it is known.
        """
        if not await self.accepts({name: value}):
            return False
        refusals = (InvalidRequest,) if name == "cache_salt" else (DarwinError,)
        return isinstance(await self._try({name: _NONSENSE}), refusals)

    async def accepts(self, extra: dict[str, Any]) -> bool:
        return await self._answer(extra) is not None

    async def _answer(self, extra: dict[str, Any]) -> CompletionResponse | None:
        answer = await self._try(extra)
        return answer if isinstance(answer, CompletionResponse) else None

    async def _try(self, extra: dict[str, Any]) -> CompletionResponse | DarwinError:
        """What comes of it; a failure that may pass is tried again once a plain completion succeeds."""
        for last in (False, True):
            try:
                return await self._ask(_PROBE_S, extra)
            except TRANSIENT as error:
                if last:
                    return error
                await self._plain()
            except DarwinError as error:
                return error
        raise AssertionError("unreachable")

    async def _plain(self) -> CompletionResponse:
        return await self.waiting(lambda: self._ask(_FIRST_S, {}))

    async def _ask(self, limit_s: float, extra: dict[str, Any]) -> CompletionResponse:
        body = {"model": self.model, "prompt": self.prompt, self.limit: 1, **extra}
        try:
            async with asyncio.timeout(limit_s):
                return await self.endpoint.post(COMPLETIONS, CompletionResponse, body)
        except TimeoutError:
            raise DeadlineExceeded(f"the endpoint did not answer within {limit_s:g} s") from None
