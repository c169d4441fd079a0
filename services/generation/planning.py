"""What is to be done for each sequence of a call: its prompt as token ids, and how its response is read."""

from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, replace

from services.generation import metrics
from services.generation.demanded_calls import calls_or_json, demanded_calls
from services.generation.engine import Engine, Origin
from services.generation.grammars import Matcher
from services.generation.messages import GenerateRequest, RawPrompt, SamplingOptions, Sequence
from services.generation.progress import SampledSoFar
from services.generation.prompt_cache import PromptCache, PromptKeys
from services.generation.reasoning.reading import Reading, ThoughtReader
from services.generation.response_text import Reader, continuing, stops_of
from services.generation.shaping import uncontinued
from services.generation.tool_calls.reading import CallReader
from services.generation.validation import check_vocabulary
from shared.errors import InvalidRequest
from shared.records.turns import prefill_of, thought_in

# As many as the mark of a thought has at most, and the blanks behind it.
_TAIL_TOKENS = 32


@dataclass(frozen=True)
class Plan:
    """A checked sequence: its prompt's ids, and the `room`, in tokens, that the context leaves for the response to
    grow.

    `arrived` is when its call came, by `time.perf_counter`. `matcher` has followed the response so far under the call's
    format; None where there is no format, or where it is followed elsewhere. `so_far` is None where partial results are
    not wanted, or could not be continued. `thoughts` is None where the response cannot begin with a thought.
    """

    sequence: Sequence
    sampling: SamplingOptions
    cache_salt: str
    prompt_ids: tuple[int, ...]
    reader: Reader
    calls: CallReader | None
    room: int
    arrived: float
    matcher: Matcher | None
    so_far: SampledSoFar | None
    origin: Origin
    thoughts: ThoughtReader | None = None

    def read(self, token_ids: AnySequence[int], *, complete: bool = False) -> Reading:
        """How the response that consists of these ids reads so far, or as a `complete` one."""
        if self.thoughts is None:
            return Reading("answering", self.reader)
        return self.thoughts.read(token_ids, self.reader, complete=complete)


class Planner:
    """Plans the sequences of calls to one engine; prompts that come again are taken from `prompts`."""

    def __init__(self, engine: Engine, prompts: PromptCache) -> None:
        self._engine = engine
        self._prompts = prompts

    def plans(self, request: GenerateRequest, arrived: float) -> list[Plan]:
        """The plan of each sequence of a checked call, which came at `arrived`. May be called on any thread.

        Raises:
            InvalidRequest: a prompt or a format cannot be used, or a response so far is not what the format allows.
            Unsupported: the model's template has no tools.
        """
        reader = Reader(self._engine.decode, stops_of(request.sampling.stop, self._engine.info.hidden_tokens))
        calls, tool_reader = None, self._engine.info.tool_reader
        if request.inputs.tools and tool_reader is not None:
            if request.must_call:
                tools, name, parallel = request.inputs.tools, request.tool_name, request.parallel_calls
                wanted, tool_reader = demanded_calls(tool_reader, tools, name, parallel)
                request = replace(request, sampling=replace(request.sampling, format=wanted))
            elif (form := request.sampling.format) is not None:
                wanted, tool_reader = calls_or_json(tool_reader, request.inputs.tools, request.parallel_calls, form)
                request = replace(request, sampling=replace(request.sampling, format=wanted))
            calls = tool_reader.bound(request.inputs.tools)
        keys = PromptKeys(request)
        return [self._plan(sequence, keys, reader, calls, request, arrived) for sequence in request.sequences]

    def _plan(
        self,
        sequence: Sequence,
        keys: PromptKeys,
        reader: Reader,
        calls: CallReader | None,
        request: GenerateRequest,
        arrived: float,
    ) -> Plan:
        raw = sequence.raw_prompt
        prompt_ids = self._encoded(sequence, keys.of(sequence), request)
        if raw or prefill_of(sequence.messages):
            reader = replace(reader, decode=continuing(self._engine.decode, prompt_ids[-1]))
        # A rewritten prompt may leave no room, and so may a response that was written under a shorter one. That is a
        # full context of this sequence, and does not concern the others of the call.
        room = max(0, self._engine.info.context_length - len(prompt_ids) - len(sequence.response_token_ids))
        sampling, salt = request.sampling, request.cache_salt
        thoughts = self._thoughts(sequence, prompt_ids, exact=sampling.format is not None)
        partial = request.partial_results and uncontinued(sampling, self._engine.info) is None
        so_far = SampledSoFar() if partial else None
        origin = Origin(request.evolution, sequence.id, request.spread, request.priority)
        plan = Plan(sequence, sampling, salt, prompt_ids, reader, calls, room, arrived, None, so_far, origin, thoughts)
        return replace(plan, matcher=self._matcher(plan))

    def _thoughts(self, sequence: Sequence, prompt_ids: tuple[int, ...], exact: bool) -> ThoughtReader | None:
        """Who finds the thought in responses; None where the model has none, or the prompt is behind it already."""
        marks = self._engine.info.reasoning
        if marks is None or sequence.raw_prompt:
            return None
        if begun := prefill_of(sequence.messages):
            thinks = thought_in(begun, marks.open, marks.close) == len(begun)
            return ThoughtReader(marks, opened=True, exact=exact) if thinks else None
        end = self._engine.decode(prompt_ids[-_TAIL_TOKENS:], special=True).rstrip()
        return None if end.endswith(marks.close) else ThoughtReader(marks, end.endswith(marks.open), exact)

    def _encoded(self, sequence: Sequence, key: bytes | None, request: GenerateRequest) -> tuple[int, ...]:
        """The ids of a sequence's prompt, from an earlier round where it had one."""
        raw = sequence.raw_prompt
        if raw and raw.token_ids:
            return raw.token_ids

        def encode() -> tuple[int, ...]:
            return self._raw(raw) if raw else self._engine.encode_chat(sequence.messages, request.inputs)

        ids, reused = (encode(), False) if key is None else self._prompts.get(key, encode)
        metrics.prompted(reused)
        return ids

    def _raw(self, prompt: RawPrompt) -> tuple[int, ...]:
        """Raises InvalidRequest where the text has no tokens, or spells one that the model has no embedding for."""
        token_ids = self._engine.encode_raw(prompt.text)
        if not token_ids:
            raise InvalidRequest("the prompt has no tokens: send a text that has some", field="prompt")
        check_vocabulary(token_ids, self._engine.info, "prompt")
        return token_ids

    def _matcher(self, plan: Plan) -> Matcher | None:
        """Raises InvalidRequest where the format cannot be followed, or the response so far does not."""
        grammars, sampling, given = self._engine.grammars, plan.sampling, plan.sequence.response_token_ids
        if sampling.format is None or grammars is None:
            return None
        matcher = grammars.matcher(sampling.format)
        if not matcher.accept(plan.read(given).answer(given)):
            raise InvalidRequest(
                f"the response so far is not what the format allows: {matcher.fault()}", field="sampling.format"
            )
        return matcher
