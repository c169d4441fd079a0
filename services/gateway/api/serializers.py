"""Builds response bodies from records of evolutions."""

from dataclasses import asdict, replace
from hashlib import blake2b

from services.gateway.api import message_bodies, outside
from services.gateway.api import responses as out
from services.gateway.api.evolution_settings import EvolutionSettings
from services.gateway.api.logprobs import choice_logprobs
from services.gateway.config.settings import GatewaySettings
from shared import errors
from shared.records.evolution import Choice, Record, Result, Sampling, Seconds, Tokens
from shared.records.relative import unpriced
from shared.records.settling import unsettled
from shared.records.spending import Prices, Spending
from shared.records.tools import ToolCall


def result_of(record: Record) -> Result:
    """The result of an evolution that has ended.

    Raises:
        DarwinError: the evolution failed, was cancelled, or ended without a response.
    """
    if record.status == "cancelled":
        raise errors.Cancelled(f"evolution {record.id} was cancelled")
    if record.status == "failed" and record.error is not None:
        raise outside.error_of(record)
    if record.result is None or not record.result.choices:
        raise errors.Internal(f"evolution {record.id} ended without a response")
    return record.result


def completion_id(record: Record) -> str:
    """The id that OpenAI's shape calls for; it holds the evolution's."""
    return "chatcmpl-" + record.id.removeprefix("evo_")


def model_of(record: Record) -> str:
    """The name by which the caller chose the method; the method's own where none was recorded."""
    return record.request.model or record.request.method


def chat_completion(record: Record, settings: GatewaySettings) -> out.ChatCompletion:
    """The body of a chat completion; raises as `result_of` does."""
    result = result_of(record)
    return out.ChatCompletion(
        id=completion_id(record),
        created=int(record.created_at),
        model=model_of(record),
        choices=[
            out.ChatChoice(
                index=index,
                message=_message(record, index, choice),
                finish_reason=finish_reason(record, choice),
                logprobs=choice_logprobs(choice, record.request.sampling),
            )
            for index, choice in enumerate(result.choices)
        ],
        service_tier=record.request.service_tier,
        usage=usage(record, result, settings),
        darwin=reference(record, result),
    )


def finish_reason(record: Record, choice: Choice) -> out.AnswerFinish:
    """Why a choice ends; that it calls counts unless it was cut."""
    if not choice.tool_calls or choice.finish_reason != "stop":
        return choice.finish_reason
    return "function_call" if record.request.tool_use.as_functions else "tool_calls"


def call_id(record: Record, choice: int, call: int) -> str:
    """The id of a call, the same each time the answer is read."""
    return "call_" + blake2b(f"{record.id} {choice} {call}".encode(), digest_size=12).hexdigest()


def _message(record: Record, index: int, choice: Choice) -> message_bodies.AnswerMessage:
    calls = [
        message_bodies.AnswerCall(
            id=call_id(record, index, number), function=message_bodies.AnswerFunction(**_called(call))
        )
        for number, call in enumerate(choice.tool_calls)
    ]
    thought = dict.fromkeys(("reasoning_content", "reasoning"), thought_of(record, choice) or None)
    if calls and record.request.tool_use.as_functions:
        return message_bodies.AnswerMessage(content=choice.text or None, function_call=calls[0].function, **thought)
    content = choice.text or None if calls else choice.text
    return message_bodies.AnswerMessage(content=content, tool_calls=calls or None, **thought)


def thought_of(record: Record, choice: Choice) -> str:
    """What was thought before a choice, where the caller wants to know."""
    return choice.reasoning if record.request.include_reasoning else ""


def _called(call: ToolCall) -> dict[str, str]:
    return {"name": call.name, "arguments": call.arguments}


def reference(record: Record, result: Result | None = None) -> out.EvolutionReference:
    """Names the evolution that answers, its trace, what ended it early, why the base response is the answer where it is
    that although another came first, and what of the request had no effect.
    """
    return out.EvolutionReference(
        evolution_id=record.id,
        trace_id=trace_id(record),
        stopped_by=result.stopped_by if result else None,
        fallback=result.fallback if result else None,
        wishes_withheld=list(result.wishes_withheld) if result else [],
        warnings=_warnings(record),
    )


def trace_id(record: Record) -> str | None:
    """The trace that every part of the search belongs to; None where the call was not traced."""
    return record.trace.trace_id if record.trace else None


def usage(record: Record, result: Result, settings: GatewaySettings) -> out.Usage:
    """The tokens as OpenAI counts them, with what the search found and cost."""
    completion = sum(choice.completion_tokens for choice in result.choices)
    return out.Usage(
        prompt_tokens=result.tokens.prompt,
        completion_tokens=completion,
        total_tokens=result.tokens.prompt + completion,
        # The engine reports the cached tokens of each call: their sum may exceed the prompt, of which they are a part
        # in OpenAI's sense.
        prompt_tokens_details=out.PromptTokensDetails(cached_tokens=min(result.tokens.cached, result.tokens.prompt)),
        completion_tokens_details=out.CompletionTokensDetails(
            reasoning_tokens=sum(choice.reasoning_tokens for choice in result.choices)
        ),
        cost=_cost(result.tokens, record.prices or settings.prices),
        darwin=out.SearchUsage(
            evolution_id=record.id,
            method=record.request.method,
            reward=result.choices[0].reward,
            base_reward=result.base.reward if result.base else None,
            choices=[
                out.ScoredChoice(
                    index=index,
                    reward=choice.reward,
                    components=choice.components,
                    instruction=choice.instruction,
                    cycle=choice.cycle,
                    state=choice.state,
                    completion_tokens=choice.completion_tokens,
                )
                for index, choice in enumerate(result.choices)
            ],
            stopped_by=result.stopped_by,
            rounds=result.rounds,
            tokens=_tokens(result.tokens),
            seconds=_seconds(result.seconds),
        ),
    )


def evolution(record: Record, operator: bool = False) -> out.Evolution:
    """The evolution as it stands, finished or not; an `operator` reads its error in full."""
    request, failure = record.request, record.error if operator else outside.failure_of(record)
    return out.Evolution(
        id=record.id,
        trace_id=trace_id(record),
        status=record.status,
        model=model_of(record),
        method=request.method,
        created_at=record.created_at,
        finished_at=record.finished_at,
        messages=[message_bodies.EvolutionMessage(**asdict(message)) for message in request.messages],
        settings=EvolutionSettings(
            **asdict(request.sampling) | {"stop": list(request.sampling.stop), "format": _format(request.sampling)},
            **asdict(request.search),
            n=request.n,
            seed=request.seed,
            seeded=request.seeded,
            profile=request.profile,
            profile_owner=request.profile_owner,
            wishes=request.wishes,
            raw_prompt=request.raw_prompt is not None,
            template_arguments=request.template_arguments,
            reasoning_effort=request.reasoning_effort,
            include_reasoning=request.include_reasoning,
            relative_rewards=request.relative_rewards,
            self_certainty=request.self_certainty,
            service_tier=request.service_tier,
        ),
        user=request.user,
        metadata=request.metadata,
        tools=[message_bodies.OfferedTool(**asdict(tool)) for tool in request.tool_use.tools],
        tool_choice=request.tool_use.choice,
        demanded_tool=request.tool_use.name,
        parallel_tool_calls=request.tool_use.parallel,
        warnings=_warnings(record),
        result=_result(record.result, request.sampling) if record.result else None,
        error=out.EvolutionFailure(**asdict(failure)) if failure else None,
    )


def _format(sampling: Sampling) -> message_bodies.EvolutionFormat | None:
    return None if sampling.format is None else message_bodies.EvolutionFormat(**asdict(sampling.format))


def _warnings(record: Record) -> list[str]:
    """What of the request had no effect, and that the answer is not in the form asked for, or that there are fewer than
    were asked for because the search dropped the others, where that is so.
    """
    warnings, result, wanted = list(record.request.warnings), record.result, record.request.sampling.format
    if result and record.request.search.shrink < 1 and len(result.choices) < record.request.n:
        found, asked = len(result.choices), record.request.n
        warnings.append(f"darwin.shrink dropped candidates, so that there are {found} answers and not {asked}")
    warnings += filter(None, (unsettled(record.request), unpriced(record.request)))
    if wanted is not None and result and result.choices and result.choices[0].finish_reason == "length":
        warnings.append(f"the answer was cut before its form ({wanted.field}) was complete, as was every candidate")
    return warnings


def _cost(tokens: Tokens, prices: Prices) -> float | None:
    """None where nothing has a price."""
    spent = Spending(tokens.prompt, tokens.mutation, tokens.kept + tokens.discarded, tokens.reward)
    return prices.cost(spent) if prices else None


def _result(result: Result, sampling: Sampling) -> out.EvolutionResult:
    return out.EvolutionResult(
        choices=[evolution_choice(choice, sampling) for choice in result.choices],
        base=evolution_choice(result.base, sampling) if result.base else None,
        prompt_tokens=result.tokens.prompt,
        tokens=_tokens(result.tokens),
        seconds=_seconds(result.seconds),
        rounds=result.rounds,
        stopped_by=result.stopped_by,
        fallback=result.fallback,
        wishes_withheld=list(result.wishes_withheld),
    )


def evolution_choice(choice: Choice, sampling: Sampling) -> out.EvolutionChoice:
    """A final response, of a search that sampled so."""
    plain = asdict(replace(choice, logprobs=()))
    return out.EvolutionChoice(**plain | {"logprobs": choice_logprobs(choice, sampling)})


def _tokens(tokens: Tokens) -> out.StageTokens:
    return out.StageTokens(
        mutation=tokens.mutation,
        kept=tokens.kept,
        discarded=tokens.discarded,
        generated=tokens.generated,
        reward=tokens.reward,
        cached=tokens.cached,
    )


def _seconds(seconds: Seconds) -> out.StageSeconds:
    return out.StageSeconds(**asdict(seconds))
