"""Any OpenAI-compatible completions endpoint as the engine: a vLLM server, a router, a fleet behind one address."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from services.generation.checkpoint import Checkpoint, read_checkpoint
from services.generation.endpoint.abilities import COMPLETIONS, Abilities, find_model, probe
from services.generation.endpoint.answers import Answer
from services.generation.endpoint.asking import completion_body
from services.generation.endpoint.carried_text import CarriedText
from services.generation.endpoint.client import Endpoint
from services.generation.engine import Completion, ModelInfo, TokenSequence
from services.generation.settings import GenerationSettings
from services.generation.text import hidden_tokens
from shared.errors import DarwinError, DeadlineExceeded, Internal, Overloaded, Unavailable
from shared.models import resolve
from shared.process import never
from shared.records import Message

log = logging.getLogger(__name__)

_AWAY = (Unavailable, Overloaded, DeadlineExceeded)
_LONGEST_WAIT_S = 5.0
_GREETING = (Message("user", "Hello"),)


@dataclass(frozen=True)
class _Ready:
    """What is known once the endpoint has answered."""

    checkpoint: Checkpoint
    text: CarriedText
    abilities: Abilities
    info: ModelInfo


class OpenAIEngine:
    """One endpoint; of the sequences held, `max_running` are asked for at once and the others wait here.

    The tokenizer and chat template are read here, no weights: torch is not needed.
    """

    def __init__(self, settings: GenerationSettings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._places = asyncio.Semaphore(settings.max_running)
        self._running = 0
        self._waiting = 0
        self._ready: _Ready | None = None

    @property
    def info(self) -> ModelInfo:
        return self._known.info

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._waiting

    async def start(self) -> None:
        """Returns once the endpoint answers, however long it is away.

        Raises:
            Internal: it is not set up so that it could serve; the message names the setting.
        """
        checkpoint = await asyncio.to_thread(read_checkpoint, resolve(self._settings.model))
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(_AWAY), wait=wait_random_exponential(max=_LONGEST_WAIT_S), before_sleep=_tell
        )
        async for attempt in patiently:
            with attempt:
                self._ready = await self._meet(checkpoint)
        log.info("the endpoint serves %s, %s", self.info.model, self._known.abilities)

    async def stop(self) -> None:
        await self._endpoint.close()

    async def failed(self) -> str:
        # An endpoint that is away comes back; meanwhile calls are refused one by one.
        return await never()

    def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return self._known.checkpoint.chat.encode_chat(messages)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        return self._known.checkpoint.chat.decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        known = self._known
        prompt = sequence.token_ids if known.abilities.takes_ids else known.text.prompt(sequence.token_ids)
        body = {"model": known.info.model, "prompt": prompt, **completion_body(sequence, known.abilities)}
        arrived = time.perf_counter()
        async with self._place():
            waited_s = time.perf_counter() - arrived
            return self._completion(sequence, await self._endpoint.post(COMPLETIONS, Answer, body), waited_s)

    async def _meet(self, checkpoint: Checkpoint) -> _Ready:
        settings, text = self._settings, CarriedText(checkpoint.tokenizer)
        served = await find_model(self._endpoint, settings.endpoint_model)
        ids = checkpoint.chat.encode_chat(_GREETING)
        abilities = await probe(
            self._endpoint, served.id, list(ids), text.prompt(ids), settings.endpoint_tokens, settings.trusted_fields
        )
        lengths = (settings.max_model_len, checkpoint.context_length, served.max_model_len)
        context = min(length for length in lengths if length is not None)
        structured = "response_format" in abilities.fields
        hidden = hidden_tokens(checkpoint.tokenizer, checkpoint.vocabulary)
        info = ModelInfo(served.id, "openai", context, structured, checkpoint.vocabulary, checkpoint.eos_ids, hidden)
        return _Ready(checkpoint, text, abilities, info)

    @property
    def _known(self) -> _Ready:
        if self._ready is None:
            raise Unavailable("the endpoint has not answered yet; come back later")
        return self._ready

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the sequences asked for at once."""
        self._running += 1
        try:
            self._waiting += 1
            try:
                await self._places.acquire()
            finally:
                self._waiting -= 1
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._running -= 1

    def _completion(self, sequence: TokenSequence, answer: Answer, waited_s: float) -> Completion:
        reason, limit = answer.choices[0].finish_reason, sequence.max_new_tokens
        if reason == "abort":
            raise Unavailable("the endpoint has dropped the sequence; come back later")
        if reason not in ("stop", "length"):
            raise Internal("the endpoint ended a sequence for a reason that is neither stop nor length")
        ended = reason == "stop"
        ids = self._returned(answer) if self._known.abilities.returns_ids else self._retokenised(sequence, answer)
        if not self._known.abilities.returns_ids and len(ids) > limit:
            ids, ended = self._known.text.cut(ids, limit), False
        if len(ids) > limit or not all(0 <= token < self.info.vocabulary_size for token in ids):
            raise Internal("the endpoint returned ids that were not asked for, or of another vocabulary")
        # Where not even one token came, asking again would lead nowhere.
        unfinished = not ended and 0 < len(ids) < limit
        return Completion(ids, answer.cached_tokens, *_seconds(answer, waited_s), unfinished=unfinished)

    def _returned(self, answer: Answer) -> tuple[int, ...]:
        ids = answer.choices[0].token_ids
        if ids is None:
            raise Internal("the endpoint returned no token ids, though it did when it was asked at start")
        return tuple(ids)

    def _retokenised(self, sequence: TokenSequence, answer: Answer) -> tuple[int, ...]:
        """Ids of the answer's text, and the end-of-sequence id where that ended it."""
        choice = answer.choices[0]
        ids = self._known.text.added(sequence.token_ids, choice.text)
        by_string = isinstance(choice.stop_reason, str) or any(s in choice.text for s in sequence.sampling.stop)
        if choice.finish_reason == "stop" and not by_string and len(ids) < sequence.max_new_tokens:
            return (*ids, min(self.info.end_ids))
        return ids


def _seconds(answer: Answer, waited_s: float) -> tuple[float | None, float | None]:
    """Until the first step and until the first token; None where the endpoint does not say."""
    metrics = answer.metrics
    if metrics is None or metrics.queue_time_ms is None:
        return None, None
    queue_s = waited_s + metrics.queue_time_ms / 1000
    first_ms = metrics.time_to_first_token_ms
    return queue_s, None if first_ms is None else queue_s + first_ms / 1000


def _tell(state: RetryCallState) -> None:
    error: Any = state.outcome.exception() if state.outcome else None
    log.warning("the endpoint is away: %s", error.message if isinstance(error, DarwinError) else type(error).__name__)
