"""An engine without a model, for fast tests and for studying scale. Never the default.

A vocabulary of common words; what is sampled depends only on (given ids, position, seed).
"""

import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from services.generation.engine import Completion, Likelihoods, ModelInfo, TokenSequence
from services.generation.grammars import Grammars, Matcher, available
from services.generation.settings import GenerationSettings
from services.generation.simulated_adjustments import SimulatedAdjustments
from services.generation.simulated_batch import Batch, Latency, Waited, latency_named
from services.generation.simulated_cache import PrefixCache
from services.generation.simulated_calls import COUNT, SimulatedCalls
from services.generation.simulated_formats import byte_grammars, chances, choose
from services.generation.simulated_logprobs import chances_of_words, likelihoods
from services.generation.simulated_thoughts import MARKS, SimulatedThoughts
from services.generation.tool_calls.json_forms import JSON_FORMS
from services.generation.tool_calls.reading import ToolReader
from shared.process.lifecycle import never
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.text.tool_turns import has_tool_turns, with_calls

_TEXT = """
the a to of and in that it is was for on are with as they be at one have this from or had by hot but some what there
we can out other were all your when up use word how said each she which do their time if will way about many then
them would write like so these her long make thing see him two has look more day could go come did my sound no most
number who over know water than call first people may down side been now find any new work part take get place made
live where after back little only round man year came show every good me give our under name very through just form
much great think say help low line before turn cause same mean differ move right
"""
_WORDS = tuple(_TEXT.split())
_END = 0
_CONTEXT = 8192
_UNKNOWN = len(_WORDS) + 1
_HASHES = 65_536
_BYTES = _UNKNOWN + _HASHES
"""The first of 256 ids that stand for bytes, of which calls and responses under a format are made."""
_READER = ToolReader("hermes", "<tool_call>", JSON_FORMS["hermes"])


class SimulatedEngine:
    """Decodes in the time that `batch` takes, or at `tokens_per_second` however many sequences there are (0: at once),
    and finds cached prefixes as `cache` does, or none.

    With `thinking_tokens` prompts open a thought, which each token ends with a chance of one in so many. Each
    token of an answer ends its response with a chance of one in `response_tokens` (0: never); words are equally likely.
    Of temperatures, 0 makes what is sampled the same each time; others, `top_k` and `top_p` change nothing.
    """

    def __init__(
        self,
        tokens_per_second: float = 0.0,
        response_tokens: int = 97,
        batch: Batch | None = None,
        cache: PrefixCache | None = None,
        thinking_tokens: int = 0,
        template_arguments: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._batch = batch or (Batch(Latency(1 / tokens_per_second)) if tokens_per_second else None)
        self._cache = cache or PrefixCache(0)
        self._response_tokens = response_tokens
        self._chances = chances_of_words(_WORDS, 1 / response_tokens if response_tokens else 0.0)
        self._ids = {word: index for index, word in enumerate(_WORDS, start=1)}
        self._running = 0
        formats = available()
        self.grammars: Grammars | None = byte_grammars(_BYTES, _END) if formats else None
        self._calls = SimulatedCalls(_BYTES, _WORDS)
        self._thoughts = SimulatedThoughts(_BYTES + COUNT, thinking_tokens, template_arguments)
        self.info = ModelInfo(
            "simulated",
            "simulated",
            _CONTEXT,
            formats,
            _BYTES + COUNT + (MARKS if thinking_tokens else 0),
            frozenset({_END}),
            continues_formats=formats,
            tool_reader=_READER,
            token_bytes=_bytes,
            template_variables=frozenset({"enable_thinking"} if thinking_tokens else ()),
            reasoning=self._thoughts.marks,
            self_certainty=True,
        )

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._batch.waiting if self._batch else 0

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def failed(self) -> str:
        return await never()

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        ids = tuple(token for message in messages for token in self._turn(message))
        if inputs.tools or has_tool_turns(messages):
            ids += self._calls.prompt(messages, inputs.tools)
        return ids if messages[-1].role == "assistant" else ids + self._thoughts.opening(inputs)

    def _turn(self, message: Message) -> Iterator[int]:
        """A turn as it is in prompts. An assistant's words may be marks of thoughts, where the engine thinks."""
        yield self._id(f"{message.role}:")
        if message.reasoning:
            yield from self._thoughts.written(map(self._id, message.reasoning.split()))
        answers = message.role == "assistant"
        for word in with_calls(message.content, message.tool_calls).split():
            mark = self._thoughts.ids.get(word) if answers else None
            yield self._id(word) if mark is None else mark

    def encode_raw(self, text: str) -> tuple[int, ...]:
        return tuple(self._id(word) for word in text.split())

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        runs = groupby(token_ids, key=lambda token: 0 <= token - _BYTES < 256)
        return "".join(
            bytes(token - _BYTES for token in run).decode(errors="replace")
            if of_bytes
            else " ".join(word for token in run if (word := self._spelled(token)))
            for of_bytes, run in runs
        )

    def _spelled(self, token: int) -> str:
        return _WORDS[token - 1] if 1 <= token <= len(_WORDS) else self._thoughts.texts.get(token, "")

    async def complete(self, sequence: TokenSequence) -> Completion:
        self._running += 1
        try:
            return await self._decoded(sequence)
        finally:
            self._running -= 1

    async def _decoded(self, sequence: TokenSequence) -> Completion:
        given, salt = sequence.token_ids, sequence.cache_salt
        (sampled, logprobs), cached = self._sampled(sequence), self._cache.found(given, salt)
        self._cache.keep(given, salt)
        computed, mark = len(given) - cached, self._mark(sequence, sampled, logprobs)
        waited = await self._batch.run(len(sampled), computed, mark) if self._batch else Waited(0.0, 0.0)
        self._cache.keep(given + sampled, salt)
        return Completion(sampled, cached, waited.queue_s, waited.first_token_s, logprobs=logprobs)

    @staticmethod
    def _mark(
        sequence: TokenSequence, sampled: tuple[int, ...], logprobs: tuple[Likelihoods, ...]
    ) -> Callable[[int], None] | None:
        """Tells of a sequence's steps, whose numbers it is given one after another."""
        progress, told = sequence.progress, 0
        if progress is None:
            return None

        def mark(steps: int) -> None:
            nonlocal told
            progress(sampled[told:steps], logprobs[told:steps])
            told = steps

        return mark

    def _sampled(self, sequence: TokenSequence) -> tuple[tuple[int, ...], tuple[Likelihoods, ...]]:
        """The ids, and their log probabilities where the sequence asks for them."""
        sampling, logprobs = sequence.sampling, list[Likelihoods]()
        seed = 0 if sampling.temperature == 0 else sequence.seed
        ids, matcher = list(sequence.token_ids), self._matcher(sequence)
        thinking = self._thoughts.open_in(sequence)
        behind = self._thoughts.end_in(ids)
        writer = self._calls.writer(ids, behind) if matcher is None and not thinking else None
        adjustments = SimulatedAdjustments(sequence) if set(sampling.shaping) - {"ignore_eos"} else None
        weighed = adjustments is not None or sampling.alternatives is not None
        for position in range(len(ids), len(ids) + sequence.max_new_tokens):
            # The hash of a tuple of integers is the same in every process, and costs a tenth of a cryptographic one.
            draw = hash((*ids[-8:], position, seed if seed is not None else random.getrandbits(63)))
            if thinking:
                token = self._thoughts.next(ids[-1], draw, self._word_alone(draw))
                possible, thinking = {token: 1.0}, token not in self._thoughts.texts
                writer = None if thinking or matcher is not None else self._calls.writer([*ids, token], len(ids) + 1)
            elif matcher is None:
                called = writer.next(ids, draw) if writer else None
                token = self._word(draw) if called is None else called
                possible = self._chances if called is None else {called: 1.0}
            else:
                possible = chances(matcher, _BYTES, _END) if weighed else {}
                token = choose(matcher, draw, _BYTES, _END)
            ids.append(adjustments.next(token, possible, draw) if adjustments else token)
            if matcher is not None:
                matcher.accept(ids[-1:])
            if sampling.alternatives is not None:
                logprobs.append(likelihoods(ids[-1], possible, sampling.alternatives, draw))
            ended = self._thoughts.texts.get(ids[-1]) in sampling.stop
            if ended or (ids[-1] == _END and not sampling.ignore_eos):
                break
        return tuple(ids[len(sequence.token_ids) :]), tuple(logprobs)

    def _matcher(self, sequence: TokenSequence) -> Matcher | None:
        if sequence.sampling.format is None or self.grammars is None:
            return None
        matcher = self.grammars.matcher(sequence.sampling.format)
        matcher.accept(sequence.formed)
        return matcher

    def _word(self, draw: int) -> int:
        ends = self._response_tokens and draw % self._response_tokens == 0
        return _END if ends else self._word_alone(draw)

    @staticmethod
    def _word_alone(draw: int) -> int:
        return 1 + draw % len(_WORDS)

    def _id(self, word: str) -> int:
        return self._ids.get(word, _UNKNOWN + zlib.crc32(word.encode()) % _HASHES - 1)


def _bytes(token: int) -> bytes:
    """The bytes of a token: words are told apart by the space before each."""
    if 0 <= token - _BYTES < 256:
        return bytes([token - _BYTES])
    return b"</s>" if token == _END else f" {_WORDS[token - 1]}".encode() if token <= len(_WORDS) else b""


def build_simulated_engine(settings: GenerationSettings) -> SimulatedEngine:
    """The engine as its settings describe it.

    Raises:
        SettingsError: `simulated_latency` is neither a name nor three numbers.
    """
    batch = None
    if settings.simulated_latency:
        latency = latency_named(settings.simulated_latency).stretched(settings.simulated_stretch)
        batch = Batch(latency, settings.max_running)
    return SimulatedEngine(
        settings.simulated_tokens_per_second,
        settings.simulated_response_tokens,
        batch,
        PrefixCache(settings.simulated_cache_blocks),
        settings.simulated_thinking_tokens,
        settings.chat_template_arguments,
    )
