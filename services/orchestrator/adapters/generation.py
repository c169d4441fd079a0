"""The generation service as the orchestrator's `Generator`."""

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

import grpc

from services.orchestrator.adapters.logprobs import logprobs_from_pb
from services.orchestrator.adapters.tools import called_of, message_to_pb, tools_to_pb
from services.orchestrator.core.responses import Called
from services.orchestrator.core.values import BASE, Generate, Generated
from shared.errors import ContextLengthExceeded, Internal, InvalidRequest
from shared.methods import ABILITIES, Ability
from shared.pb import generation_pb2 as pb
from shared.records.evolution import EvolutionRequest, ServiceTier
from shared.records.formats import FormatKind, ResponseFormat
from shared.records.salt import cache_salt
from shared.records.turns import instruction_index, with_instruction
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.telemetry.tracing import current_evolution_id

_FINISH: dict[int, Literal["length", "stop", "context"]] = {
    pb.FINISH_REASON_LENGTH: "length",
    pb.FINISH_REASON_STOP: "stop",
    pb.FINISH_REASON_CONTEXT: "context",
}

_KINDS: dict[FormatKind, "pb.GenerateRequest.Format.Kind"] = {
    "json_object": pb.GenerateRequest.Format.KIND_JSON_OBJECT,
    "json_schema": pb.GenerateRequest.Format.KIND_JSON_SCHEMA,
    "regex": pb.GenerateRequest.Format.KIND_REGEX,
    "choice": pb.GenerateRequest.Format.KIND_CHOICE,
    "grammar": pb.GenerateRequest.Format.KIND_GRAMMAR,
}

_PRIORITIES: dict[ServiceTier, int] = {"priority": -1, "default": 0, "flex": 1}
"""As vLLM has it: the lower, the earlier."""

_NO_MESSAGES = ("sequences[0].messages", "a conversation needs at least one message")


class GrpcGenerator:
    """Continues states through `darwin.v1.GenerationService`, many states with one call.

    The calls of one evolution go to one replica, where they can, because it has their prefixes in its cache.
    """

    def __init__(self, replicas: Replicas[Any]) -> None:
        self._replicas = replicas

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float, *, apart: bool = False
    ) -> AsyncGenerator[Generated, None]:
        """With `apart`, each sequence is sent with the whole conversation, as services took it before they took it once
        for all sequences of a call; where one of those refuses the call, it is sent in this way.

        Raises:
            ContextLengthExceeded: the conversation itself, not only a mutant of it, fills the context.
        """
        waiting = {str(effect.state): effect for effect in effects}

        def begin(stub: Any, **options: Any) -> Any:
            return stub.Generate(_to_pb(list(waiting.values()), request, apart=apart), **options)

        responses = self._replicas.stream(begin, lambda: len(waiting), timeout_s, current_evolution_id())
        with calling("GenerationService/Generate"):
            try:
                async with aclosing(responses):
                    async for response in responses:
                        for result in response.results:
                            effect = waiting.pop(result.id)
                            if request.self_certainty and not result.HasField("self_certainty"):
                                raise Internal("generation, of an earlier version, tells no self-certainty: update it")
                            outcome = _from_pb(result, effect, called_of(result, request.tool_use))
                            if outcome.partial:
                                # Were the call lost, the response would go on from here.
                                waiting[result.id] = _continued(effect, outcome)
                            if effect.state == BASE and _without_room(effect, outcome):
                                field = "prompt" if request.raw_prompt else "messages"
                                raise await self._no_room(outcome.prompt_tokens, field, timeout_s)
                            yield outcome
            except grpc.RpcError as error:
                if apart or not _takes_no_shared_conversation(error):
                    raise from_rpc_error(error, lambda field: _caller_field(field, request)) from error
                async with aclosing(self.generate(list(waiting.values()), request, timeout_s, apart=True)) as again:
                    async for outcome in again:
                        yield outcome
                return
        if waiting:
            raise Internal(f"generation ended without a result for states {sorted(waiting)}")

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        def begin(stub: Any, **options: Any) -> Any:
            return stub.Decode(pb.DecodeRequest(token_ids=token_ids), **options)

        with calling("GenerationService/Decode"):
            try:
                return str((await self._replicas.call(begin, 1, timeout_s, current_evolution_id())).text)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        return frozenset((await self._model(timeout_s)).template_variables)

    async def lacks(self, timeout_s: float) -> frozenset[Ability]:
        """What the language model cannot do that whole methods or routes need; raises as calls do."""
        lacks = (await self._model(timeout_s)).lacks
        return frozenset(ability for ability in ABILITIES if ability in lacks)

    async def _model(self, timeout_s: float) -> pb.GetModelResponse:
        with calling("GenerationService/GetModel"):
            try:
                model: pb.GetModelResponse = await self._replicas.call(_get_model, 1, timeout_s, current_evolution_id())
                return model
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        with calling("GenerationService/GetModel"):
            try:
                model = await self._replicas.call(_get_model, 1, timeout_s, current_evolution_id())
                return model.reasoning_open, model.reasoning_close
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def _no_room(self, prompt_tokens: int, field: str, timeout_s: float) -> ContextLengthExceeded:
        model = await self._replicas.call(_get_model, 1, timeout_s, current_evolution_id())
        # An endpoint may have a shorter context than is known of it.
        context = min(model.context_length, prompt_tokens)
        return ContextLengthExceeded.of(context, prompt_tokens, field)


def _continued(effect: Generate, outcome: Generated) -> Generate:
    kept, sampled = len(outcome.token_ids), outcome.generated_tokens
    return replace(
        effect,
        token_ids=effect.token_ids + outcome.token_ids,
        max_new_tokens=effect.max_new_tokens - kept,
        lookahead=max(0, effect.lookahead - (sampled - kept)),
    )


def _takes_no_shared_conversation(error: grpc.RpcError) -> bool:
    """Whether a service of a version that does not know `GenerateRequest.conversation` found no messages."""
    refused = from_rpc_error(error)
    return isinstance(refused, InvalidRequest) and (refused.field, refused.message) == _NO_MESSAGES


def _without_room(effect: Generate, outcome: Generated) -> bool:
    return outcome.finish == "context" and not effect.token_ids and not outcome.generated_tokens


def _get_model(stub: Any, **options: Any) -> Any:
    return stub.GetModel(pb.GetModelRequest(), **options)


def _caller_field(field: str, request: EvolutionRequest) -> str:
    """`sequences[0].messages` and `sampling.stop` are the caller's `messages` and `stop`, and `sampling.format` is
    whatever field of the request demands the format. Its profile demands self-certainty."""
    if field == "sampling.self_certainty":
        return "darwin.profile"
    if field == "template_arguments":
        return "chat_template_kwargs"
    if field.startswith("sampling.format") and request.tool_use.choice == "required":
        return "tools"
    if field.startswith("sampling.format") and request.sampling.format is not None:
        return request.sampling.format.field
    return re.sub(r"^(sequences\[\d+\]|sampling)\.", "", field)


def _to_pb(effects: Sequence[Generate], request: EvolutionRequest, *, apart: bool = False) -> pb.GenerateRequest:
    """The call for the effects, with the conversation once or, `apart`, with each of them."""
    sampling, raw = request.sampling, _raw_prompt(request)
    once = not (apart or raw)
    index = instruction_index(request.messages)
    original = request.messages[index].content
    return pb.GenerateRequest(
        sequences=[
            pb.GenerateRequest.Sequence(
                id=str(effect.state),
                messages=_messages(request, effect.instruction) if apart and not raw else [],
                raw_prompt=raw if apart else None,
                instruction=effect.instruction if once and effect.instruction != original else None,
                response_token_ids=effect.token_ids,
                max_new_tokens=effect.max_new_tokens,
                lookahead_tokens=effect.lookahead,
                # Engines sample faster without a generator per sequence, so only a caller's own seed is passed on.
                seed=effect.seed if request.seeded else None,
                to_be_continued=effect.to_be_continued,
            )
            for effect in effects
        ],
        sampling=pb.GenerateRequest.Sampling(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop=sampling.stop,
            format=None if sampling.format is None else _format_to_pb(sampling.format),
            logprobs=sampling.logprobs,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            logit_bias=sampling.logit_bias,
            min_p=sampling.min_p,
            ignore_eos=sampling.ignore_eos,
            self_certainty=request.self_certainty,
        ),
        cache_salt=cache_salt(request),
        now=request.accepted_at,
        tools=tools_to_pb(request.tool_use.offered),
        must_call=request.tool_use.choice == "required",
        tool_name=request.tool_use.name,
        parallel_calls=request.tool_use.parallel,
        template_arguments=json.dumps(request.template_arguments, ensure_ascii=False)
        if request.template_arguments
        else "",
        conversation=_conversation(request, index) if once else None,
        raw_prompt=None if apart else raw,
        reasoning_effort=request.reasoning_effort or "" if request.raw_prompt is None else "",
        partial_results=True,
        spread=request.search.spread,
        priority=_PRIORITIES[request.service_tier],
    )


def _messages(request: EvolutionRequest, instruction: str) -> list[pb.GenerateRequest.Message]:
    return [message_to_pb(message) for message in with_instruction(request.messages, instruction)]


def _conversation(request: EvolutionRequest, index: int) -> pb.GenerateRequest.Conversation:
    """The conversation once. Its instruction is left in it, for the sequences that keep it."""
    return pb.GenerateRequest.Conversation(messages=map(message_to_pb, request.messages), instruction=index)


def _raw_prompt(request: EvolutionRequest) -> "pb.GenerateRequest.RawPrompt | None":
    if request.raw_prompt is None:
        return None
    if request.raw_prompt.token_ids:
        return pb.GenerateRequest.RawPrompt(token_ids=request.raw_prompt.token_ids)
    return pb.GenerateRequest.RawPrompt(text=request.messages[0].content)


def _format_to_pb(wanted: ResponseFormat) -> pb.GenerateRequest.Format:
    return pb.GenerateRequest.Format(kind=_KINDS[wanted.kind], definition=wanted.definition)


def _from_pb(result: pb.GenerateResult, effect: Generate, called: Called) -> Generated:
    return Generated(
        cycle=effect.cycle,
        round=effect.round,
        state=effect.state,
        token_ids=tuple(result.token_ids),
        text=result.text,
        scored_text=result.lookahead_text,
        finish=_FINISH[result.finish_reason],
        generated_tokens=result.usage.generated_tokens,
        kept=result.usage.kept_tokens if result.usage.HasField("kept_tokens") else None,
        prompt_tokens=result.usage.prompt_tokens,
        cached_tokens=result.usage.cached_tokens,
        queued_seconds=result.queue_seconds if result.HasField("queue_seconds") else None,
        called=called,
        logprobs=tuple(map(logprobs_from_pb, result.logprobs)),
        partial=result.partial,
        served_by=result.served_by,
        reasoning=result.reasoning,
        reasoning_tokens=result.reasoning_tokens,
        thinking=result.thinking,
        certainty=result.self_certainty,
    )
