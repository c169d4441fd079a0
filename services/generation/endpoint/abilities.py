"""What an endpoint can do beyond OpenAI's completions, asked of it once."""

from dataclasses import dataclass
from typing import Any, Literal

from services.generation.endpoint.answers import Answer, Models, Served
from services.generation.endpoint.client import Endpoint
from shared.errors import Internal, InvalidRequest

COMPLETIONS = "completions"
TokenMode = Literal["auto", "ids", "text"]

FIELDS: dict[str, Any] = {
    "top_k": 40,
    "cache_salt": "probe",
    "include_stop_str_in_output": True,
    "repetition_penalty": 1.0,
    "min_p": 0.0,
    "response_format": {"type": "json_schema", "json_schema": {"name": "probe", "schema": {"type": "object"}}},
}
"""Fields beyond OpenAI's completions, each with a value that whoever knows it takes."""
# Of no field's type: whoever knows a field refuses it, whoever does not know it cannot.
_NONSENSE = {"nonsense": True}


@dataclass(frozen=True)
class Abilities:
    """Whether prompts may be token ids, whether answers hold the sampled ids, and which of `FIELDS` are heeded."""

    takes_ids: bool
    returns_ids: bool
    fields: frozenset[str]

    @property
    def exact(self) -> bool:
        """Whether a continuation is of exactly the ids that were sampled."""
        return self.takes_ids and self.returns_ids

    def __str__(self) -> str:
        carried = "token-exact" if self.exact else "not token-exact: text is carried and tokenised again"
        return f"{carried}; heeds {', '.join(sorted(self.fields)) or 'no field beyond the standard'}"


async def find_model(endpoint: Endpoint, name: str) -> Served:
    """The model named so, or the only one.

    Raises:
        Internal: no name is given, and the endpoint lists no model or several.
    """
    try:
        listed = (await endpoint.get("models", Models)).data
    except Internal:
        # Not every endpoint lists its models; whether it serves this one shows at the first completion.
        if not name:
            raise
        return Served(id=name)
    if name:
        return next((served for served in listed if served.id == name), Served(id=name))
    if len(listed) != 1:
        raise Internal(f"the endpoint lists {len(listed)} models: set DARWIN_GENERATION_ENDPOINT_MODEL to one of them")
    return listed[0]


async def probe(
    endpoint: Endpoint, model: str, ids: list[int], text: str, mode: TokenMode, fields: frozenset[str] | None
) -> Abilities:
    """Asks for a token at a time; `ids` and `text` are one prompt. `fields` are taken on trust where given.

    Raises:
        Internal: it refuses a plain completion, or mode "ids" and it does not carry ids.
    """
    asks = _Asks(endpoint, model)
    carries = await asks.carry(ids) if mode != "text" else (False, False)
    if mode == "ids" and not all(carries):
        raise Internal("the endpoint does not take and return token ids: set DARWIN_GENERATION_ENDPOINT_TOKENS=auto")
    prompt = ids if carries[0] else text
    if not await asks.accepts(prompt):
        raise Internal("the endpoint refuses a plain completion: is DARWIN_GENERATION_ENDPOINT one for completions?")
    if fields is None:
        fields = frozenset([name for name, value in FIELDS.items() if await asks.heeds(prompt, name, value)])
    return Abilities(*carries, fields)


class _Asks:
    """Requests of one token."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint = endpoint
        self._body = {"model": model, "max_tokens": 1, "temperature": 0.0}

    async def carry(self, ids: list[int]) -> tuple[bool, bool]:
        """Whether the endpoint takes ids as ids, and returns those that it sampled."""
        for extra in ({"return_token_ids": True}, {}):
            answer = await self._answer(ids, extra)
            if answer is None:
                continue
            taken = answer.usage is None or answer.usage.prompt_tokens == len(ids)
            return taken, taken and bool(answer.choices[0].token_ids)
        return False, False

    async def accepts(self, prompt: list[int] | str, extra: dict[str, Any] | None = None) -> bool:
        return await self._answer(prompt, extra or {}) is not None

    async def heeds(self, prompt: list[int] | str, field: str, value: Any) -> bool:
        return await self.accepts(prompt, {field: value}) and not await self.accepts(prompt, {field: _NONSENSE})

    async def _answer(self, prompt: list[int] | str, extra: dict[str, Any]) -> Answer | None:
        try:
            return await self._endpoint.post(COMPLETIONS, Answer, {**self._body, "prompt": prompt, **extra})
        except InvalidRequest:
            return None
