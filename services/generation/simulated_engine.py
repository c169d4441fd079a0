"""An engine without a model, for fast tests and for studying scale. Never the default.

A vocabulary of common words; what is sampled depends only on (given ids, position, seed).
"""

import random
import zlib
from collections.abc import Sequence

from services.generation.engine import Completion, ModelInfo, TokenSequence
from services.generation.grammars import Grammars, Matcher, available
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import Batch, Latency, Waited, latency_named
from services.generation.simulated_cache import PrefixCache
from services.generation.simulated_formats import byte_grammars, choose
from shared.process.lifecycle import never
from shared.records.evolution import Message

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
_BYTES = _UNKNOWN + 65_536
"""The first of 256 ids that stand for bytes, of which responses under a format are made."""


class SimulatedEngine:
    """Decodes in the time that `batch` takes, or at `tokens_per_second` however many sequences there are (0: at once),
    and finds cached prefixes as `cache` does, or none.

    Each token ends its response with a chance of one in `response_tokens` (0: never).
    """

    def __init__(
        self,
        tokens_per_second: float = 0.0,
        response_tokens: int = 97,
        batch: Batch | None = None,
        cache: PrefixCache | None = None,
    ) -> None:
        self._batch = batch or (Batch(Latency(1 / tokens_per_second)) if tokens_per_second else None)
        self._cache = cache or PrefixCache(0)
        self._response_tokens = response_tokens
        self._ids = {word: index for index, word in enumerate(_WORDS, start=1)}
        self._running = 0
        formats = available()
        self.grammars: Grammars | None = byte_grammars(_BYTES, _END) if formats else None
        self.info = ModelInfo(
            "simulated",
            "simulated",
            _CONTEXT,
            formats,
            _BYTES + 256,
            frozenset({_END}),
            continues_formats=formats,
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

    def encode_chat(self, messages: Sequence[Message], now: float = 0.0) -> tuple[int, ...]:
        return tuple(self._id(word) for m in messages for word in (f"{m.role}:", *m.content.split()))

    def encode_raw(self, text: str) -> tuple[int, ...]:
        return tuple(self._id(word) for word in text.split())

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        words = " ".join(_WORDS[token - 1] for token in token_ids if 1 <= token <= len(_WORDS))
        return words + bytes(token - _BYTES for token in token_ids if token >= _BYTES).decode(errors="replace")

    async def complete(self, sequence: TokenSequence) -> Completion:
        self._running += 1
        try:
            return await self._decoded(sequence)
        finally:
            self._running -= 1

    async def _decoded(self, sequence: TokenSequence) -> Completion:
        given, salt = sequence.token_ids, sequence.cache_salt
        sampled, cached = self._sampled(sequence), self._cache.found(given, salt)
        self._cache.keep(given, salt)
        waited = await self._batch.run(len(sampled), len(given) - cached) if self._batch else Waited(0.0, 0.0)
        self._cache.keep(given + sampled, salt)
        return Completion(sampled, cached, waited.queue_s, waited.first_token_s)

    def _sampled(self, sequence: TokenSequence) -> tuple[int, ...]:
        seed = 0 if sequence.sampling.temperature == 0 else sequence.seed
        ids, matcher = list(sequence.token_ids), self._matcher(sequence)
        for position in range(len(ids), len(ids) + sequence.max_new_tokens):
            # The hash of a tuple of integers is the same in every process, and costs a tenth of a cryptographic one.
            draw = hash((*ids[-8:], position, seed if seed is not None else random.getrandbits(63)))
            if matcher is None:
                ids.append(self._word(draw))
            else:
                ids.append(choose(matcher, draw, _BYTES, _END))
                matcher.accept(ids[-1:])
            if ids[-1] == _END:
                break
        return tuple(ids[len(sequence.token_ids) :])

    def _matcher(self, sequence: TokenSequence) -> Matcher | None:
        if sequence.sampling.format is None or self.grammars is None:
            return None
        matcher = self.grammars.matcher(sequence.sampling.format)
        matcher.accept(sequence.response)
        return matcher

    def _word(self, draw: int) -> int:
        ends = self._response_tokens and draw % self._response_tokens == 0
        return _END if ends else 1 + draw % len(_WORDS)

    def _id(self, word: str) -> int:
        return self._ids.get(word, _UNKNOWN + zlib.crc32(word.encode()) % 65_536 - 1)


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
    )
