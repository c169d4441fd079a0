"""From a validated body to an `EvolutionRequest`: the rules that need more than one field."""

import json
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from services.gateway.api.conversation import ChatMessage, TextPart
from services.gateway.api.field_kinds import warnings_of
from services.gateway.api.formats import response_format
from services.gateway.api.functions import as_functions, with_tools
from services.gateway.api.logprobs import wanted_alternatives
from services.gateway.api.model_names import model_named
from services.gateway.api.requests import AlignmentRequest, SearchSettings
from services.gateway.api.service_tiers import served_tier
from services.gateway.api.token_shaping import check_endless, shaping_of
from services.gateway.api.tool_use import calls_of, check_tool_turns, tool_use
from services.gateway.api.vllm_fields import VllmFields
from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records.efforts import Effort
from shared.records.evolution import EvolutionRequest, Message, Role, Sampling
from shared.records.profiles import name_of
from shared.records.search import EFFORT_SETTINGS, PRESETS, RECOMBINING, Search, in_rounds
from shared.records.search_rules import check_search, may_recombine
from shared.records.tools import ToolUse
from shared.records.turns import characters_of, instruction_index
from shared.text.tool_turns import with_calls

_NO_SEED = -1
# What of `darwin` says nothing about how much is searched.
_NO_SEARCH = {"profile", "progress", "deadline_ms"}
# JavaScript holds whole numbers below this exactly, so the inspector can run a search again with its seed.
_NEGATIVE_SEEDS_MODULO = 2**53


def evolution_request(body: AlignmentRequest, settings: GatewaySettings) -> EvolutionRequest:
    """Everything the orchestrator needs, defaults filled in.

    Raises:
        InvalidRequest: fields contradict each other or a limit of this deployment; names the field to change.
        ModelNotFound: nothing answers under the name that `model` gives.
    """
    named_functions = bool(body.functions)
    body = with_tools(body)
    entry = model_named(body.model, settings)
    darwin = body.darwin or SearchSettings()
    method = _method(entry, darwin, body.reasoning_effort)
    profile = darwin.profile if "profile" in darwin.model_fields_set else entry.profile
    search = _search(method, entry, darwin, body.reasoning_effort)
    if profile_priced := _is_profile_priced(search, entry, body):
        search = replace(search, token_price=settings.token_prices.get(name_of(profile)))
    n = body.n or 1
    check_search(method, search, n)
    max_tokens = _max_tokens(body, settings)
    check_history(method, search, max_tokens, settings.max_history_tokens)
    defaults = Sampling(max_tokens=0)
    seed = _seed(body.seed)
    request = EvolutionRequest(
        method=method,
        model=body.model,
        messages=_messages(body, settings.max_conversation_characters),
        sampling=Sampling(
            max_tokens=max_tokens,
            temperature=defaults.temperature if body.temperature is None else body.temperature,
            top_p=defaults.top_p if body.top_p is None else body.top_p,
            top_k=defaults.top_k if body.top_k is None else max(0, body.top_k),
            stop=tuple(body.stop or ()),
            format=response_format(body.response_format, body.structured_outputs),
            logprobs=wanted_alternatives(body.logprobs, body.top_logprobs, search, max_tokens, settings),
            **shaping_of(body),
        ),
        search=search,
        seed=secrets.randbits(48) if seed is None else seed,
        seeded=seed is not None,
        n=n,
        profile=profile,
        profile_priced=profile_priced,
        user=body.user,
        metadata=body.metadata or {},
        accepted_at=time.time(),
        warnings=warnings_of(body),
        tool_use=_tool_use(body, named_functions),
        template_arguments=body.chat_template_kwargs or {},
        reasoning_effort=body.reasoning_effort,
        service_tier=served_tier(body.service_tier),
    )
    check_endless(request)
    if isinstance(body, VllmFields) and body.include_reasoning is False:
        return replace(request, include_reasoning=False)
    return request


def _tool_use(body: AlignmentRequest, named_functions: bool) -> ToolUse:
    try:
        return replace(tool_use(body), as_functions=named_functions)
    except InvalidRequest as error:
        raise (as_functions(error) if named_functions else error) from None


def _seed(given: int | None) -> int | None:
    """The seed, which is not negative; None where the caller chose none."""
    if given is None or given == _NO_SEED:
        return None
    return given if given >= 0 else given % _NEGATIVE_SEEDS_MODULO


def _messages(body: AlignmentRequest, most_characters: int) -> tuple[Message, ...]:
    messages = tuple(
        Message(_role(message), message.text, calls_of(message), message.tool_call_id or "", message.thought)
        for message in body.messages
    )
    # Mutation and rewards read calls as text, which may be longer than the calls are.
    as_text = sum(len(with_calls(message.content, message.tool_calls)) for message in messages)
    if (characters := max(characters_of(messages), as_text)) > most_characters:
        raise InvalidRequest(
            f"messages hold {characters} characters, at most {most_characters} are possible here", field="messages"
        )
    for index, message in enumerate(body.messages):
        _check_message(message, f"messages.{index}")
    check_tool_turns(body.messages)
    _check_instruction(messages)
    _check_continuation(body, messages)
    return messages


def _role(message: ChatMessage) -> Role:
    match message.role:
        case "developer":
            return "system"
        case "function":
            return "tool"
        case role:
            return role


def _check_message(message: ChatMessage, path: str) -> None:
    """Only an assistant may have said nothing, or have refused."""
    for number, part in enumerate(message.content or ()):
        _check_part(part, f"{path}.content.{number}", answers=message.role == "assistant")
    if message.role != "assistant":
        if message.content is None:
            raise InvalidRequest(
                f"{path}.content is missing: a {message.role} message has text", field=f"{path}.content"
            )
        if message.refusal is not None:
            raise InvalidRequest(f"{path}.refusal must be left out: only assistants refuse", field=f"{path}.refusal")
        if message.thought:
            field = f"{path}.{'reasoning_content' if message.reasoning_content else 'reasoning'}"
            raise InvalidRequest(f"{field} must be left out: only assistants think", field=field)
    elif message.reasoning_content and message.reasoning and message.reasoning_content != message.reasoning:
        raise InvalidRequest(
            f"{path}.reasoning and {path}.reasoning_content differ: give one of them", field=f"{path}.reasoning"
        )
    elif message.refusal and message.text != message.refusal:
        raise InvalidRequest(f"{path}.refusal must be left out where there is content", field=f"{path}.refusal")


def _check_part(part: TextPart, path: str, *, answers: bool) -> None:
    """A part has what its type says and nothing else; refusals stand where `answers`."""
    own, other = (part.refusal, part.text) if part.type == "refusal" else (part.text, part.refusal)
    if part.type == "refusal" and not answers:
        raise InvalidRequest(f"{path}.type must be text: only assistants refuse", field=f"{path}.type")
    if own is None:
        raise InvalidRequest(f"{path}.{part.type} is missing", field=f"{path}.{part.type}")
    if other is not None:
        name = "text" if part.type == "refusal" else "refusal"
        raise InvalidRequest(f"{path}.{name} must be left out of a part of type {part.type}", field=f"{path}.{name}")


def _check_instruction(messages: Sequence[Message]) -> None:
    """There is an instruction, and it says something."""
    index = instruction_index(messages)
    if not messages[index].content.strip():
        whose = "the last user message" if messages[index].role == "user" else "without a user message, this"
        raise InvalidRequest(
            f"messages.{index}.content must not be blank: {whose} is the instruction", field=f"messages.{index}.content"
        )


def _check_continuation(body: AlignmentRequest, messages: Sequence[Message]) -> None:
    """vLLM's two switches say what happens anyway, or are refused: an assistant's last message is continued."""
    continued = messages[-1].role == "assistant"
    if body.continue_final_message is not None and body.continue_final_message != continued:
        why = "is continued" if continued else "is not the assistant's, so there is nothing to continue"
        raise InvalidRequest(
            f"continue_final_message must be {json.dumps(continued)} or left out: the last message {why}",
            field="continue_final_message",
        )
    if body.add_generation_prompt is False and not continued:
        raise InvalidRequest(
            "add_generation_prompt must be true or left out: a response is a new turn, unless the last message is the "
            "assistant's",
            field="add_generation_prompt",
        )
    if body.add_generation_prompt and body.continue_final_message:
        raise InvalidRequest(
            "add_generation_prompt must be false or left out with continue_final_message", field="add_generation_prompt"
        )


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


def _method(entry: ModelEntry, darwin: SearchSettings, effort: Effort | None) -> Method:
    """The method of the model's entry; no search where the effort is none and the caller says nothing of a search."""
    spare = effort == "none" and not darwin.model_fields_set - _NO_SEARCH
    return "sample" if spare else entry.method


def _search(method: Method, entry: ModelEntry, darwin: SearchSettings, effort: Effort | None) -> Search:
    """The settings of the model's entry with those of an effort, or those of the caller's preset, with the caller's own
    in their place.
    """
    chosen = "preset" in darwin.model_fields_set
    begun = PRESETS[darwin.preset] if chosen else entry.search
    of_effort = EFFORT_SETTINGS.get(effort, {}) if effort and not chosen else {}
    given = darwin.model_dump(exclude_unset=True, exclude={"preset", "profile", "progress"})
    if "mutants" in of_effort and "mutants" not in given:
        begun = replace(begun, survivors=min(begun.survivors, of_effort["mutants"] - 1))
    search = replace(begun, **of_effort | given)
    if effort and not chosen and not given.keys() & set(RECOMBINING) and not may_recombine(method, search):
        # The entry's, for which the effort leaves no second cycle or no mutant.
        search = replace(search, crossover=0, refine=False)
    if METHODS[method].searches:
        return search
    if given.get("cycles"):
        raise InvalidRequest(f"{method} has no cycles: leave darwin.cycles out", field="darwin.cycles")
    return replace(search, cycles=0)


def _is_profile_priced(search: Search, entry: ModelEntry, body: AlignmentRequest) -> bool:
    """Whether tokens cost what the deployment says for the reward profile: there are several cycles that are not the
    paper's, and neither the caller nor the model's entry says otherwise.
    """
    given = body.darwin.model_fields_set if body.darwin else set()
    preset = body.darwin.preset if body.darwin and "preset" in given else entry.preset
    return search.token_price is None and "token_price" not in given and search.cycles > 1 and preset != "paper"


def check_history(method: Method, search: Search, max_tokens: int, most: int) -> None:
    """Each round records the responses so far, which are half their final length on average.

    Raises:
        InvalidRequest: they would be more than `most` tokens; says what to lower.
    """
    rounds = math.ceil(max_tokens / search.period) if in_rounds(method, search) else 1
    tokens = search.cycles * rounds * search.mutants * max_tokens // 2
    if tokens > most:
        raise InvalidRequest(
            f"this search would record {tokens} tokens of partial responses, at most {most} are possible here: raise "
            "darwin.period, or lower max_tokens, darwin.mutants or darwin.cycles",
            field="darwin.period" if rounds > 1 else "max_tokens",
        )
