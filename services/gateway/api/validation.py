"""From a validated body to an `EvolutionRequest`: the rules that need more than one field."""

import math
import secrets
import time
from dataclasses import replace

from services.gateway.api.model_names import model_named
from services.gateway.api.requests import AlignmentRequest, SearchSettings
from services.gateway.model_entry import ModelEntry
from services.gateway.settings import GatewaySettings
from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, Message, Role, Sampling
from shared.records.search import PRESETS, Search, check_search


def evolution_request(body: AlignmentRequest, settings: GatewaySettings) -> EvolutionRequest:
    """Everything the orchestrator needs, defaults filled in.

    Raises:
        InvalidRequest: fields contradict each other or a limit of this deployment; names the field to change.
        ModelNotFound: nothing answers under the name that `model` gives.
    """
    entry = model_named(body.model, settings)
    method, darwin = entry.method, body.darwin or SearchSettings()
    search = _search(entry, darwin)
    n = body.n or 1
    check_search(method, search, n)
    max_tokens = _max_tokens(body, settings)
    _check_history(method, search, max_tokens, settings.max_history_tokens)
    defaults = Sampling(max_tokens=0)
    return EvolutionRequest(
        method=method,
        model=body.model,
        messages=_messages(body, settings.max_conversation_characters),
        sampling=Sampling(
            max_tokens=max_tokens,
            temperature=defaults.temperature if body.temperature is None else body.temperature,
            top_p=defaults.top_p if body.top_p is None else body.top_p,
            stop=tuple(body.stop or ()),
        ),
        search=search,
        seed=secrets.randbits(48) if body.seed is None else body.seed,
        seeded=body.seed is not None,
        n=n,
        profile=darwin.profile if "profile" in darwin.model_fields_set else entry.profile,
        user=body.user,
        metadata=body.metadata or {},
        accepted_at=time.time(),
    )


def _messages(body: AlignmentRequest, most_characters: int) -> tuple[Message, ...]:
    characters = sum(len(message.text) for message in body.messages)
    if characters > most_characters:
        raise InvalidRequest(
            f"messages hold {characters} characters, at most {most_characters} are possible here", field="messages"
        )
    last = len(body.messages) - 1
    if body.messages[last].role != "user":
        field = f"messages.{last}.role"
        raise InvalidRequest(f"{field} must be user: the last message is the instruction", field=field)
    if not body.messages[last].text.strip():
        field = f"messages.{last}.content"
        raise InvalidRequest(f"{field} must not be blank: the last message is the instruction", field=field)
    roles: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
    return tuple(Message(roles[message.role], message.text) for message in body.messages)


def _max_tokens(body: AlignmentRequest, settings: GatewaySettings) -> int:
    old, new = body.max_tokens, body.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise InvalidRequest(
            f"max_tokens ({old}) and max_completion_tokens ({new}) differ: give one of them", field="max_tokens"
        )
    field, value = ("max_tokens", old) if new is None else ("max_completion_tokens", new)
    if value is None:
        return settings.default_max_tokens
    if value > settings.max_max_tokens:
        raise InvalidRequest(f"{field} must be at most {settings.max_max_tokens}", field=field)
    return value


def _search(entry: ModelEntry, darwin: SearchSettings) -> Search:
    """The settings of the model's entry, or of the caller's preset, with the caller's own settings in their place."""
    begun = PRESETS[darwin.preset] if "preset" in darwin.model_fields_set else entry.search
    given = darwin.model_dump(exclude_unset=True, exclude={"preset", "profile", "progress"})
    search = replace(begun, **given)
    if METHODS[entry.method].searches:
        return search
    if given.get("cycles"):
        raise InvalidRequest(f"{entry.method} has no cycles: leave darwin.cycles out", field="darwin.cycles")
    return replace(search, cycles=0)


def _check_history(method: Method, search: Search, max_tokens: int, most: int) -> None:
    """Each round records the responses so far, which are half their final length on average."""
    rounds = math.ceil(max_tokens / search.period) if METHODS[method].replaces else 1
    tokens = search.cycles * rounds * search.mutants * max_tokens // 2
    if tokens > most:
        raise InvalidRequest(
            f"this search would record {tokens} tokens of partial responses, at most {most} are possible here: raise "
            "darwin.period, or lower max_tokens, darwin.mutants or darwin.cycles",
            field="darwin.period" if rounds > 1 else "max_tokens",
        )
